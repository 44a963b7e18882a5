package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"busbar/internal/plantdoc"
)

// batch is how many rows one statement writes: a statement for each row would
// cost a round trip to PostgreSQL, and both databases limit the parameters of one (SQLite to 32,766).
const batch = 500

// insertion is a statement that inserts many rows.
type insertion struct {
	head    string // INSERT INTO … VALUES
	columns int
	tail    string // ON CONFLICT …
}

// text returns the statement for n rows.
func (in insertion) text(n int) string {
	var b strings.Builder
	b.WriteString(in.head)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('(')
		placeholders(&b, i*in.columns+1, in.columns)
		b.WriteByte(')')
	}
	b.WriteString(in.tail)
	return b.String()
}

// placeholders writes n of them, from number first on.
func placeholders(b *strings.Builder, first, n int) {
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(first + i))
	}
}

// run inserts n rows; row appends the values of row i to args.
func (in insertion) run(ctx context.Context, tx *sql.Tx, n int, row func(i int, args []any) []any) error {
	args := make([]any, 0, min(n, batch)*in.columns)
	return batches(ctx, tx, n, in.text, func(from, to int, exec func([]any) (sql.Result, error)) error {
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
func batches(ctx context.Context, tx *sql.Tx, n int, text func(n int) string,
	do func(from, to int, exec func([]any) (sql.Result, error)) error) (err error) {
	var whole *sql.Stmt
	if n >= batch {
		if whole, err = tx.PrepareContext(ctx, text(batch)); err != nil {
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
			exec = func(args []any) (sql.Result, error) { return tx.ExecContext(ctx, text(to-from), args...) }
		}
		if err := do(from, to, exec); err != nil {
			return err
		}
	}
	return nil
}

// removeObjects removes objects of a section, which must all be there.
func removeObjects(ctx context.Context, tx *sql.Tx, section plantdoc.Section, ids []string) error {
	text := func(n int) string {
		var b strings.Builder
		b.WriteString("DELETE FROM objects WHERE section = $1 AND id IN (")
		placeholders(&b, 2, n)
		b.WriteByte(')')
		return b.String()
	}
	return batches(ctx, tx, len(ids), text, func(from, to int, exec func([]any) (sql.Result, error)) error {
		args := append(make([]any, 0, batch+1), string(section))
		for id := range slices.Values(ids[from:to]) {
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
