package api

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"busbar/internal/store"
)

// Audit keeps the audit log.
type Audit interface {
	// AddAudit appends an entry.
	AddAudit(ctx context.Context, e store.AuditEntry) error
	// ProbeAudit finds out whether AddAudit would fail.
	ProbeAudit(ctx context.Context) error
	// Audit returns at most limit entries, newest first.
	Audit(ctx context.Context, f store.AuditFilter, limit int) ([]store.AuditEntry, error)
}

const (
	auditTimeout = 5 * time.Second  // longest time that writing an entry may take
	auditProven  = 10 * time.Second // how long it is believed that the log can be written, once it was
	auditWaiting = 10_000           // most entries that wait for a log that cannot be written
)

// auditor writes the audit log. Nothing may be changed while the log cannot be
// written: who is about to change something asks ready, and is refused. What was
// under way when writing failed waits in memory, is in the log of the process,
// and is written before anything else once that works again.
type auditor struct {
	log  *slog.Logger
	keep Audit // nil: nothing is audited

	writing sync.Mutex // held while the log is written, in order

	mu      sync.Mutex // guards what follows
	waiting []store.AuditEntry
	proven  time.Time // when the log was last written; zero: it cannot be
}

// ready returns why nothing can be audited; nil if it can.
func (a *auditor) ready(ctx context.Context) error {
	if a.keep == nil {
		return nil
	}
	a.mu.Lock()
	proven := time.Since(a.proven) < auditProven
	a.mu.Unlock()
	if proven {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, auditTimeout)
	defer cancel()
	a.writing.Lock()
	defer a.writing.Unlock()
	if err := a.flush(ctx); err != nil {
		return err
	}
	err := a.keep.ProbeAudit(ctx)
	a.note(err)
	return err
}

// add writes an entry, or keeps it until it can be written.
func (a *auditor) add(ctx context.Context, e store.AuditEntry) {
	if a.keep == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, auditTimeout)
	defer cancel()
	a.mu.Lock()
	a.waiting = append(a.waiting, e)
	if excess := len(a.waiting) - auditWaiting; excess > 0 {
		a.waiting = a.waiting[excess:]
	}
	a.mu.Unlock()
	a.writing.Lock()
	defer a.writing.Unlock()
	if err := a.flush(ctx); err != nil {
		a.log.Error("audit log cannot be written, the entry waits", "actor", e.Actor, "actor_id", e.ActorID, "address", e.Address,
			"action", e.Action, "object", e.Object, "result", e.Result, "detail", e.Detail, "error", err)
	}
}

// flush writes what waits, oldest first.
func (a *auditor) flush(ctx context.Context) error {
	for {
		a.mu.Lock()
		if len(a.waiting) == 0 {
			a.mu.Unlock()
			return nil
		}
		next := a.waiting[0]
		a.waiting = a.waiting[1:]
		a.mu.Unlock()
		err := a.keep.AddAudit(ctx, next)
		a.note(err)
		if err != nil {
			a.mu.Lock()
			a.waiting = append([]store.AuditEntry{next}, a.waiting...)
			a.mu.Unlock()
			return err
		}
	}
}

// note remembers whether the log could be written.
func (a *auditor) note(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.proven = time.Now(); err != nil {
		a.proven = time.Time{}
	}
}
