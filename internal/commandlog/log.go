package commandlog

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"busbar/internal/connector"
)

// Errors of a record that is not kept.
var (
	// ErrClosed is that of a log that was closed.
	ErrClosed = errors.New("command log: is closed")
	// ErrSlow says that the disk has not answered in time.
	ErrSlow = errors.New("command log: the disk does not answer")
	// ErrBacklog says that too much waits for the disk.
	ErrBacklog = errors.New("command log: too much waits for the disk")
)

// Log records commands. Its methods may be called from any goroutine.
type Log struct {
	log  *slog.Logger
	opts Options
	fs   FS

	reading chan struct{} // holds a token while the files are read

	work chan struct{} // a token: there is something in the queue
	stop chan struct{} // closed by Close
	done chan struct{} // closed when nothing more is written

	mu      sync.Mutex
	queue   []entry // not on disk, oldest first
	waiting int     // octets in the queue and of what is being written
	failed  error   // why nothing is kept at present; nil: it is
	closed  bool
	status  Status // but for what is told by the fields above

	store *store // of the goroutine in run
}

var _ connector.Recorder = (*Log)(nil)

// entry is a line on its way to the disk.
type entry struct {
	id    string
	line  []byte
	ended bool       // of the order
	kept  chan error // gets what became of it; nil: nobody waits
}

// Status is what an operator wants to know of a log.
type Status struct {
	Failed   error // why orders are refused; nil: their records are kept
	Waiting  int   // octets that wait for the disk
	Files    int
	Octets   int64  // of all files
	Records  uint64 // written and synced since Open
	Failures uint64 // writes and syncs that failed since Open
}

// Record implements [connector.Recorder]. It waits for the disk only for an
// order that has not been answered yet, and for at most [Options.Patience].
func (l *Log) Record(r connector.CommandRecord) error {
	text, err := encode(&r, time.Now())
	if err != nil {
		return fmt.Errorf("command log: %w", err)
	}
	e := entry{id: r.Order.ID, line: text, ended: r.Ended()}
	if !r.Select && r.Confirmation.Stage == 0 {
		e.kept = make(chan error, 1)
	}
	if err := l.enqueue(e); err != nil || e.kept == nil {
		return err
	}
	timer := time.NewTimer(l.opts.Patience)
	defer timer.Stop()
	select {
	case err := <-e.kept:
		return err
	case <-timer.C:
		return l.slow(e.kept)
	}
}

func (l *Log) enqueue(e entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return ErrClosed
	case e.kept != nil && l.failed != nil:
		return l.failed
	case l.waiting+len(e.line) > maxQueue:
		return ErrBacklog
	}
	l.queue = append(l.queue, e)
	l.waiting += len(e.line)
	select {
	case l.work <- struct{}{}:
	default:
	}
	return nil
}

// slow ends the wait for an entry. The log has failed until the disk answers.
func (l *Log) slow(kept <-chan error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case err := <-kept: // in this moment
		return err
	default:
		l.fail(ErrSlow)
		return ErrSlow
	}
}

// fail notes why nothing is kept. The caller holds mu.
func (l *Log) fail(err error) {
	if l.failed == nil {
		l.log.Warn("records of commands are not kept, so that orders are refused", "error", err)
	}
	l.failed = err
}

// run writes what is recorded until the log is closed.
func (l *Log) run() {
	defer close(l.done)
	for {
		work, again := l.work, (<-chan time.Time)(nil)
		if !l.keep() {
			work, again = nil, time.After(l.opts.Retry)
		}
		select {
		case <-work:
		case <-again:
		case <-l.stop:
			l.keep()
			l.store.leave()
			return
		}
	}
}

// keep writes all that is in the queue, and reports whether it was kept.
func (l *Log) keep() bool {
	for {
		l.mu.Lock()
		group := l.queue
		l.queue = nil
		l.mu.Unlock()
		if len(group) == 0 {
			return true
		}
		err := l.store.keep(group)
		l.settle(group, err)
		if err != nil {
			return false
		}
	}
}

// settle tells what became of a group. What nobody waits for is tried again.
func (l *Log) settle(group []entry, err error) {
	if err != nil {
		err = fmt.Errorf("command log: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var again []entry
	for _, e := range group {
		if e.kept != nil {
			e.kept <- err
		}
		if err != nil && e.kept == nil {
			again = append(again, e)
		} else {
			l.waiting -= len(e.line)
		}
	}
	l.queue = append(again, l.queue...)
	l.status.Files, l.status.Octets = len(l.store.files), l.store.octets()
	if err != nil {
		l.status.Failures++
		l.fail(err)
		return
	}
	l.status.Records += uint64(len(group))
	if l.failed != nil {
		l.failed = nil
		l.log.Info("records of commands are kept again")
	}
}

// Status returns the present status.
func (l *Log) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.status
	s.Failed, s.Waiting = l.failed, l.waiting
	return s
}

// Close writes what waits and closes the files. It fails if some of it is not
// kept, and after [Options.Patience] if the disk does not answer.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	l.mu.Unlock()
	close(l.stop)
	timer := time.NewTimer(l.opts.Patience)
	defer timer.Stop()
	select {
	case <-l.done:
	case <-timer.C:
		return ErrSlow
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.queue); n > 0 {
		return fmt.Errorf("%d records of commands are lost: %w", n, l.failed)
	}
	return nil
}
