package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/store"
)

// at returns a time in milliseconds, as the store keeps it.
func at(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

func TestUsers(t *testing.T) {
	each(t, func(t *testing.T, o store.Options) {
		o.Key = key(1)
		s, ctx := open(t, o), t.Context()
		alice, err := s.CreateUser(ctx, store.User{
			Name: "alice", Password: "$argon2id$v=19$…", Roles: []string{"admin", "viewer"}, Subtrees: []string{"ons4711"},
			MustChange: true, TOTP: "JBSWY3DP", Failures: 2, LockedUntil: at(5),
		})
		if err != nil {
			t.Fatal(err)
		}
		if alice.ID == "" || alice.Revision != 1 || alice.Created.IsZero() || !alice.Changed.Equal(alice.Created) {
			t.Errorf("CreateUser = %+v, want id, revision 1 and times", alice)
		}
		if got, err := s.User(ctx, alice.ID); err != nil || !cmp.Equal(got, alice) {
			t.Errorf("User = %+v, %v, want %+v", got, err, alice)
		}
		if _, err := s.CreateUser(ctx, store.User{Name: "alice"}); !errors.Is(err, store.ErrConflict) {
			t.Errorf("a second alice: %v, want %v", err, store.ErrConflict)
		}
		if err := s.UpdateLogin(ctx, alice.ID, 3, at(7), at(8)); err != nil {
			t.Fatal(err)
		}
		next := alice // read before UpdateLogin
		next.Disabled, next.TOTP, next.MustChange, next.Roles = true, "", false, []string{"viewer"}
		changed, err := s.UpdateUser(ctx, next)
		if err != nil || changed.Revision != 2 {
			t.Fatalf("UpdateUser = %+v, %v, want revision 2", changed, err)
		}
		want := changed
		want.Failures, want.LockedUntil, want.LastLogin = 3, at(7), at(8)
		if got, err := s.UserByName(ctx, "alice"); err != nil || !cmp.Equal(got, want) {
			t.Errorf("UserByName (-want +got), %v:\n%s", err, cmp.Diff(want, got))
		}
		if _, err := s.UpdateUser(ctx, alice); !errors.Is(err, store.ErrConflict) {
			t.Errorf("an update of what was read earlier: %v, want %v", err, store.ErrConflict)
		}
		checkUsersList(t, s)
	})
}

func checkUsersList(t *testing.T, s *store.Store) {
	t.Helper()
	ctx := t.Context()
	bob, err := s.CreateUser(ctx, store.User{Name: "Bob"})
	if err != nil {
		t.Fatal(err)
	}
	bob.Name = "alice"
	if _, err := s.UpdateUser(ctx, bob); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a name that is taken: %v, want %v", err, store.ErrConflict)
	}
	for after, want := range map[string]string{"": "Bob", "Bob": "alice"} {
		if list, err := s.Users(ctx, after, 1); err != nil || len(list) != 1 || list[0].Name != want {
			t.Errorf("first user after %q: %v, %v, want %s", after, list, err, want)
		}
	}
	if _, err := s.CreateSession(ctx, store.Session{Hash: [32]byte{9}, UserID: bob.ID}); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteUser(ctx, bob.ID); err != nil {
		t.Fatal(err)
	}
	if list, err := s.Sessions(ctx, bob.ID); err != nil || len(list) > 0 {
		t.Errorf("sessions of a user that is gone: %v, %v", list, err)
	}
	_, read := s.User(ctx, bob.ID)
	_, update := s.UpdateUser(ctx, bob)
	for _, err := range []error{read, update, s.DeleteUser(ctx, bob.ID), s.UpdateLogin(ctx, bob.ID, 0, at(0), at(0))} {
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("on a user that is gone: %v, want %v", err, store.ErrNotFound)
		}
	}
}

func TestTokens(t *testing.T) {
	each(t, func(t *testing.T, o store.Options) {
		s, ctx := open(t, o), t.Context()
		ci, err := s.CreateToken(ctx, store.Token{
			Name: "ci", Hash: [32]byte{1, 2, 3}, Prefix: "bb_abc", Roles: []string{"engineer"}, Subtrees: []string{"a", "b"},
			Author: "alice", Expires: at(1000),
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.TouchToken(ctx, ci.ID, at(77)); err != nil {
			t.Fatal(err)
		}
		ci.LastUsed = at(77)
		if got, err := s.TokenByHash(ctx, ci.Hash); err != nil || !cmp.Equal(got, ci) {
			t.Errorf("TokenByHash = %+v, %v, want %+v", got, err, ci)
		}
		if _, err := s.CreateToken(ctx, store.Token{Name: "ci", Hash: [32]byte{4}}); !errors.Is(err, store.ErrConflict) {
			t.Errorf("a second token of that name: %v, want %v", err, store.ErrConflict)
		}
		if list, err := s.Tokens(ctx); err != nil || !cmp.Equal(list, []store.Token{ci}) {
			t.Errorf("Tokens = %+v, %v", list, err)
		}
		if err := s.DeleteToken(ctx, ci.ID); err != nil {
			t.Fatal(err)
		}
		_, read := s.TokenByHash(ctx, ci.Hash)
		for _, err := range []error{read, s.DeleteToken(ctx, ci.ID), s.TouchToken(ctx, ci.ID, at(0))} {
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("on a token that is gone: %v, want %v", err, store.ErrNotFound)
			}
		}
	})
}

func TestSessions(t *testing.T) {
	each(t, func(t *testing.T, o store.Options) {
		s, ctx := open(t, o), t.Context()
		var list []store.Session
		for i := range byte(3) {
			v, err := s.CreateSession(ctx, store.Session{
				Hash: [32]byte{i}, UserID: "u1", Name: "alice", Roles: []string{"viewer"}, Address: "192.0.2.1",
				Agent: "Browser\x00 \xff", LastSeen: at(1), Expires: at(int64(i+1) * 100),
			})
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, v)
		}
		if got, err := s.SessionByHash(ctx, [32]byte{1}); err != nil || !cmp.Equal(got, list[1]) {
			t.Errorf("SessionByHash = %+v, %v, want %+v", got, err, list[1])
		}
		if err := s.TouchSession(ctx, list[0].ID, at(50), at(500)); err != nil {
			t.Fatal(err)
		}
		list[0].LastSeen, list[0].Expires = at(50), at(500)
		if got, err := s.Sessions(ctx, "u1"); err != nil || !cmp.Equal(got, list) {
			t.Errorf("Sessions (-want +got), %v:\n%s", err, cmp.Diff(list, got))
		}
		if n, err := s.DeleteSessionsExpired(ctx, at(200)); err != nil || n != 1 {
			t.Errorf("expired: %d, %v, want 1", n, err)
		}
		if n, err := s.DeleteSessionsOf(ctx, "u1", list[0].ID); err != nil || n != 1 {
			t.Errorf("ended: %d, %v, want 1", n, err)
		}
		if got, err := s.Sessions(ctx, ""); err != nil || !cmp.Equal(got, list[:1]) {
			t.Errorf("Sessions = %+v, %v, want the one that was excepted", got, err)
		}
		if err := s.DeleteSession(ctx, list[0].ID); err != nil {
			t.Fatal(err)
		}
		_, read := s.SessionByHash(ctx, list[0].Hash)
		for _, err := range []error{read, s.DeleteSession(ctx, list[0].ID), s.TouchSession(ctx, list[0].ID, at(0), at(0))} {
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("on a session that has ended: %v, want %v", err, store.ErrNotFound)
			}
		}
	})
}
