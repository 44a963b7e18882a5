package store

import (
	"context"
	"database/sql"

	"busbar/internal/plantdoc"
	"busbar/internal/store/db"
)

// Objects returns at most limit objects of a section whose ids follow after, by
// id in order of octets; limit 0: all.
func (s *Store) Objects(ctx context.Context, section plantdoc.Section, after string, limit int) ([]plantdoc.Object, error) {
	rows, err := db.New(s.read).Objects(ctx, db.ObjectsParams{Section: string(section), Beyond: after, Most: most(limit)})
	if err != nil {
		return nil, fault("read objects", err)
	}
	list := make([]plantdoc.Object, len(rows))
	for i, r := range rows {
		list[i] = objectOf(r)
	}
	return list, nil
}

// Object returns an object and the number of the revision that changed it last.
func (s *Store) Object(ctx context.Context, section plantdoc.Section, id string) (plantdoc.Object, int64, error) {
	r, err := db.New(s.read).Object(ctx, db.ObjectParams{Section: string(section), ID: id})
	if err != nil {
		return plantdoc.Object{}, 0, fault("read "+string(section)+" "+id, err)
	}
	return objectOf(r), r.Revision, nil
}

// Document returns all objects, in order of the plant file, and the revision
// they are of.
func (s *Store) Document(ctx context.Context) (list []plantdoc.Object, at Revision, err error) {
	err = s.view(ctx, "read plant", func(q *db.Queries, _ *sql.Tx) error {
		if at, err = head(ctx, q); err != nil {
			return err
		}
		list, err = document(ctx, q)
		return err
	})
	return list, at, err
}

func document(ctx context.Context, q *db.Queries) ([]plantdoc.Object, error) {
	var n int64
	for _, section := range plantdoc.Sections() {
		count, err := q.CountObjects(ctx, string(section))
		if err != nil {
			return nil, err
		}
		n += count
	}
	list := make([]plantdoc.Object, 0, n)
	err := eachPage(ctx, q, func(part []plantdoc.Object) error {
		list = append(list, part...)
		return nil
	})
	return list, err
}

// page is how many rows are read at a time, so that a large plant is not held twice.
const page = 1000

// eachPage calls do with all objects, some at a time, in order of the plant file.
func eachPage(ctx context.Context, q *db.Queries, do func([]plantdoc.Object) error) error {
	var part []plantdoc.Object
	for _, section := range plantdoc.Sections() {
		p := db.ObjectsParams{Section: string(section), Most: page}
		for {
			rows, err := q.Objects(ctx, p)
			if err != nil {
				return err
			}
			part = part[:0]
			for _, r := range rows {
				part = append(part, objectOf(r))
			}
			if err := do(part); err != nil {
				return err
			}
			if len(rows) < page {
				break
			}
			p.Beyond = rows[len(rows)-1].ID
		}
	}
	return nil
}

func objectOf(r db.Object) plantdoc.Object {
	return plantdoc.Object{Section: plantdoc.Section(r.Section), ID: r.ID, Body: []byte(r.Body)}
}
