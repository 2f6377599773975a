package repository

import "path/filepath"

// watch asks for notifications from every directory in t. A link is watched at
// its target, and again after it was swapped. Called by the reading goroutine,
// of which there is one at a time.
func (o *owner) watch(t *tree) {
	if o.watcher == nil || t.err != nil {
		return
	}
	for name, id := range t.dirs {
		if o.watched[name] == id {
			continue
		}
		// What cannot be watched, because the system's limit is reached or the
		// directory has just gone, is found by polling.
		if o.watcher.Add(filepath.Join(o.o.Dir, name)) == nil {
			t.rewatched = true
			o.watched[name] = id
		}
	}
	for name := range o.watched {
		if _, ok := t.dirs[name]; !ok {
			// The system has removed the watch already where the directory is gone.
			_ = o.watcher.Remove(filepath.Join(o.o.Dir, name))
			delete(o.watched, name)
		}
	}
}
