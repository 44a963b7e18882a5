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

func TestSecretsAreCommittedWithTheChangesOrNotAtAll(t *testing.T) {
	each(t, func(t *testing.T, o store.Options) {
		o.Key = key(1)
		s, ctx := open(t, o), t.Context()
		secrets := map[string]string{"a": "one", "b": "two"}
		want := errors.New("no")
		if _, err := s.CommitSecrets(ctx, 0, store.Revision{}, many(3), secrets, func() error { return want }); !errors.Is(err, want) {
			t.Errorf("CommitSecrets = %v, want %v", err, want)
		}
		if list, err := s.Secrets(ctx); err != nil || len(list) != 0 {
			t.Errorf("after a change that was rolled back there are secrets %v, %v, want none", list, err)
		}
		if r, err := s.CommitSecrets(ctx, 0, store.Revision{Author: "alice"}, nil, secrets, nil); err != nil || r.Number != 0 {
			t.Errorf("CommitSecrets without changes = revision %d, %v, want 0", r.Number, err)
		}
		if r, err := s.CommitSecrets(ctx, 0, store.Revision{Author: "bob"}, many(3), map[string]string{"b": "three"}, nil); err != nil || r.Number != 1 {
			t.Errorf("CommitSecrets = revision %d, %v, want 1", r.Number, err)
		}
		for name, want := range map[string]string{"a": "one", "b": "three"} {
			if got, err := s.Secret(ctx, name); err != nil || got != want {
				t.Errorf("secret %s = %q, %v, want %q", name, got, err, want)
			}
		}
		if r, err := s.Settled(ctx); err != nil || r.Number != 1 {
			t.Errorf("Settled = revision %d, %v, want 1", r.Number, err)
		}
	})
}
