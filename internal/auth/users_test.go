package auth

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pquerna/otp/totp"
)

func TestAnAdministratorRemains(t *testing.T) {
	t.Parallel()
	s := newService(t, Options{})
	root, other := addAccount(t, s, "root", "admin"), addAccount(t, s, "other", "admin")
	change := func(id string, c UserChange) error {
		_, _, err := s.UpdateUser(t.Context(), boss, id, c)
		return err
	}
	var wg sync.WaitGroup
	results := make(chan error, 2)
	for _, id := range []string{root.ID, other.ID} { // both at once: one of them must remain
		wg.Go(func() { results <- change(id, UserChange{Roles: []string{"admin"}, Disabled: true}) })
	}
	wg.Wait()
	one, _ := codeOf(<-results)
	two, _ := codeOf(<-results)
	if one+two != CodeLastAdmin {
		t.Fatalf("%q and %q, want one refused with %s", one, two, CodeLastAdmin)
	}
	last := root
	if u, err := s.User(t.Context(), root.ID); err != nil || u.Disabled {
		last = other
	}
	wantCode(t, "demote", change(last.ID, UserChange{Roles: []string{"engineer"}}), CodeLastAdmin)
	wantCode(t, "limit", change(last.ID, UserChange{Roles: []string{"admin"}, Subtrees: []string{"ons1"}}), CodeLastAdmin)
	_, err := s.DeleteUser(t.Context(), boss, last.ID)
	wantCode(t, "remove", err, CodeLastAdmin)
	_, err = s.DeleteUser(t.Context(), Principal{ID: "user:" + last.ID, Roles: RolesOf(Admin)}, last.ID)
	wantCode(t, "remove himself", err, CodeSelf)
	addAccount(t, s, "third", "admin")
	if err := change(last.ID, UserChange{Roles: []string{"engineer"}}); err != nil {
		t.Errorf("demote where there is another: %v", err)
	}
}

func TestNobodyGivesMoreThanHeHas(t *testing.T) {
	t.Parallel()
	s := newService(t, Options{})
	engineer := Principal{ID: "user:e", Name: "e", Roles: RolesOf(Engineer)}
	north := Principal{ID: "user:n", Name: "n", Roles: RolesOf(Operator), Subtrees: []string{"ons1"}}
	for _, c := range []struct {
		name     string
		by       Principal
		roles    []string
		subtrees []string
		code     string
	}{
		{"the same", engineer, []string{"engineer"}, nil, ""},
		{"less", engineer, []string{"viewer"}, []string{"ons1"}, ""},
		{"another role", engineer, []string{"operator"}, nil, CodeForbidden},
		{"more", engineer, []string{"engineer", "admin"}, nil, CodeForbidden},
		{"within the subtree", north, []string{"operator"}, []string{"ons1/t1"}, ""},
		{"beside the subtree", north, []string{"operator"}, []string{"ons10"}, CodeForbidden},
		{"without limit", north, []string{"viewer"}, nil, CodeForbidden},
		{"an admin gives everything", boss, []string{"admin", "operator"}, nil, ""},
		{"no role", boss, nil, nil, CodeInvalid},
		{"an unknown role", boss, []string{"boss"}, nil, CodeInvalid},
		{"a faulty subtree", boss, []string{"viewer"}, []string{"a//b"}, CodeInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := s.CreateToken(t.Context(), c.by, NewToken{Name: c.name, Roles: c.roles, Subtrees: c.subtrees})
			wantCode(t, "token", err, c.code)
			_, _, err = s.CreateUser(t.Context(), c.by, NewUser{Name: strings.ReplaceAll(c.name, " ", "-"), Roles: c.roles, Subtrees: c.subtrees})
			wantCode(t, "user", err, c.code)
		})
	}
}

func TestNamesOfUsers(t *testing.T) {
	t.Parallel()
	s := newService(t, Options{})
	for _, c := range []struct{ name, code string }{
		{"alice", ""}, {"Bob.B@Example.com", ""}, {"ALICE", CodeConflict}, {" alice\n", CodeConflict}, {"", CodeInvalid}, {"a b", CodeInvalid},
		{"-x", CodeInvalid}, {"a/b", CodeInvalid}, {"älice", CodeInvalid}, {strings.Repeat("x", 65), CodeInvalid},
	} {
		_, _, err := s.CreateUser(t.Context(), boss, NewUser{Name: c.name, Roles: []string{"viewer"}})
		wantCode(t, c.name, err, c.code)
	}
}

func TestTokensEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, Options{Config: Config{TokenLongest: 48 * time.Hour}})
		day := time.Now().Add(24 * time.Hour)
		token, secret, err := s.CreateToken(t.Context(), boss, NewToken{Name: "ci", Roles: []string{"engineer"}, Expires: day})
		if err != nil {
			t.Fatal(err)
		}
		p, err := s.byToken(t.Context(), secret)
		if err != nil || p.Name != "token ci" || !p.Expires.Equal(day) {
			t.Fatalf("%+v, %v", p, err)
		}
		_, _, err = s.CreateToken(t.Context(), boss, NewToken{Name: "long", Roles: []string{"viewer"}, Expires: day.Add(48 * time.Hour)})
		wantCode(t, "longer than the settings permit", err, CodeInvalid)
		longest, _, err := s.CreateToken(t.Context(), boss, NewToken{Name: "longest", Roles: []string{"viewer"}})
		if err != nil || time.Until(longest.Expires) > 48*time.Hour {
			t.Errorf("without an end: %v, %v", longest.Expires, err)
		}
		time.Sleep(24 * time.Hour)
		_, err = s.byToken(t.Context(), secret)
		wantCode(t, "at its end", err, CodeExpired)
		if _, err := s.DeleteToken(t.Context(), token.ID); err != nil {
			t.Fatal(err)
		}
		_, err = s.byToken(t.Context(), secret)
		wantCode(t, "removed", err, CodeToken)
		if err := s.store.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestRightsChangeAtOnce(t *testing.T) {
	t.Parallel()
	s := newService(t, Options{})
	alice := addAccount(t, s, "alice", "operator", "engineer")
	o := mustSignIn(t, s, "alice", goodPassword)
	if _, _, err := s.UpdateUser(t.Context(), boss, alice.ID, UserChange{Roles: []string{"viewer"}, Subtrees: []string{"ons1"}}); err != nil {
		t.Fatal(err)
	}
	p, err := s.Authenticate(request("GET", o.Secret))
	if err != nil || p.Roles != RolesOf(Viewer) || !cmp.Equal(p.Subtrees, []string{"ons1"}) {
		t.Errorf("%+v, %v", p, err)
	}
	if _, _, err := s.UpdateUser(t.Context(), boss, alice.ID, UserChange{Roles: []string{"viewer"}, Disabled: true}); err != nil {
		t.Fatal(err)
	}
	_, err = s.Authenticate(request("GET", o.Secret))
	wantCode(t, "disabled", err, CodeSession)
}

func TestChangeOfThePasswordEndsOtherSessions(t *testing.T) {
	t.Parallel()
	s := newService(t, Options{})
	addAccount(t, s, "alice", "operator")
	own, other := mustSignIn(t, s, "alice", goodPassword), mustSignIn(t, s, "alice", goodPassword)
	const next = "9 dry leaves burn"
	wantCode(t, "wrong password", s.ChangePassword(t.Context(), own.Principal, "x", next), CodeCredentials)
	wantCode(t, "the same again", s.ChangePassword(t.Context(), own.Principal, goodPassword, goodPassword), CodePassword)
	if err := s.ChangePassword(t.Context(), own.Principal, goodPassword, next); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Authenticate(request("GET", own.Secret)); err != nil {
		t.Error(err)
	}
	_, err := s.Authenticate(request("GET", other.Secret))
	wantCode(t, "the other session", err, CodeSession)
	_, err = signIn(t, s, "alice", goodPassword, "")
	wantCode(t, "the old password", err, CodeCredentials)
	mustSignIn(t, s, "alice", next)
}

func TestSecondFactor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, Options{})
		addAccount(t, s, "alice", "operator")
		p := mustSignIn(t, s, "alice", goodPassword).Principal
		_, _, err := s.BeginTOTP(t.Context(), p, "wrong")
		wantCode(t, "wrong password", err, CodeCredentials)
		secret, _, err := s.BeginTOTP(t.Context(), p, goodPassword)
		if err != nil {
			t.Fatal(err)
		}
		mustSignIn(t, s, "alice", goodPassword) // not asked for before it is confirmed
		code := func() string {
			t.Helper()
			c, err := totp.GenerateCode(secret, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		codes, err := s.ConfirmTOTP(t.Context(), p, code())
		if err != nil || len(codes) != recoveryCodes {
			t.Fatal(codes, err)
		}
		_, err = signIn(t, s, "alice", goodPassword, "")
		wantCode(t, "no code", err, CodeSecondFactor)
		_, err = signIn(t, s, "alice", "wrong", code())
		wantCode(t, "wrong password with a code", err, CodeCredentials)
		_, err = signIn(t, s, "alice", goodPassword, code())
		wantCode(t, "the code that confirmed it", err, CodeCredentials)
		time.Sleep(time.Minute)
		var wg sync.WaitGroup
		results := make(chan error, 5)
		for range 5 { // many at once with the same code
			wg.Go(func() {
				_, err := signIn(t, s, "alice", goodPassword, code())
				results <- err
			})
		}
		wg.Wait()
		passed := 0
		for range 5 {
			if err := <-results; err == nil {
				passed++
			} else {
				wantCode(t, "the same code again", err, CodeCredentials)
			}
		}
		if passed != 1 {
			t.Errorf("the same code let %d in, want 1", passed)
		}
		for range 12 { // guesses of codes lock the account, although the password is right
			time.Sleep(accountEvery)
			_, err := signIn(t, s, "alice", goodPassword, "000000")
			wantCode(t, "guess", err, CodeCredentials)
			_, err = signIn(t, s, "alice", goodPassword, "")
			if code, _ := codeOf(err); code != CodeSecondFactor && code != CodeCredentials && code != CodeTooMany {
				t.Error(err)
			}
		}
		_, err = signIn(t, s, "alice", goodPassword, codes[0])
		wantCode(t, "locked", err, CodeCredentials)
		time.Sleep(16 * time.Minute)
		if _, err := signIn(t, s, "alice", goodPassword, codes[0]); err != nil {
			t.Error(err)
		}
		if err := s.RemoveTOTP(t.Context(), p, goodPassword); err != nil {
			t.Fatal(err)
		}
		mustSignIn(t, s, "alice", goodPassword)
		if err := s.store.Close(); err != nil {
			t.Error(err)
		}
	})
}
