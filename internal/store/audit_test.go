package store_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/store"
)

func TestAuditFilter(t *testing.T) {
	each(t, func(t *testing.T, o store.Options) {
		s, ctx := open(t, o), t.Context()
		for i := range int64(6) {
			err := s.AddAudit(ctx, store.AuditEntry{
				At: at((i + 1) * 1000), Actor: []string{"alice", "bob"}[i%2], ActorID: "user:1", Address: "192.0.2.1",
				Action: []string{"putPoint", "auth.login", "deletePoint"}[i%3], Object: fmt.Sprint("points/", i/3), Result: "ok",
				Detail: "a\x00b", Before: `{"a":1}`, After: `{"a":2}`,
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		tests := []struct {
			name   string
			filter store.AuditFilter
			limit  int
			want   []int64
		}{
			{"all", store.AuditFilter{}, 0, []int64{6, 5, 4, 3, 2, 1}},
			{"the newest", store.AuditFilter{}, 2, []int64{6, 5}},
			{"the next page", store.AuditFilter{Before: 5}, 2, []int64{4, 3}},
			{"of an actor", store.AuditFilter{Actor: "bob"}, 0, []int64{6, 4, 2}},
			{"of an action", store.AuditFilter{Action: "auth.login"}, 0, []int64{5, 2}},
			{"of an object", store.AuditFilter{Object: "points/0"}, 0, []int64{3, 2, 1}},
			{"from a time on", store.AuditFilter{From: at(5000)}, 0, []int64{6, 5}},
			{"until a time", store.AuditFilter{To: at(3000)}, 0, []int64{2, 1}},
			{"all of these", store.AuditFilter{Actor: "alice", Action: "putPoint", Object: "points/0", From: at(1000), To: at(2000), Before: 2}, 0, []int64{1}},
			{"what is not there", store.AuditFilter{Actor: "carol"}, 0, nil},
		}
		for _, tt := range tests {
			list, err := s.Audit(ctx, tt.filter, tt.limit)
			var got []int64
			for _, e := range list {
				got = append(got, e.ID)
			}
			if err != nil || !cmp.Equal(got, tt.want) {
				t.Errorf("%s: %v, %v, want %v", tt.name, got, err, tt.want)
			}
		}
		want := store.AuditEntry{
			ID: 1, At: at(1000), Actor: "alice", ActorID: "user:1", Address: "192.0.2.1", Action: "putPoint", Object: "points/0",
			Result: "ok", Detail: "a\uFFFDb", Before: `{"a":1}`, After: `{"a":2}`,
		}
		if list, err := s.Audit(ctx, store.AuditFilter{Before: 2}, 1); err != nil || !cmp.Equal(list, []store.AuditEntry{want}) {
			t.Errorf("entry 1 = %+v, %v, want %+v", list, err, want)
		}
	})
}

func TestVerifyAuditFindsWhatWasChanged(t *testing.T) {
	tests := []struct {
		name, statement string
		want            string // where; empty: nothing was changed
	}{
		{"nothing", "UPDATE settings SET sealed = sealed", ""},
		{"a text", "UPDATE audit SET detail = 'x' WHERE id = 3", "entry 3"},
		{"a text moved to the next column", "UPDATE audit SET before = '', after = 'B' WHERE id = 2", "entry 2"},
		{"a time", "UPDATE audit SET at = at + 1 WHERE id = 1", "entry 1"},
		{"an entry is gone", "DELETE FROM audit WHERE id = 4", "entry 4"},
		{"the first is gone", "DELETE FROM audit WHERE id = 1", "entry 1"},
		{"a hash", "UPDATE audit SET hash = (SELECT hash FROM audit WHERE id = 1) WHERE id = 5", "entry 5"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			each(t, func(t *testing.T, o store.Options) {
				s, ctx := open(t, o), t.Context()
				for i := range 6 {
					if err := s.AddAudit(ctx, store.AuditEntry{Action: fmt.Sprint(i), Before: "B"}); err != nil {
						t.Fatal(err)
					}
				}
				execute(t, o, tt.statement)
				n, err := s.VerifyAudit(ctx)
				if tt.want == "" && (n != 6 || err != nil) {
					t.Errorf("VerifyAudit = %d, %v, want 6 entries", n, err)
				}
				if tt.want != "" && (!errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), tt.want)) {
					t.Errorf("VerifyAudit = %v, want damage at %s", err, tt.want)
				}
			})
		})
	}
}

func TestAuditTakesEntriesOfManyProcesses(t *testing.T) {
	each(t, func(t *testing.T, o store.Options) {
		const writers, entries = 4, 15
		var wait sync.WaitGroup
		for range writers {
			s := open(t, o)
			wait.Go(func() {
				for range entries {
					if err := s.AddAudit(t.Context(), store.AuditEntry{Action: "a"}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wait.Wait()
		if n, err := open(t, o).VerifyAudit(t.Context()); n != writers*entries || err != nil {
			t.Errorf("VerifyAudit = %d, %v, want %d entries", n, err, writers*entries)
		}
	})
}
