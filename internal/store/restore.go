package store

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"busbar/internal/store/db"
)

// Restore puts the contents of a backup into the store that o names, which is
// made if there is none. Backups of older versions are brought up to date.
//
// It fails with [ErrNotEmpty] if the store holds anything, unless force says that it may be replaced,
// with [ErrDamaged] if the backup is not whole, and with [ErrNewer]; the store is then as it was.
// No other process may use the store meanwhile.
func Restore(ctx context.Context, o Options, r io.Reader, force bool) (info BackupInfo, err error) {
	near := ""
	if o.URL == "" {
		near = filepath.Dir(o.Path)
	}
	dir, err := os.MkdirTemp(near, "restore-*") // of mode 0700
	if err != nil {
		return BackupInfo{}, fault("restore", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	// Read and brought up to date beside the store, which changes only once all that went well.
	beside, err := connect(ctx, Options{Path: filepath.Join(dir, "busbar.db"), Log: o.Log})
	if err != nil {
		return BackupInfo{}, err
	}
	defer func() { err = errors.Join(err, beside.Close()) }()
	if info, err = beside.load(ctx, r); err != nil {
		return info, err
	}
	if err := beside.migrate(ctx, newest); err != nil {
		return info, err
	}
	s, err := Open(ctx, o)
	if err != nil {
		return info, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return info, s.takeFrom(ctx, beside, force)
}

// load reads a backup into an empty database, with the schema of the backup.
func (s *Store) load(ctx context.Context, r io.Reader) (BackupInfo, error) {
	in, err := newBackupReader(r)
	if err != nil {
		return BackupInfo{}, fault("read backup", err)
	}
	p, err := s.migrations()
	if err != nil {
		return in.info, err
	}
	if _, target, err := p.GetVersions(ctx); err != nil || in.info.Schema > target {
		return in.info, errors.Join(err, fmt.Errorf("store: backup %w, %s", ErrNewer, in.info.Version))
	}
	if err := s.migrate(ctx, in.info.Schema); err != nil {
		return in.info, err
	}
	err = s.change(ctx, "read backup", func(_ *db.Queries, tx *sql.Tx) error {
		for {
			t, err := in.table()
			if t == nil || err != nil {
				return err
			}
			if err := s.bulk(tx).copyRows(ctx, t.Table, t.Columns, in.next); err != nil {
				return err
			}
		}
	})
	if errors.Is(err, ErrConflict) { // the store was empty, so that rows contradict each other
		err = fmt.Errorf("store: backup %w: %w", ErrDamaged, err)
	}
	return in.info, err
}

// takeFrom replaces the contents of the store by those of another with the same schema.
func (s *Store) takeFrom(ctx context.Context, from *Store, force bool) error {
	return s.change(ctx, "restore", func(_ *db.Queries, tx *sql.Tx) error {
		if err := s.refuseOthers(ctx, tx); err != nil {
			return err
		}
		for _, t := range append(kept(), table{name: "sessions"}) {
			if err := clearTable(ctx, tx, t.name, force); err != nil {
				return err
			}
		}
		for _, t := range kept() {
			rows, err := tableRows(ctx, from.read, t)
			if err != nil {
				return err
			}
			if err := rows.close(s.bulk(tx).copyRows(ctx, t.name, rows.columns, rows.next)); err != nil {
				return err
			}
		}
		return nil
	})
}

// clearTable removes all rows, or refuses that.
func clearTable(ctx context.Context, tx *sql.Tx, name string, force bool) error {
	if force {
		_, err := tx.ExecContext(ctx, "DELETE FROM "+name)
		return err
	}
	var n int64
	if err := tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+name).Scan(&n); err != nil {
		return err
	}
	if n > 0 {
		return fmt.Errorf("%w: table %s has %d rows", ErrNotEmpty, name, n)
	}
	return nil
}

// copyRows inserts what next returns, until that is nil.
func (w bulk) copyRows(ctx context.Context, table string, columns []string, next func() ([]any, error)) error {
	in := insertion{head: "INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES ", columns: len(columns)}
	var values []any
	flush := func() error {
		n := len(values) / len(columns)
		err := w.insert(ctx, in, n, func(i int, args []any) []any {
			return append(args, values[i*len(columns):(i+1)*len(columns)]...)
		})
		values = values[:0]
		return err
	}
	for {
		row, err := next()
		if err != nil {
			return fmt.Errorf("table %s: %w", table, err)
		}
		if values = append(values, row...); len(values) >= batch*len(columns) || row == nil {
			if err := flush(); err != nil {
				return fmt.Errorf("table %s: %w", table, err)
			}
		}
		if row == nil {
			return nil
		}
	}
}

// backupReader reads a backup line by line.
type backupReader struct {
	info  BackupInfo
	lines *bufio.Reader
	rows  int64
	width int    // columns of the table that is being read
	ahead []byte // the line after a table
}

func newBackupReader(r io.Reader) (*backupReader, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("%w: it is no backup of Busbar: %w", ErrDamaged, err)
	}
	b := &backupReader{lines: bufio.NewReaderSize(z, 64<<10)}
	line, err := b.line()
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(line, &b.info); err != nil || b.info.Format == 0 || b.info.Schema < 1 {
		return nil, fmt.Errorf("%w: it is no backup of Busbar", ErrDamaged)
	}
	if b.info.Format > backupFormat {
		return nil, fmt.Errorf("it %w, %s", ErrNewer, b.info.Version)
	}
	return b, nil
}

func (b *backupReader) line() ([]byte, error) {
	line, err := b.lines.ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("%w: it is cut off or changed: %w", ErrDamaged, err)
	}
	return line, nil
}

// word is what names of tables and columns look like: they become part of statements.
var word = regexp.MustCompile(`^[a-z_]{1,63}$`)

// table returns the table that follows, nil at the end.
func (b *backupReader) table() (*backupTable, error) {
	line := b.ahead
	if b.ahead = nil; line == nil {
		var err error
		if line, err = b.line(); err != nil {
			return nil, err
		}
	}
	var t struct {
		backupTable
		backupEnd
	}
	t.Rows = -1
	if err := json.Unmarshal(line, &t); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if t.Table == "" {
		return nil, b.end(t.Rows)
	}
	b.width = len(t.Columns)
	for _, name := range append([]string{t.Table}, t.Columns...) {
		if !word.MatchString(name) || b.width == 0 {
			return nil, fmt.Errorf("%w: %q is not the name of a table or column", ErrDamaged, name)
		}
	}
	return &t.backupTable, nil
}

func (b *backupReader) end(rows int64) error {
	if rows != b.rows {
		return fmt.Errorf("%w: it has %d rows, but says %d", ErrDamaged, b.rows, rows)
	}
	if _, err := b.lines.ReadByte(); !errors.Is(err, io.EOF) { // also checks the sum of gzip
		return fmt.Errorf("%w: it does not end where it should", ErrDamaged)
	}
	return nil
}

// next returns the values of the next row, nil after the last of the table.
func (b *backupReader) next() ([]any, error) {
	line, err := b.line()
	if err != nil {
		return nil, err
	}
	if len(line) == 0 || line[0] != '[' {
		b.ahead = line
		return nil, nil
	}
	var row []any
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	if err := d.Decode(&row); err != nil || len(row) != b.width {
		return nil, fmt.Errorf("%w: row %d is none", ErrDamaged, b.rows+1)
	}
	b.rows++
	for i := range row {
		if row[i], err = decoded(row[i]); err != nil {
			return nil, fmt.Errorf("%w: row %d: %w", ErrDamaged, b.rows, err)
		}
	}
	return row, nil
}

// decoded returns a value of a row as the databases take it.
func decoded(v any) (any, error) {
	switch v := v.(type) {
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			return v.Float64()
		}
		return v.Int64()
	case map[string]any:
		data, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		o := octets{}
		if err := json.Unmarshal(data, &o); err != nil {
			return nil, err
		}
		if o.Data == nil {
			o.Data = []byte{}
		}
		return o.Data, nil
	case string, bool, nil:
		return v, nil
	}
	return nil, fmt.Errorf("%v is no value", v)
}
