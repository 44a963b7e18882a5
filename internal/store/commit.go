package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"busbar/internal/plantdoc"
	"busbar/internal/store/db"
)

// Commit stores changes as the revision after base, with the author, comment
// and origin of r, and returns that revision; changes that change nothing are
// left out.
//
// It fails with [ErrConflict], and nothing is stored, if base is not the newest revision, if an
// object that is new in changes is there, or one that goes is not. apply is called when everything
// is written and only the end of the transaction is missing: its error stops that, and is
// returned. If the end itself fails, which a full disk or a lost database can do, apply was called and
// nothing is stored. apply may read the store, which is still as it was at base; writing would wait for
// ever. nil calls nothing.
func (s *Store) Commit(ctx context.Context, base int64, r Revision, changes []plantdoc.Change, apply func() error) (Revision, error) {
	return s.CommitSecrets(ctx, base, r, changes, nil, apply)
}

// CommitSecrets is [Store.Commit] that sets secrets as well, by name: both are stored, or nothing is. If
// there are secrets but no changes, there is no new revision either, and the newest one is returned.
func (s *Store) CommitSecrets(
	ctx context.Context, base int64, r Revision, changes []plantdoc.Change, secrets map[string]string, apply func() error,
) (Revision, error) {
	changes, err := ordered(changes)
	if err != nil {
		return Revision{}, fault("commit", err)
	}
	sealed, err := s.seal(secrets)
	if err != nil {
		return Revision{}, fault("commit", err)
	}
	r.Number, r.At, r.Changes = base+1, now(), len(changes)
	r.Author, r.Comment = clean(r.Author), clean(r.Comment)
	author := r.Author
	err = s.change(ctx, "commit", func(q *db.Queries, tx *sql.Tx) error {
		have, err := head(ctx, q)
		if err != nil {
			return err
		}
		if have.Number != base {
			return fmt.Errorf("%w: the plant is at revision %d, not %d", ErrConflict, have.Number, base)
		}
		if len(changes) == 0 && len(secrets) > 0 {
			r = have
		} else if err := writeRevision(ctx, q, s.bulk(tx), r, changes); err != nil {
			return err
		}
		if err := putSecrets(ctx, q, sealed, author); err != nil {
			return err
		}
		if apply == nil {
			return nil
		}
		return apply()
	})
	if err != nil {
		return Revision{}, err
	}
	return r, nil
}

// ordered returns the changes that change something, in order of the plant file.
func ordered(changes []plantdoc.Change) ([]plantdoc.Change, error) {
	order := func(a, b plantdoc.Change) int {
		return cmp.Or(strings.Compare(string(a.Section), string(b.Section)), strings.Compare(a.ID, b.ID))
	}
	if slices.ContainsFunc(changes, plantdoc.Change.None) || !slices.IsSortedFunc(changes, order) {
		changes = slices.DeleteFunc(slices.Clone(changes), plantdoc.Change.None)
		slices.SortFunc(changes, order)
	}
	for i := range changes {
		if !slices.Contains(plantdoc.Sections(), changes[i].Section) {
			return nil, fmt.Errorf("there is no section %q", changes[i].Section)
		}
		if i > 0 && order(changes[i-1], changes[i]) == 0 {
			return nil, fmt.Errorf("%s %s changes twice", changes[i].Section, changes[i].ID)
		}
	}
	return changes, nil
}

func writeRevision(ctx context.Context, q *db.Queries, w bulk, r Revision, changes []plantdoc.Change) error {
	err := q.AddRevision(ctx, db.AddRevisionParams{
		Number: r.Number, Author: r.Author, Comment: r.Comment, Origin: r.Origin, At: millis(r.At), Changes: int64(r.Changes),
	})
	if err != nil {
		return err
	}
	if err := writeChanges(ctx, w, r.Number, changes); err != nil {
		return err
	}
	if err := writeObjects(ctx, w, r.Number, changes); err != nil {
		return err
	}
	if r.Number%snapshotEvery == 0 {
		return writeSnapshot(ctx, q, r.Number)
	}
	return nil
}

func writeChanges(ctx context.Context, w bulk, number int64, changes []plantdoc.Change) error {
	rows := insertion{head: "INSERT INTO changes (revision, section, id, before, after) VALUES ", columns: 5}
	return w.insert(ctx, rows, len(changes), func(i int, args []any) []any {
		c := &changes[i]
		return append(args, number, string(c.Section), c.ID, nullable(c.Before), nullable(c.After))
	})
}

// writeObjects brings the objects to what changes say.
func writeObjects(ctx context.Context, w bulk, number int64, changes []plantdoc.Change) error {
	var added, changed []int
	removed := make(map[plantdoc.Section][]string)
	for i := range changes {
		switch c := &changes[i]; {
		case c.After == nil:
			removed[c.Section] = append(removed[c.Section], c.ID)
		case c.Before == nil:
			added = append(added, i)
		default:
			changed = append(changed, i)
		}
	}
	for _, section := range plantdoc.Sections() {
		if err := w.removeObjects(ctx, section, removed[section]); err != nil {
			return err
		}
	}
	const head = "INSERT INTO objects (section, id, body, revision) VALUES "
	put := func(rows insertion, which []int) error {
		return w.insert(ctx, rows, len(which), func(i int, args []any) []any {
			c := &changes[which[i]]
			return append(args, string(c.Section), c.ID, string(c.After), number)
		})
	}
	if err := put(insertion{head: head, columns: 4}, added); err != nil {
		return err
	}
	const over = " ON CONFLICT (section, id) DO UPDATE SET body = excluded.body, revision = excluded.revision"
	return put(insertion{head: head, columns: 4, tail: over}, changed)
}

func nullable(body []byte) any {
	if body == nil {
		return nil
	}
	return string(body)
}
