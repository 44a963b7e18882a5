package store

import (
	"bufio"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"busbar/internal/store/db"
)

// A backup is JSON lines, compressed with gzip: a [BackupInfo], then for each table a
// line that names it and its columns and a line for each row, at last a line with
// the number of rows. It is the same for both databases.

// backupFormat is the version of the format of backups.
const backupFormat = 1

// BackupInfo is what a backup says of itself.
type BackupInfo struct {
	Format   int       `json:"busbarBackup"`
	Schema   int64     `json:"schema"`   // version of the schema of the store
	Version  string    `json:"version"`  // of Busbar
	At       time.Time `json:"at"`       // when it was made
	Revision int64     `json:"revision"` // of the plant
	// Keys are the ids of the keys that what is secret is encrypted with, see [KeyID];
	// none: there is nothing secret. The backup does not hold them.
	Keys []string `json:"keys"`
}

// backupTable begins the rows of a table.
type backupTable struct {
	Table   string   `json:"table"`
	Columns []string `json:"columns"`
}

// backupEnd ends a backup, so that one that was cut off is noticed.
type backupEnd struct {
	Rows int64 `json:"rows"`
}

// table is a table with the columns that order it.
type table struct{ name, order string }

// kept are the tables that a backup holds: all but the sessions, since who signs
// out must not be signed in again by a backup.
func kept() []table {
	return []table{
		{"revisions", "number"},
		{"changes", "revision, section, id"},
		{"snapshots", "revision, part"},
		{"objects", "section, id"},
		{"secrets", "name"},
		{"users", "id"},
		{"tokens", "id"},
		{"audit", "id"},
		{"settings", "name"},
	}
}

// Backup writes everything but the sessions to w, as of one moment, while others
// go on reading and writing. What is secret is in it as it is kept, encrypted; the key never is.
func (s *Store) Backup(ctx context.Context, w io.Writer) (BackupInfo, error) {
	info := BackupInfo{Format: backupFormat, Version: s.version, At: now()}
	var err error
	if info.Schema, err = s.schemaVersion(); err != nil {
		return info, err
	}
	err = s.view(ctx, "back up", func(q *db.Queries, tx *sql.Tx) error {
		revision, err := head(ctx, q)
		if err != nil {
			return err
		}
		info.Revision = revision.Number
		if info.Keys, err = sealingKeys(ctx, q); err != nil {
			return err
		}
		z := gzip.NewWriter(w)
		if err := writeBackup(ctx, tx, z, info); err != nil {
			return err
		}
		return z.Close()
	})
	return info, err
}

func writeBackup(ctx context.Context, tx *sql.Tx, w io.Writer, info BackupInfo) error {
	out := bufio.NewWriterSize(w, 64<<10)
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	if err := lines.Encode(info); err != nil {
		return err
	}
	end := backupEnd{}
	for _, t := range kept() {
		rows, err := tableRows(ctx, tx, t)
		if err != nil {
			return err
		}
		err = lines.Encode(backupTable{Table: t.name, Columns: rows.columns})
		for err == nil {
			var row []any
			if row, err = rows.next(); row == nil || err != nil {
				break
			}
			end.Rows++
			err = lines.Encode(encoded(row))
		}
		if err := rows.close(err); err != nil {
			return fmt.Errorf("table %s: %w", t.name, err)
		}
	}
	if err := lines.Encode(end); err != nil {
		return err
	}
	return out.Flush()
}

// octets are what a column of octets is in a backup.
type octets struct {
	Data []byte `json:"octets"` // in base64
}

// encoded returns the values of a row as they are in a backup.
func encoded(row []any) []any {
	for i, v := range row {
		if data, ok := v.([]byte); ok {
			row[i] = octets{data}
		}
	}
	return row
}

// rowReader reads the rows of a table.
type rowReader struct {
	rows    *sql.Rows
	columns []string
	values  []any
	to      []any // pointers to values
	truths  []int // columns of type BOOLEAN, which SQLite keeps as numbers
}

func tableRows(ctx context.Context, from db.DBTX, t table) (*rowReader, error) {
	rows, err := from.QueryContext(ctx, "SELECT * FROM "+t.name+" ORDER BY "+t.order)
	if err != nil {
		return nil, err
	}
	r := &rowReader{rows: rows}
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, r.close(err)
	}
	r.values, r.to = make([]any, len(types)), make([]any, len(types))
	for i, column := range types {
		r.columns = append(r.columns, column.Name())
		r.to[i] = &r.values[i]
		if column.DatabaseTypeName() == "BOOLEAN" {
			r.truths = append(r.truths, i)
		}
	}
	return r, nil
}

// next returns the values of the next row, which are those of the reader; nil: there is none.
func (r *rowReader) next() ([]any, error) {
	if !r.rows.Next() {
		return nil, r.rows.Err()
	}
	if err := r.rows.Scan(r.to...); err != nil {
		return nil, err
	}
	for _, i := range r.truths {
		if n, ok := r.values[i].(int64); ok {
			r.values[i] = n != 0
		}
	}
	return r.values, nil
}

// close ends reading and returns err, else the error of that.
func (r *rowReader) close(err error) error {
	if failed := r.rows.Close(); err == nil {
		err = failed
	}
	return err
}

// sealingKeys returns the ids of the keys that anything is encrypted with.
func sealingKeys(ctx context.Context, q *db.Queries) ([]string, error) {
	keys := []string{}
	err := eachSealed(ctx, q, func(item sealedItem) error {
		id, err := sealedBy(item.sealed)
		if err != nil {
			return fmt.Errorf("%s: %w", item.place, err)
		}
		if !slices.Contains(keys, id) {
			keys = append(keys, id)
		}
		return nil
	})
	slices.Sort(keys)
	return keys, err
}
