package repository

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/fsnotify/fsnotify"
)

// owner is the state of a Repository. Only the goroutine in run touches it;
// loads and readings of the directory happen elsewhere and come back as messages.
type owner struct {
	r       *Repository
	o       *Options
	log     *slog.Logger
	ctx     context.Context
	watcher *fsnotify.Watcher // nil when there is none
	// watched and files are used by the one reading goroutine: the directories
	// from which there are notifications, and the models' own config.yaml.
	watched map[string]fileID
	files   map[string]modelSettings

	set    *Set
	models map[string]*model
	saved  map[string]*decisions
	tree   *tree // the last one read; nil before the first

	scanning bool
	rescan   bool // read again once the reading in progress is over
	readings uint64
	next     time.Time
	// asking are the requests to load a whole model that wait for a reading of
	// the directory that began after them.
	asking  []request
	queue   []*load // waiting for a slot
	running map[*load]bool
	started bool
	// answers are kept back until List shows what they answer for.
	answers []answer
	// unsaved is set when a write of the state file failed, and has been said.
	unsaved bool
}

// model is what is known about one model's directory and versions.
type model struct {
	name     string
	versions map[int]*version
	// fresh are versions that are loaded and not in the set yet.
	fresh []*Loaded

	// file is the model's config.yaml that holds, taken the one that was decided
	// about last, and fileErr why that does not hold. onDisk is how it was read
	// last, seen like this first at onDiskAt, at start if initial.
	file     modelSettings
	taken    fileStamp
	fileErr  error
	onDisk   modelSettings
	onDiskAt time.Time
	initial  bool

	// asked is set while what the policy wants is loaded because somebody asked
	// for it, in loads: in explicit mode nothing else is, and what was refused is
	// tried again.
	asked bool
	loads []modelLoad
}

// version is one version folder, or one that is loaded without its folder.
type version struct {
	number int
	// onDisk says whether the folder was there when the directory was last
	// read, missing since when it is not; seen are its files since seenAt.
	onDisk  bool
	missing time.Time
	seen    stamp
	seenAt  time.Time
	initial stamp // files that were there at start
	// tried are the files about which a load has decided; early those that a
	// load found unfinished: their own times are not trusted any more.
	tried   stamp
	early   stamp
	job     *load
	refusal *refusal
	// kept is the generation of the set in which OnChange wanted this version
	// kept: it is not asked again before the set has changed.
	kept    uint64
	waiters []request
}

type refusal struct {
	code   Code
	err    error
	at     time.Time
	digest string
}

type answer struct {
	reply chan error
	err   error
}

func newOwner(r *Repository, ctx context.Context, w *fsnotify.Watcher) *owner {
	o := &owner{r: r, o: &r.o, log: r.o.Log, ctx: ctx, watcher: w, watched: map[string]fileID{}, files: map[string]modelSettings{},
		set: &Set{Models: map[string]*ModelSet{}}, models: map[string]*model{}, running: map[*load]bool{}}
	saved, err := readState(r.o.StateFile)
	if err != nil {
		o.log.Warn("decisions about models (pins, unloads, labels) could not be read and are forgotten", "error", err)
	}
	o.saved = saved
	o.undoAtStart(r.o.Undone)
	return o
}

// run is the owner's goroutine.
func (o *owner) run() {
	defer close(o.r.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	events, watchErrors := o.notifications()
	for {
		select {
		case <-o.ctx.Done():
			o.shutDown()
			return
		case req := <-o.r.requests:
			o.handle(req)
		case t := <-o.r.trees:
			o.onTree(t)
		case j := <-o.r.results:
			o.onResult(j)
		case <-o.r.nudges:
			o.scan()
		case <-events:
			// There may be thousands of these while a file is copied.
			o.wakeIn(o.o.Debounce)
			timer.Reset(o.sleep())
			continue
		case err := <-watchErrors:
			o.log.Debug("change notifications were lost", "error", err)
			o.wakeIn(o.o.Debounce)
		case <-timer.C:
			o.abandonLate()
			if !time.Now().Before(o.next) {
				o.scan()
			}
		}
		o.start()
		o.publish()
		o.tell()
		timer.Reset(o.sleep())
	}
}

func (o *owner) notifications() (<-chan fsnotify.Event, <-chan error) {
	if o.watcher == nil {
		return nil, nil
	}
	return o.watcher.Events, o.watcher.Errors
}

// wakeIn makes the next reading happen within d; changes that go on do not put
// it off.
func (o *owner) wakeIn(d time.Duration) {
	if at := time.Now().Add(d); at.Before(o.next) {
		o.next = at
	}
}

// sleep is the time until something is due.
func (o *owner) sleep() time.Duration {
	at := o.next
	for j := range o.running {
		if !j.abandoned && j.deadline.Before(at) {
			at = j.deadline
		}
	}
	return max(time.Until(at), time.Millisecond)
}

// scan reads the directory in a goroutine, one at a time.
func (o *owner) scan() {
	o.next = time.Now().Add(o.o.Poll)
	if o.scanning {
		o.rescan = true
		return
	}
	o.scanning = true
	o.readings++
	reading := o.readings
	go func() {
		t := readTree(o.o.Dir, o.o.MaxModels)
		t.reading = reading
		o.readModelFiles(t)
		o.watch(t)
		o.r.trees <- t
	}()
}

// start gives queued loads to free slots.
func (o *owner) start() {
	for len(o.queue) > 0 && len(o.running) < o.o.Parallel {
		j := o.queue[0]
		o.queue = o.queue[1:]
		// The loader's own time-out comes first; this one is for a loader that
		// does not heed it.
		j.deadline = time.Now().Add(o.o.LoadTimeout + o.o.LoadTimeout/10)
		o.running[j] = true
		go func() {
			j.run(o.ctx, o.r)
			o.r.results <- j
		}()
	}
}

// tell lets the callers go on, after publish has shown what they caused.
func (o *owner) tell() {
	for _, a := range o.answers {
		a.reply <- a.err
	}
	o.answers = o.answers[:0]
	if !o.started && o.tree != nil && len(o.queue) == 0 && len(o.running) == 0 {
		o.started = true
		close(o.r.started)
	}
}

// abandonLate gives up on loads that do not come back. Their slots stay taken.
func (o *owner) abandonLate() {
	for j := range o.running {
		if !j.abandoned && !time.Now().Before(j.deadline) {
			j.abandoned = true
			o.r.metrics.load(j.model, resultTimeout, 0)
			o.decided(&load{model: j.model, version: j.version, stamp: o.model(j.model).version(j.version).seen,
				err: fmt.Errorf("the loader has not returned: %w", context.DeadlineExceeded)})
		}
	}
}

// shutDown waits for everything that was started and closes what is loaded.
func (o *owner) shutDown() {
	if o.watcher != nil {
		o.watcher.Close()
	}
	for _, m := range o.models {
		for _, v := range m.versions {
			o.answer(v, fail(CodeClosed, m.name, v.number, "the repository is closing"))
		}
		for _, load := range m.loads {
			o.asking = append(o.asking, load.req)
		}
	}
	for _, req := range o.asking {
		o.reply(req, fail(CodeClosed, req.model, 0, "the repository is closing"))
	}
	o.tell()
	for o.scanning || len(o.running) > 0 {
		select {
		case <-o.r.trees:
			o.scanning = false
		case j := <-o.r.results:
			delete(o.running, j)
			if j.loaded != nil {
				j.loaded.Served.Close()
			}
		}
	}
	for _, m := range o.models {
		for _, l := range m.fresh {
			l.Served.Close()
		}
	}
	for _, m := range o.set.Models {
		for _, l := range m.Versions {
			l.Served.Close()
		}
	}
	o.set = &Set{Generation: o.set.Generation + 1, Models: map[string]*ModelSet{}}
	o.publish()
}
