package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/plantdoc"
	"busbar/internal/store"
)

func TestDocumentAtEveryRevision(t *testing.T) {
	each(t, func(t *testing.T, o store.Options) {
		s, ctx := open(t, o), t.Context()
		const revisions = 230 // two snapshots, and some after the second
		plant := make(map[string][]byte)
		var want [][]plantdoc.Object
		for n := int64(1); n <= revisions; n++ {
			if _, err := s.Commit(ctx, n-1, store.Revision{}, step(n, plant), nil); err != nil {
				t.Fatal(err)
			}
			objects, _, err := s.Document(ctx)
			if err != nil || len(objects) != len(plant) {
				t.Fatalf("revision %d: %d objects, %v, want %d", n, len(objects), err, len(plant))
			}
			want = append(want, objects)
		}
		for i := range want {
			got, err := s.DocumentAt(ctx, int64(i+1))
			if diff := cmp.Diff(want[i], got); diff != "" || err != nil {
				t.Fatalf("DocumentAt(%d), %v (-want +got):\n%s", i+1, err, diff)
			}
		}
		if got, err := s.DocumentAt(ctx, 0); err != nil || len(got) != 0 {
			t.Errorf("DocumentAt(0) = %v, %v, want nothing", got, err)
		}
		for _, n := range []int64{-1, revisions + 1} {
			_, at := s.DocumentAt(ctx, n)
			_, changes := s.Changes(ctx, n)
			for _, err := range []error{at, changes, s.Comment(ctx, n, "x")} {
				if !errors.Is(err, store.ErrNotFound) {
					t.Errorf("on revision %d: %v, want %v", n, err, store.ErrNotFound)
				}
			}
		}
	})
}

func TestRevisionsGoByPage(t *testing.T) {
	each(t, func(t *testing.T, o store.Options) {
		s, ctx := open(t, o), t.Context()
		for n := range int64(5) {
			r := store.Revision{Author: "alice\x00", Comment: fmt.Sprint("change ", n), Origin: store.OriginCLI}
			if _, err := s.Commit(ctx, n, r, nil, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Comment(ctx, 4, "better"); err != nil {
			t.Fatal(err)
		}
		tests := []struct {
			before int64
			limit  int
			want   []int64
		}{{0, 2, []int64{5, 4}}, {4, 2, []int64{3, 2}}, {2, 10, []int64{1}}, {1, 10, nil}, {0, 0, []int64{5, 4, 3, 2, 1}}}
		for _, tt := range tests {
			list, err := s.Revisions(ctx, tt.before, tt.limit)
			var got []int64
			for _, r := range list {
				got = append(got, r.Number)
			}
			if err != nil || !cmp.Equal(got, tt.want) {
				t.Errorf("Revisions(%d, %d) = %v, %v, want %v", tt.before, tt.limit, got, err, tt.want)
			}
		}
		r, err := s.Revision(ctx, 4)
		if err != nil || r.Comment != "better" || r.Author != "alice\uFFFD" || r.Origin != "cli" || time.Since(r.At) > time.Hour {
			t.Errorf("Revision(4) = %+v, %v", r, err)
		}
	})
}

func TestObjectsGoByPageInOrderOfOctets(t *testing.T) {
	each(t, func(t *testing.T, o store.Options) {
		s, ctx := open(t, o), t.Context()
		ids := []string{"A", "B/a", "a", "a-b", "a/b", "ab", "b"} // people would put B after a
		var changes []plantdoc.Change
		for _, id := range ids {
			changes = append(changes, plantdoc.Change{Section: plantdoc.Commands, ID: id, After: []byte(`{}`)})
		}
		if _, err := s.Commit(ctx, 0, store.Revision{}, changes, nil); err != nil {
			t.Fatal(err)
		}
		var got []string
		for after := ""; ; after = got[len(got)-1] {
			list, err := s.Objects(ctx, plantdoc.Commands, after, 3)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range list {
				got = append(got, o.ID)
			}
			if len(list) < 3 {
				break
			}
		}
		if !cmp.Equal(got, ids) {
			t.Errorf("ids by page: %v, want %v", got, ids)
		}
		next := plantdoc.Change{Section: plantdoc.Commands, ID: "ab", Before: []byte(`{}`), After: []byte(`{"a":1}`)}
		if _, err := s.Commit(ctx, 1, store.Revision{}, []plantdoc.Change{next}, nil); err != nil {
			t.Fatal(err)
		}
		for id, want := range map[string]int64{"ab": 2, "b": 1} {
			if _, n, err := s.Object(ctx, plantdoc.Commands, id); n != want || err != nil {
				t.Errorf("Object(%s) was changed by revision %d, %v, want %d", id, n, err, want)
			}
		}
		if _, _, err := s.Object(ctx, plantdoc.Points, "b"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("an object of another section: %v, want %v", err, store.ErrNotFound)
		}
	})
}

func TestReadersDoNotWaitForAWriter(t *testing.T) {
	each(t, func(t *testing.T, o store.Options) {
		s, ctx := open(t, o), t.Context()
		if _, err := s.Commit(ctx, 0, store.Revision{}, many(300), nil); err != nil {
			t.Fatal(err)
		}
		change := []plantdoc.Change{{Section: plantdoc.Points, ID: "new", After: []byte(`{}`)}}
		_, err := s.Commit(ctx, 1, store.Revision{}, change, func() error { // everything is written but not yet stored
			var wait sync.WaitGroup
			for range 12 {
				wait.Go(func() {
					list, at, err := s.Document(ctx)
					if err != nil || at.Number != 1 || len(list) != 300 {
						t.Errorf("a reader sees %d objects at revision %d, %v, want those before", len(list), at.Number, err)
					}
				})
			}
			wait.Wait()
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if list, at, err := s.Document(ctx); err != nil || at.Number != 2 || len(list) != 301 {
			t.Errorf("afterwards: %d objects at revision %d, %v, want 301 at 2", len(list), at.Number, err)
		}
	})
}

func TestOneOfManyCommitsWins(t *testing.T) {
	each(t, func(t *testing.T, o store.Options) {
		stores := []*store.Store{open(t, o), open(t, o)} // as two processes have
		const rounds, writers = 10, 6
		for base := range int64(rounds) {
			errs := make([]error, writers)
			var wait sync.WaitGroup
			for i := range errs {
				change := []plantdoc.Change{{Section: plantdoc.Points, ID: fmt.Sprintf("%d/%d", base, i), After: []byte(`{}`)}}
				wait.Go(func() { _, errs[i] = stores[i%2].Commit(t.Context(), base, store.Revision{}, change, nil) })
			}
			wait.Wait()
			won := 0
			for _, err := range errs {
				if err == nil {
					won++
				} else if !errors.Is(err, store.ErrConflict) {
					t.Errorf("a commit on revision %d: %v, want %v", base, err, store.ErrConflict)
				}
			}
			if won != 1 {
				t.Fatalf("%d commits on revision %d went through, want 1", won, base)
			}
		}
		if list, at, err := stores[0].Document(t.Context()); err != nil || at.Number != rounds || len(list) != rounds {
			t.Errorf("%d objects at revision %d, %v, want %d", len(list), at.Number, err, rounds)
		}
	})
}

func TestCommitEndsWithItsContext(t *testing.T) {
	each(t, func(t *testing.T, o store.Options) {
		s := open(t, o)
		ctx, cancel := context.WithCancel(t.Context())
		_, err := s.Commit(ctx, 0, store.Revision{}, many(10), func() error { cancel(); return nil })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Commit = %v, want %v", err, context.Canceled)
		}
		if r, err := s.Head(t.Context()); err != nil || r.Number != 0 {
			t.Errorf("Head = %+v, %v, want nothing stored", r, err)
		}
		if _, err := s.Commit(t.Context(), 0, store.Revision{}, many(10), nil); err != nil {
			t.Errorf("the next commit: %v", err)
		}
	})
}
