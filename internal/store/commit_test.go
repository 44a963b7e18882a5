package store_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"busbar/internal/plantdoc"
	"busbar/internal/store"
)

func TestCommit(t *testing.T) {
	each(t, func(t *testing.T, o store.Options) {
		s, ctx := open(t, o), t.Context()
		if r, err := s.Head(ctx); err != nil || r.Number != 0 {
			t.Fatalf("Head of an empty store = %+v, %v, want number 0", r, err)
		}
		first := []plantdoc.Change{
			{Section: plantdoc.Points, ID: "a/b", After: []byte(`{"type":"float"}`)},
			{Section: plantdoc.Connectors, ID: "scada", After: []byte(`{"kind":"iec104-server"}`)},
			{Section: plantdoc.Points, ID: "B", After: []byte(`{"type":"int"}`)},
			{Section: plantdoc.Points, ID: "same", Before: []byte(`{}`), After: []byte(`{}`)},
		}
		r, err := s.Commit(ctx, 0, store.Revision{Author: "alice", Comment: "first", Origin: store.OriginAPI}, first, nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.Number != 1 || r.Changes != 3 || r.At.IsZero() {
			t.Errorf("Commit = %+v, want revision 1 with 3 changes", r)
		}
		second := []plantdoc.Change{
			{Section: plantdoc.Points, ID: "B", Before: []byte(`{"type":"int"}`)},
			{Section: plantdoc.Points, ID: "a/b", Before: []byte(`{"type":"float"}`), After: []byte(`{"type":"bits"}`)},
		}
		if _, err := s.Commit(ctx, 1, store.Revision{Author: "bob", Origin: store.OriginUI}, second, nil); err != nil {
			t.Fatal(err)
		}
		want := []plantdoc.Object{
			{Section: plantdoc.Connectors, ID: "scada", Body: []byte(`{"kind":"iec104-server"}`)},
			{Section: plantdoc.Points, ID: "a/b", Body: []byte(`{"type":"bits"}`)},
		}
		got, at, err := s.Document(ctx)
		if diff := cmp.Diff(want, got); diff != "" || err != nil || at.Number != 2 {
			t.Errorf("Document at %d, %v (-want +got):\n%s", at.Number, err, diff)
		}
		if changes, err := s.Changes(ctx, 2); err != nil || !cmp.Equal(changes, second) {
			t.Errorf("Changes(2) = %+v, %v, want %+v", changes, err, second)
		}
		ids := cmpopts.IgnoreFields(plantdoc.Object{}, "Body")
		old := []plantdoc.Object{{Section: "connectors", ID: "scada"}, {Section: "points", ID: "B"}, {Section: "points", ID: "a/b"}}
		if got, err := s.DocumentAt(ctx, 1); err != nil || !cmp.Equal(got, old, ids) {
			t.Errorf("DocumentAt(1) = %v, %v, want %v", got, err, old)
		}
	})
}

func TestCommitRollsBack(t *testing.T) {
	added := []plantdoc.Change{{Section: plantdoc.Points, ID: "a", After: []byte(`{}`)}}
	refused := errors.New("refused")
	tests := []struct {
		name    string
		base    int64
		changes []plantdoc.Change
		apply   func() error
		want    error
	}{
		{"a base that is not the head", 0, added, nil, store.ErrConflict},
		{"a base that is not there yet", 2, added, nil, store.ErrConflict},
		{"a new object that is there", 1, []plantdoc.Change{{Section: plantdoc.Points, ID: "old", After: []byte(`{}`)}}, nil, store.ErrConflict},
		{"an object to remove that is not there", 1, []plantdoc.Change{{Section: plantdoc.Points, ID: "new", Before: []byte(`{}`)}}, nil, store.ErrConflict},
		{"apply fails", 1, added, func() error { return refused }, refused},
		{"a section that is not there", 1, []plantdoc.Change{{Section: "x", ID: "a", After: []byte(`{}`)}}, nil, nil},
		{"an object twice", 1, []plantdoc.Change{added[0], added[0]}, nil, nil},
	}
	each(t, func(t *testing.T, o store.Options) {
		s, ctx := open(t, o), t.Context()
		if _, err := s.Commit(ctx, 0, store.Revision{}, []plantdoc.Change{{Section: plantdoc.Points, ID: "old", After: []byte(`{}`)}}, nil); err != nil {
			t.Fatal(err)
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				_, err := s.Commit(ctx, tt.base, store.Revision{}, tt.changes, tt.apply)
				if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
					t.Errorf("Commit = %v, want %v", err, tt.want)
				}
				got, at, err := s.Document(ctx)
				if err != nil || at.Number != 1 || len(got) != 1 || got[0].ID != "old" {
					t.Errorf("afterwards Document = %v, %+v, %v, want what was there", got, at, err)
				}
			})
		}
	})
}
