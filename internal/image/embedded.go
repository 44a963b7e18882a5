package image

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"busbar/internal/image/journal"
	"busbar/internal/point"
)

// patience is how long Publish waits for a disk that is behind.
const patience = 5 * time.Second

// Embedded is the process image of a single process: all that Memory has, and a
// journal from which the next process goes on. It holds every change in memory
// before it is on disk; only committed waits for the disk.
type Embedded struct {
	*Memory
	keeper *keeper
	limit  int64

	sectionSize int           // of checkpoints, in octets
	writing     sync.Mutex    // held by the checkpoint that is written
	editing     sync.Mutex    // held by the change of an overlay, until it is kept
	stop        chan struct{} // closed by Close
	tasks       sync.WaitGroup
	once        sync.Once
	ended       error // of Close
}

var _ Image = (*Embedded)(nil)

// Open opens the image that is kept in a directory, which may be empty, for
// this process alone. The states and what the gates remember are those of the
// last process; they belong to ids, and stay until Define says which there are.
//
// It fails if another process has the directory (journal.ErrLocked) or it
// cannot be read or written. What is damaged does not make it fail; it is in
// the log and in Status.
func Open(fs journal.FS, opts Options) (*Embedded, error) {
	e := &Embedded{Memory: New(opts), keeper: &keeper{log: opts.Logger}, sectionSize: sectionSize, stop: make(chan struct{})}
	if e.keeper.log == nil {
		e.keeper.log = slog.New(slog.DiscardHandler)
	}
	j, err := journal.Open(fs, journal.Options{
		Limit: opts.Limit, Segment: opts.Segment, Pending: opts.Pending, Preallocate: opts.Preallocate,
		Log: e.keeper.log, Settled: e.settled, Damaged: func(journal.Damage) { e.keeper.damaged.Add(1) },
	})
	if err != nil {
		return nil, err
	}
	e.keeper.journal = j
	if err := e.recover(); err != nil {
		return nil, errors.Join(fmt.Errorf("image: %w", err), j.Close())
	}
	e.limit = j.Status().Limit
	e.Memory.keeper = e.keeper
	e.tasks.Go(e.upkeep)
	return e, nil
}

// Publish implements [Image]. It waits, up to 5 s and until ctx ends, while more
// waits for the disk than Options.Pending. A batch that the journal does not take
// changes nothing.
func (e *Embedded) Publish(ctx context.Context, batch []point.Update, committed func(error)) error {
	err := e.publish(batch, committed)
	if errors.Is(err, journal.ErrBusy) {
		err = e.publishLater(ctx, batch, committed)
	}
	if err != nil && committed != nil {
		committed(err)
	}
	return err
}

// publish is Publish, but for the call of committed when it fails.
func (e *Embedded) publish(batch []point.Update, committed func(error)) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return ErrClosed
	}
	e.keeper.forget()
	if err := e.keeper.journal.Admit(len(batch), e.most(batch)); err != nil {
		return err
	}
	before := e.log.next - 1
	e.takeAll(batch)
	err := e.keeper.flush(committed)
	if err != nil {
		e.refuse(before)
	}
	return err
}

// most returns how many octets of payload a batch makes at most.
func (e *Embedded) most(batch []point.Update) int64 {
	n := int64(len(batch)) * recordSize
	for i := range batch {
		switch u := &batch[i]; {
		case u.Flags&point.KeepValue != 0:
			n += int64(len(e.texts[u.Point]))
		case u.Value.Type() == point.Text:
			n += int64(min(len(u.Value.Text()), MaxText))
		}
	}
	return n
}

// publishLater publishes when the disk has caught up.
func (e *Embedded) publishLater(ctx context.Context, batch []point.Update, committed func(error)) error {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		news := e.keeper.news.wait()
		err := e.publish(batch, committed)
		if !errors.Is(err, journal.ErrBusy) {
			return err
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		case <-timeout.C:
			return err
		}
	}
}

// refuse undoes what cannot be undone in the states after a change: what was
// published since will come again from its sources, and is then neither late
// nor seen before by a gate.
func (e *Embedded) refuse(after uint64) {
	e.keeper.refused.Add(1)
	for p := range e.cells {
		if c := &e.cells[p]; c.seq > after {
			c.refused = true
			e.gates.reset(point.Index(p))
		}
	}
	for _, o := range e.overlays {
		if o.under.seq > after {
			o.under.refused = true
		}
	}
}

// settled is called by the journal when the fate of more records is known.
func (e *Embedded) settled(_ uint64, err error) {
	if err != nil && !errors.Is(err, journal.ErrFailed) {
		e.mu.Lock()
		e.refuse(e.keeper.journal.Committed())
		e.mu.Unlock()
	}
	if e.keeper.behind.Swap(false) {
		e.mu.RLock()
		for _, f := range e.every {
			f.wakeUp()
		}
		e.mu.RUnlock()
	}
	e.keeper.news.tell()
}

// Define implements [Image]. It returns when new definitions are on disk, or
// cannot be for now.
func (e *Embedded) Define(defs []Definition) []point.Index {
	indices := e.Memory.Define(defs)
	e.mu.Lock()
	wait := e.keeper.defined
	e.keeper.defined = false
	e.mu.Unlock()
	if wait {
		kept := make(chan struct{})
		if e.keeper.journal.Append(nil, func(error) { close(kept) }) == nil {
			<-kept
		}
	}
	return indices
}

// Status implements [Image].
func (e *Embedded) Status() Status {
	j := e.keeper.journal.Status()
	s := Status{
		Accepting: j.State == journal.Accepting, Failed: j.State == journal.Failed, Pending: j.Queued, Lag: j.Lag,
		Used: j.Used, Limit: j.Limit, Damaged: e.keeper.damaged.Load(),
	}
	if j.Cause != nil {
		s.Reason = j.Cause.Error()
	}
	return s
}

// SaveCursor implements [Image].
func (e *Embedded) SaveCursor(name string, pos Position) error {
	if err := e.keeper.journal.SaveCursor(name, journal.Position(pos)); err != nil {
		return closedError(err)
	}
	return nil
}

// DropCursor implements [Image].
func (e *Embedded) DropCursor(name string) { e.keeper.journal.DropCursor(name) }

// Cursors implements [Image].
func (e *Embedded) Cursors() map[string]Position {
	cursors := make(map[string]Position)
	for name, pos := range e.keeper.journal.Cursors() {
		cursors[name] = Position(pos)
	}
	return cursors
}

// Close accepts no more changes, writes down what there is and closes the image
// and its followers. It may be called more than once.
func (e *Embedded) Close() error {
	e.once.Do(func() {
		e.Memory.Close()
		close(e.stop)
		e.tasks.Wait()
		e.ended = errors.Join(e.lastCheckpoint(), e.keeper.journal.Close())
	})
	return e.ended
}

// closedError gives the error of a closed journal the name that callers know.
func closedError(err error) error {
	if errors.Is(err, journal.ErrClosed) {
		return ErrClosed
	}
	return err
}
