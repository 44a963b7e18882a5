package store

import (
	"context"
	"database/sql"
	"errors"

	"busbar/internal/store/db"
)

var errProbe = errors.New("rolled back on purpose")

// ProbeAudit finds out whether the audit log can be written: it writes an entry
// and rolls it back. Whoever is about to change something asks first.
func (s *Store) ProbeAudit(ctx context.Context) error {
	const what = "probe audit log"
	select {
	case s.audit <- struct{}{}:
		defer func() { <-s.audit }()
	case <-ctx.Done():
		return fault(what, ctx.Err())
	}
	var failed error
	err := s.change(ctx, what, func(q *db.Queries, _ *sql.Tx) error {
		failed = appendAudit(ctx, q, AuditEntry{At: now(), Action: "probe"})
		return errProbe
	})
	switch {
	case failed != nil:
		return fault(what, failed)
	case errors.Is(err, errProbe):
		return nil
	default:
		return err
	}
}
