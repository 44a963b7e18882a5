package store

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/pressly/goose/v3"

	"busbar/internal/plantdoc"
	"busbar/internal/store/db"
)

// Where a change came from.
const (
	OriginFile = "file"
	OriginAPI  = "api"
	OriginUI   = "ui"
	OriginCLI  = "cli"
)

// Revision is one change of the plant.
type Revision struct {
	Number  int64 // from 1 without gaps; 0: nothing was ever stored
	Author  string
	Comment string
	Origin  string // file, api, ui or cli
	At      time.Time
	Changes int // how many objects it changed
}

// Head returns the newest revision, number 0 if nothing was ever stored.
func (s *Store) Head(ctx context.Context) (Revision, error) {
	r, err := head(ctx, db.New(s.read))
	return r, fault("read revision", err)
}

func head(ctx context.Context, q *db.Queries) (Revision, error) {
	r, err := q.Head(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return Revision{}, nil
	}
	return revisionOf(r), err
}

// Revision returns the revision with the given number.
func (s *Store) Revision(ctx context.Context, number int64) (Revision, error) {
	r, err := db.New(s.read).Revision(ctx, number)
	return revisionOf(r), fault("read revision", err)
}

// Revisions returns at most limit revisions, newest first, before the given
// number; before 0: from the newest on.
func (s *Store) Revisions(ctx context.Context, before int64, limit int) ([]Revision, error) {
	if before <= 0 {
		before = math.MaxInt64
	}
	rows, err := db.New(s.read).Revisions(ctx, db.RevisionsParams{Below: before, Most: most(limit)})
	if err != nil {
		return nil, fault("read revisions", err)
	}
	list := make([]Revision, len(rows))
	for i, r := range rows {
		list[i] = revisionOf(r)
	}
	return list, nil
}

// Comment replaces the comment of a revision.
func (s *Store) Comment(ctx context.Context, number int64, text string) error {
	n, err := s.writer().SetComment(ctx, db.SetCommentParams{Comment: clean(text), Number: number})
	return touched("comment on revision", n, err)
}

// Changes returns what a revision changed, in order of the plant file.
func (s *Store) Changes(ctx context.Context, number int64) ([]plantdoc.Change, error) {
	var list []plantdoc.Change
	err := s.view(ctx, "read changes", func(q *db.Queries, tx *sql.Tx) error {
		r, err := q.Revision(ctx, number)
		if err != nil {
			return err
		}
		list = make([]plantdoc.Change, 0, r.Changes)
		return eachChange(ctx, tx, number, number, func(c plantdoc.Change) { list = append(list, c) })
	})
	slices.SortFunc(list, func(a, b plantdoc.Change) int {
		return plantdoc.Compare(plantdoc.Object{Section: a.Section, ID: a.ID}, plantdoc.Object{Section: b.Section, ID: b.ID})
	})
	return list, err
}

// eachChange calls do with every change of the revisions from first to last, those of a
// revision after those of the one before. It is no generated query, which would return them all at once.
func eachChange(ctx context.Context, tx *sql.Tx, first, last int64, do func(plantdoc.Change)) (err error) {
	const query = "SELECT section, id, before, after FROM changes WHERE revision BETWEEN $1 AND $2 ORDER BY revision, section, id"
	rows, err := tx.QueryContext(ctx, query, first, last)
	if err != nil {
		return err
	}
	defer func() {
		if failed := rows.Close(); err == nil {
			err = failed
		}
	}()
	for rows.Next() {
		var c plantdoc.Change
		if err := rows.Scan((*string)(&c.Section), &c.ID, &c.Before, &c.After); err != nil {
			return err
		}
		do(c)
	}
	return rows.Err()
}

func revisionOf(r db.Revision) Revision {
	return Revision{
		Number: r.Number, Author: r.Author, Comment: r.Comment, Origin: r.Origin, At: instant(r.At), Changes: int(r.Changes),
	}
}

// most returns a limit of rows; 0 and less is none.
func most(limit int) int32 {
	if limit <= 0 || limit > math.MaxInt32 {
		return math.MaxInt32
	}
	return int32(limit)
}

// touched returns the error of a statement that was to change something.
func touched(what string, rows int64, err error) error {
	if err == nil && rows == 0 {
		err = sql.ErrNoRows
	}
	return fault(what, err)
}

// Settled returns the newest revision, as Head does, but waits first for every commit that is under way, also one
// whose connection was lost: PostgreSQL may still bring that to its end.
func (s *Store) Settled(ctx context.Context) (r Revision, err error) {
	if s.dialect != goose.DialectPostgres {
		return s.Head(ctx) // what has failed has ended
	}
	err = s.change(ctx, "read newest revision", func(q *db.Queries, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "SET LOCAL lock_timeout = '5s'; LOCK TABLE revisions IN SHARE MODE"); err != nil {
			return err
		}
		r, err = head(ctx, q)
		return err
	})
	return r, err
}
