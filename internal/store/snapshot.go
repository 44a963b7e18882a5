package store

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"busbar/internal/plantdoc"
	"busbar/internal/store/db"
)

// snapshotEvery is how many revisions apart the snapshots are: what lies
// between is found from the one before, by its changes.
const snapshotEvery = 100

// writeSnapshot stores all objects with a revision, a page to a part.
func writeSnapshot(ctx context.Context, q *db.Queries, number int64) error {
	var packed bytes.Buffer
	var raw []byte
	part := int64(0)
	z, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	if err != nil {
		return err
	}
	write := func(objects []plantdoc.Object) error {
		raw = raw[:0]
		for _, o := range objects {
			for _, field := range [][]byte{[]byte(o.Section), []byte(o.ID), o.Body} {
				raw = append(binary.AppendUvarint(raw, uint64(len(field))), field...)
			}
		}
		packed.Reset()
		z.Reset(&packed)
		if _, err := z.Write(raw); err != nil {
			return err
		}
		if err := z.Close(); err != nil {
			return err
		}
		err := q.AddSnapshotPart(ctx, db.AddSnapshotPartParams{Revision: number, Part: part, Data: packed.Bytes()})
		part++
		return err
	}
	return eachPage(ctx, q, write)
}

// readSnapshot returns the objects of a snapshot, in order of the plant file.
func readSnapshot(ctx context.Context, q *db.Queries, number int64) ([]plantdoc.Object, error) {
	var list []plantdoc.Object
	for part := int64(0); ; part++ {
		data, err := q.SnapshotPart(ctx, db.SnapshotPartParams{Revision: number, Part: part})
		if errors.Is(err, sql.ErrNoRows) {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		if list, err = unpack(list, data); err != nil {
			return nil, fmt.Errorf("snapshot of revision %d: %w: %w", number, ErrDamaged, err)
		}
	}
}

// unpack appends the objects of a part.
func unpack(list []plantdoc.Object, data []byte) ([]plantdoc.Object, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		return nil, err
	}
	field := func() []byte {
		n, size := binary.Uvarint(raw)
		if size <= 0 || n > uint64(len(raw)-size) {
			err = io.ErrUnexpectedEOF
			return nil
		}
		f := raw[size : size+int(n)]
		raw = raw[size+int(n):]
		return f
	}
	for len(raw) > 0 && err == nil {
		section, id := field(), field()
		list = append(list, plantdoc.Object{Section: plantdoc.Section(section), ID: string(id), Body: bytes.Clone(field())})
	}
	return list, err
}

// DocumentAt returns all objects as they were after the revision with the given
// number, in order of the plant file; number 0: nothing.
func (s *Store) DocumentAt(ctx context.Context, number int64) (list []plantdoc.Object, err error) {
	if number == 0 {
		return nil, nil
	}
	err = s.view(ctx, "read plant of revision", func(q *db.Queries, tx *sql.Tx) error {
		if _, err := q.Revision(ctx, number); err != nil {
			return err
		}
		list, err = documentAt(ctx, q, tx, number)
		return err
	})
	return list, err
}

func documentAt(ctx context.Context, q *db.Queries, tx *sql.Tx, number int64) ([]plantdoc.Object, error) {
	from, err := q.NewestSnapshot(ctx, number)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	list, err := readSnapshot(ctx, q, from)
	if err != nil {
		return nil, err
	}
	changed := make(map[string]plantdoc.Change)
	err = eachChange(ctx, tx, from+1, number, func(c plantdoc.Change) {
		c.Before = nil
		changed[string(c.Section)+" "+c.ID] = c
	})
	if err != nil {
		return nil, err
	}
	return merge(list, changed), nil
}

// merge replaces and removes what has changed, and adds what is new.
func merge(list []plantdoc.Object, changed map[string]plantdoc.Change) []plantdoc.Object {
	kept := list[:0]
	for _, o := range list {
		key := string(o.Section) + " " + o.ID
		c, found := changed[key]
		delete(changed, key)
		if found && c.After == nil {
			continue
		}
		if found {
			o.Body = c.After
		}
		kept = append(kept, o)
	}
	for _, c := range changed {
		if c.After != nil {
			kept = append(kept, plantdoc.Object{Section: c.Section, ID: c.ID, Body: c.After})
		}
	}
	slices.SortFunc(kept, plantdoc.Compare)
	return kept
}
