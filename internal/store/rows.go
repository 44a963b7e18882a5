package store

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"

	"busbar/internal/plantdoc"
)

// batch is how many rows one statement writes: a statement for each row would
// cost a round trip to PostgreSQL, and both databases limit the parameters of one (SQLite to 32,766).
const batch = 200

// bulk writes many rows in a transaction.
type bulk struct {
	tx *sql.Tx
	// numbered placeholders are those of PostgreSQL. SQLite takes them too, but searches them by
	// name, which is slow when there are many.
	numbered bool
}

func (s *Store) bulk(tx *sql.Tx) bulk { return bulk{tx, s.dialect == goose.DialectPostgres} }

// placeholders writes n of them, the first of which has the given number.
func (w bulk) placeholders(b *strings.Builder, first, n int) {
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		if w.numbered {
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(first + i))
		} else {
			b.WriteByte('?')
		}
	}
}

// insertion is a statement that inserts many rows.
type insertion struct {
	head    string // INSERT INTO … VALUES
	columns int
	tail    string // ON CONFLICT …
}

// insert inserts n rows; row appends the values of row i to args.
func (w bulk) insert(ctx context.Context, in insertion, n int, row func(i int, args []any) []any) error {
	text := func(n int) string {
		var b strings.Builder
		b.WriteString(in.head)
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteByte('(')
			w.placeholders(&b, i*in.columns+1, in.columns)
			b.WriteByte(')')
		}
		b.WriteString(in.tail)
		return b.String()
	}
	args := make([]any, 0, min(n, batch)*in.columns)
	return w.batches(ctx, n, text, func(from, to int, exec func([]any) (sql.Result, error)) error {
		args = args[:0]
		for i := from; i < to; i++ {
			args = row(i, args)
		}
		_, err := exec(args)
		return err
	})
}

// batches calls do for every batch of n rows with a function that runs the
// statement for that many; the one for whole batches is prepared once.
func (w bulk) batches(ctx context.Context, n int, text func(n int) string,
	do func(from, to int, exec func([]any) (sql.Result, error)) error) (err error) {
	var whole *sql.Stmt
	if n >= batch {
		if whole, err = w.tx.PrepareContext(ctx, text(batch)); err != nil {
			return err
		}
		defer func() {
			if failed := whole.Close(); err == nil {
				err = failed
			}
		}()
	}
	for from := 0; from < n; from += batch {
		to := min(from+batch, n)
		exec := func(args []any) (sql.Result, error) { return whole.ExecContext(ctx, args...) }
		if to-from < batch {
			exec = func(args []any) (sql.Result, error) { return w.tx.ExecContext(ctx, text(to-from), args...) }
		}
		if err := do(from, to, exec); err != nil {
			return err
		}
	}
	return nil
}

// removeObjects removes objects of a section, which must all be there.
func (w bulk) removeObjects(ctx context.Context, section plantdoc.Section, ids []string) error {
	text := func(n int) string {
		var b strings.Builder
		b.WriteString("DELETE FROM objects WHERE section = ")
		w.placeholders(&b, 1, 1)
		b.WriteString(" AND id IN (")
		w.placeholders(&b, 2, n)
		b.WriteByte(')')
		return b.String()
	}
	return w.batches(ctx, len(ids), text, func(from, to int, exec func([]any) (sql.Result, error)) error {
		args := append(make([]any, 0, batch+1), string(section))
		for _, id := range ids[from:to] {
			args = append(args, id)
		}
		result, err := exec(args)
		if err != nil {
			return err
		}
		gone, err := result.RowsAffected()
		if err == nil && gone != int64(to-from) {
			err = fmt.Errorf("%w: %d of %d %s to remove are not there", ErrConflict, int64(to-from)-gone, to-from, section)
		}
		return err
	})
}
