package experiments

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"time"

	"hotpath/models/strictyaml"
)

// fileAuthor is who changes the file without us.
const fileAuthor = "edit of the file"

// Watch reads the file again when it changed, and it and the model repository when
// asked, until ctx ends. The content is compared, not the time of the change, so
// that a file replaced by rename, through a symbolic link or in place is seen alike.
func (k *Keeper) Watch(ctx context.Context, ask <-chan struct{}) {
	var sampling sync.WaitGroup
	sampling.Go(func() { k.sample.refill(ctx) })
	defer sampling.Wait()
	tick := time.NewTicker(k.o.ReloadInterval)
	defer tick.Stop()
	for {
		force := false
		select {
		case <-ctx.Done():
			return
		case <-ask:
			force = true
			if k.o.Rescan != nil {
				k.o.Rescan()
			}
		case <-tick.C:
		}
		if k.o.File != "" {
			// The outcome is logged and kept for whoever looks.
			_ = k.Reload(ctx, force)
		}
	}
}

// Reload makes the file's experiments serve, with the holds on them. Without force
// it does nothing when both are as they were. The error says why it was refused.
func (k *Keeper) Reload(ctx context.Context, force bool) error {
	if k.o.File == "" {
		return k.noFile()
	}
	if err := k.beginEdit(ctx); err != nil {
		return err
	}
	defer k.endEdit()
	if k.holds.changed() {
		k.o.Log.Info("holds on experiments were changed by another gateway", "holds", len(k.holds.list()))
		k.hold(k.holds.list())
	}
	began := time.Now()
	src, changed, err := k.look(force)
	if !changed {
		k.settle()
		return k.tried.Load().err
	}
	k.tried.Store(&attempt{source: src, at: time.Now(), err: err})
	switch {
	case err == nil:
		err = k.apply(ctx, src, Author{Who: fileAuthor, Via: ViaFile}, func() { k.took.Observe(time.Since(began).Seconds()) })
	case k.o.World.State().Started: // before that, what waits is what the gateway starts with
		k.o.World.KeepPlan()
		k.pending = nil
	}
	if err != nil {
		k.took.Observe(time.Since(began).Seconds())
	}
	k.report(err)
	return err
}

// swaps is how often a reading begins again because the directory of the file was
// replaced meanwhile, as those of ConfigMaps are.
const swaps = 10

// look reads the file and its list files. They are unchanged if they are as they were
// when looked at last, and nobody forces it.
func (k *Keeper) look(force bool) (src *source, changed bool, err error) {
	for range swaps {
		target := behindLinks(k.o.File)
		if s, other, e := k.lookOnce(target, force && !changed); other {
			src, changed, err = s, true, e
		}
		if behindLinks(k.o.File) == target {
			break
		}
	}
	return src, changed, err
}

func (k *Keeper) lookOnce(target string, force bool) (src *source, changed bool, err error) {
	data, err := strictyaml.ReadFile(target)
	if err != nil {
		// The failure itself is marked as seen, so that it is reported once.
		changed = force || k.seen.etag != err.Error()
		k.seen = seen{etag: err.Error()}
		return nil, changed, err
	}
	dir := filepath.Dir(target)
	lists := k.read.lists.read(dir, k.seen.files, force)
	if !force && ETag(data) == k.seen.etag && lists.state == k.seen.lists {
		k.read.lists.keep(lists.files)
		return nil, false, nil
	}
	src, err = k.read.read(k.o.File, dir, data)
	k.saw(data, src)
	if err != nil {
		src = nil
	}
	return src, true, err
}

// saw notes what a file held; nothing is known of its lists without a source.
func (k *Keeper) saw(data []byte, src *source) {
	k.seen = seen{etag: ETag(data)}
	if src != nil {
		k.seen.files, k.seen.lists = src.config.ListFiles, src.lists.state
		k.read.lists.keep(src.lists.files)
	}
}

// apply makes a source serve with the holds on it, after loading the model versions
// that it names and that are not loaded. It calls served when it does, before the
// history is written.
func (k *Keeper) apply(ctx context.Context, src *source, author Author, served func()) error {
	plan, err := src.held(k.holds.list())
	if err != nil {
		return err
	}
	k.settle()
	c := &candidate{src, plan, author} // its plan changes with the holds
	k.pending = c
	if k.o.World.SetPlan(plan) == nil {
		served()
		k.settle()
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	var failed []error
	k.lend(func() {
		for _, ref := range k.o.World.Missing(plan) {
			if err := k.o.Load(ctx, ref.Model, ref.Version); err != nil {
				failed = append(failed, err)
			}
		}
	})
	if err := k.o.World.SetPlan(c.plan); err != nil {
		return errors.Join(append([]error{src.located(err)}, failed...)...)
	}
	served()
	k.settle()
	return nil
}

// settle notes that the world took what it was given: at once, or when the models
// arrived. The history is last: a slow disk must not keep the plan from those who
// follow it.
func (k *Keeper) settle() {
	plan := k.o.World.State().Plan
	taken := k.pending != nil && k.pending.plan == plan
	if taken {
		k.serves, k.pending = k.pending, nil
	}
	if k.serves != nil && k.serves.plan == plan {
		k.tell(plan)
	}
	if taken {
		k.record(k.serves)
	}
}

// record makes a revision of what serves, unless it is the newest already. A save
// writes its own.
func (k *Keeper) record(c *candidate) {
	if c.author.Via == ViaAPI || c.author.Via == ViaRestore {
		return
	}
	if _, err := k.history.add(revisionOf(c), c.source.text); err != nil {
		k.o.Log.Error("the history of the experiments cannot be written", "dir", k.history.dir, "error", err)
	}
}

func revisionOf(c *candidate) Revision {
	return Revision{At: time.Now().UTC(), Who: c.author.Who, Via: c.author.Via, Message: c.author.Message, ETag: c.source.etag, Digest: c.plan.Digest().String(), Lists: c.source.lists.revision()}
}

func (k *Keeper) report(err error) {
	if err != nil {
		k.reloads.WithLabelValues(reloadRefused).Inc()
		k.o.Log.Error("experiments refused; those before go on serving", "file", k.o.File, "error", err)
		return
	}
	k.reloads.WithLabelValues(reloadOK).Inc()
	k.o.Log.Info("experiments serve", "file", k.o.File, "digest", k.o.World.State().Plan.Digest().String())
}

// Last says when the file was tried last, and why it does not serve; nil when it does.
func (k *Keeper) Last() (at time.Time, err error) {
	tried := k.tried.Load()
	if tried.source == nil {
		return tried.at, tried.err
	}
	return tried.at, tried.source.located(k.o.World.State().PlanErr)
}
