package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"busbar/internal/store/db"
)

// AuditEntry is one thing that somebody did, or tried to.
type AuditEntry struct {
	ID      int64     // from 1 without gaps
	At      time.Time // zero in AddAudit: now
	Actor   string    // a name
	ActorID string
	Address string // where the request came from
	Action  string // id of the operation, or such as "auth.login"
	Object  string // what it was done to
	Result  string // ok, refused or failed
	Detail  string
	Before  string // JSON; empty: nothing
	After   string // JSON; empty: nothing
}

// AuditFilter says which entries are wanted; what is empty or zero is no limit.
type AuditFilter struct {
	Actor, Action, Object string
	From, To              time.Time // from, inclusive, until, exclusive
	Before                int64     // entries with smaller ids
}

// AddAudit appends an entry, which nothing changes or removes any more: each
// holds the hash of the one before it.
func (s *Store) AddAudit(ctx context.Context, e AuditEntry) error {
	select { // entries of this process wait for each other, not for a conflict
	case s.audit <- struct{}{}:
		defer func() { <-s.audit }()
	case <-ctx.Done():
		return fault("add to audit log", ctx.Err())
	}
	if e.At.IsZero() {
		e.At = now()
	}
	for tries := 0; ; tries++ {
		err := s.change(ctx, "add to audit log", func(q *db.Queries, _ *sql.Tx) error { return appendAudit(ctx, q, e) })
		if tries == 10 || !errors.Is(err, ErrConflict) { // another process was faster
			return err
		}
	}
}

func appendAudit(ctx context.Context, q *db.Queries, e AuditEntry) error {
	last, err := q.LastAudit(ctx)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	row := db.Audit{
		ID: last.ID + 1, At: millis(e.At), Actor: clean(e.Actor), ActorID: clean(e.ActorID), Address: clean(e.Address),
		Action: clean(e.Action), Object: clean(e.Object), Result: clean(e.Result), Detail: clean(e.Detail),
		Before: clean(e.Before), After: clean(e.After),
	}
	row.Hash = auditHash(last.Hash, row)
	return q.AddAudit(ctx, db.AddAuditParams(row))
}

// auditHash returns the hash of an entry that follows the one with hash before.
func auditHash(before []byte, r db.Audit) []byte {
	data := binary.BigEndian.AppendUint64(bytes.Clone(before), uint64(r.ID))
	data = binary.BigEndian.AppendUint64(data, uint64(r.At))
	for _, text := range []string{r.Actor, r.ActorID, r.Address, r.Action, r.Object, r.Result, r.Detail, r.Before, r.After} {
		data = append(binary.BigEndian.AppendUint64(data, uint64(len(text))), text...)
	}
	sum := sha256.Sum256(data)
	return sum[:]
}

// Audit returns at most limit entries, newest first; limit 0: all.
func (s *Store) Audit(ctx context.Context, f AuditFilter, limit int) ([]AuditEntry, error) {
	p := db.AuditParams{
		Below: f.Before, Actor: f.Actor, Action: f.Action, Object: f.Object,
		Since: millis(f.From), Until: millis(f.To), Most: most(limit),
	}
	if p.Below <= 0 {
		p.Below = math.MaxInt64
	}
	if f.To.IsZero() {
		p.Until = math.MaxInt64
	}
	rows, err := db.New(s.read).Audit(ctx, p)
	if err != nil {
		return nil, fault("read audit log", err)
	}
	list := make([]AuditEntry, len(rows))
	for i, r := range rows {
		list[i] = AuditEntry{
			ID: r.ID, At: instant(r.At), Actor: r.Actor, ActorID: r.ActorID, Address: r.Address, Action: r.Action,
			Object: r.Object, Result: r.Result, Detail: r.Detail, Before: r.Before, After: r.After,
		}
	}
	return list, nil
}

// VerifyAudit checks the whole audit log and returns how many entries it has.
// It fails with [ErrDamaged], naming the first entry that is not as it was
// written, or that is missing before another. Removing the newest entries leaves no trace.
func (s *Store) VerifyAudit(ctx context.Context) (entries int64, err error) {
	err = s.view(ctx, "verify audit log", func(q *db.Queries, _ *sql.Tx) error {
		var hash []byte
		for {
			rows, err := q.AuditUp(ctx, db.AuditUpParams{Beyond: entries, Most: page})
			if err != nil || len(rows) == 0 {
				return err
			}
			for _, r := range rows {
				if r.ID != entries+1 || !bytes.Equal(r.Hash, auditHash(hash, r)) {
					return fmt.Errorf("%w at entry %d", ErrDamaged, entries+1)
				}
				entries, hash = r.ID, r.Hash
			}
		}
	})
	return entries, err
}
