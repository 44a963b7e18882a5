package auth

import (
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/store"
)

const goodPassword = "wet stone 7 lamp"

var boss = Principal{ID: "user:boss", Name: "boss", Roles: RolesOf(Admin)}

// newService returns a service on an empty store.
func newService(t *testing.T, o Options) *Service {
	t.Helper()
	st, err := store.Open(t.Context(), store.Options{Path: filepath.Join(t.TempDir(), "store.db"), Key: []byte(strings.Repeat("k", 32))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	o.Cost = cheap
	for i := range o.Providers {
		if err := o.Providers[i].prepare(); err != nil {
			t.Fatal(err)
		}
	}
	s, err := New(st, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// addAccount adds an account with goodPassword that need not be changed.
func addAccount(t *testing.T, s *Service, name string, roles ...string) store.User {
	t.Helper()
	u, _, err := s.CreateUser(t.Context(), boss, NewUser{Name: name, Roles: roles})
	if err != nil {
		t.Fatal(err)
	}
	if u.Password, err = s.hashes.hash(t.Context(), goodPassword); err != nil {
		t.Fatal(err)
	}
	u.MustChange = false
	if u, err = s.store.UpdateUser(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	return u
}

// signIn signs in from an address of its own.
func signIn(t *testing.T, s *Service, name, password, code string) (Opened, error) {
	t.Helper()
	return s.SignIn(t.Context(), Credentials{name, password, code}, Client{Address: name + t.Name()})
}

func mustSignIn(t *testing.T, s *Service, name, password string) Opened {
	t.Helper()
	o, err := signIn(t, s, name, password, "")
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// request returns a request with a cookie.
func request(method, secret string, header ...string) *http.Request {
	r := httptest.NewRequest(method, "http://busbar.test/api/v1/me", nil)
	r.AddCookie(&http.Cookie{Name: SessionCookie, Value: secret})
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

func wantCode(t *testing.T, what string, err error, code string) {
	t.Helper()
	if got, _ := codeOf(err); got != code {
		t.Errorf("%s: %v, want %q", what, err, code)
	}
}

func TestSignInWithAPassword(t *testing.T) {
	t.Parallel()
	s := newService(t, Options{})
	alice := addAccount(t, s, "alice", "operator")
	o := mustSignIn(t, s, " Alice ", goodPassword)
	p, err := s.Authenticate(request("GET", o.Secret))
	if err != nil || p.ID != "user:"+alice.ID || p.Name != "alice" || p.Roles != RolesOf(Operator) || p.Session == "" || p.MustChange {
		t.Errorf("%+v, %v", p, err)
	}
	_, err = s.Authenticate(request("GET", o.Secret+"x"))
	wantCode(t, "a cookie that is not ours", err, CodeSession)
	_, err = s.Authenticate(httptest.NewRequest(http.MethodGet, "/", nil))
	wantCode(t, "nothing", err, CodeUnauthenticated)
	if err := s.SignOut(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	_, err = s.Authenticate(request("GET", o.Secret))
	wantCode(t, "after signing out", err, CodeSession)
}

// Whoever tries learns nothing about which names there are.
func TestSignInRefusesAlike(t *testing.T) {
	t.Parallel()
	s := newService(t, Options{})
	addAccount(t, s, "alice", "operator")
	carol := addAccount(t, s, "carol", "operator")
	if _, _, err := s.UpdateUser(t.Context(), boss, addAccount(t, s, "root", "admin").ID, UserChange{Roles: []string{"admin"}}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.UpdateUser(t.Context(), boss, carol.ID, UserChange{Roles: []string{"operator"}, Disabled: true}); err != nil {
		t.Fatal(err)
	}
	want := errCredentials.Error()
	for _, c := range []Credentials{{"alice", "wrong", ""}, {"nobody", goodPassword, ""}, {"carol", goodPassword, ""}, {"", "", ""},
		{"alice", strings.Repeat("x", 5000), ""}, {"alice", "", "123456"}} {
		_, err := signIn(t, s, c.Name, c.Password, c.Code)
		if err == nil || err.Error() != want {
			t.Errorf("%+v: %v, want %v", c, err, want)
		}
	}
	entries, err := s.store.Audit(t.Context(), store.AuditFilter{Action: "auth.login"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Actor+": "+e.Result+": "+e.Detail)
	}
	if diff := cmp.Diff([]string{"alice: refused: wrong password", ": refused: there is no such user", "carol: refused: the account is disabled",
		"nobody: refused: there is no such user", "alice: refused: wrong password"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestAccountIsLockedAndUnlocked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, Options{})
		addAccount(t, s, "alice", "operator")
		fail := func(n int) {
			for range n {
				time.Sleep(accountEvery)
				_, err := signIn(t, s, "alice", "wrong", "")
				wantCode(t, "wrong password", err, CodeCredentials)
			}
		}
		fail(9)
		time.Sleep(accountEvery)
		mustSignIn(t, s, "alice", goodPassword) // starts from the beginning
		for _, lock := range []time.Duration{15 * time.Minute, 30 * time.Minute, time.Hour} {
			fail(10)
			time.Sleep(lock - time.Second)
			again, err := New(s.store, Options{Cost: cheap}) // a restart forgets nothing
			if err != nil {
				t.Fatal(err)
			}
			_, err = signIn(t, again, "alice", goodPassword, "")
			wantCode(t, "the right password while locked", err, CodeCredentials)
			time.Sleep(2 * time.Second)
		}
		mustSignIn(t, s, "alice", goodPassword)
		locks, err := s.store.Audit(t.Context(), store.AuditFilter{Action: "auth.lockout"}, 0)
		if err != nil || len(locks) != 3 {
			t.Errorf("%d lock-outs in the audit log, %v, want 3", len(locks), err)
		}
		fail(10)
		u, err := s.store.UserByName(t.Context(), "alice")
		if err != nil {
			t.Fatal(err)
		}
		_, password, err := s.ResetPassword(t.Context(), u.ID, false)
		if err != nil {
			t.Fatal(err)
		}
		if o := mustSignIn(t, s, "alice", password); !o.Principal.MustChange {
			t.Error("a one-time password need not be changed")
		}
		if err := s.store.Close(); err != nil {
			t.Error(err)
		}
	})
}

// Attempts at the same time are no more than attempts one after the other.
func TestLockOutHoldsAgainstManyAtOnce(t *testing.T) {
	t.Parallel()
	s := newService(t, Options{})
	u := addAccount(t, s, "alice", "operator")
	var wg sync.WaitGroup
	for range 25 {
		wg.Go(func() {
			if _, _, err := s.provePassword(t.Context(), u, "wrong"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got, err := s.store.User(t.Context(), u.ID)
	if err != nil || got.Failures != 10 || got.LockedUntil.IsZero() {
		t.Errorf("%d failures, locked until %v, %v, want 10 and locked", got.Failures, got.LockedUntil, err)
	}
}

func TestAttemptsToSignInAreLimited(t *testing.T) {
	t.Parallel()
	s := newService(t, Options{})
	tried := func(name, address string) (n int) {
		for n = 0; ; n++ {
			_, err := s.SignIn(t.Context(), Credentials{Name: name, Password: "x"}, Client{Address: address})
			if code, status := codeOf(err); code == CodeTooMany && status == 429 {
				return n
			} else if code != CodeCredentials || n > 100 {
				t.Fatal(n, err)
			}
		}
	}
	if n := tried("nobody", "192.0.2.1"); n < accountBurst || n > accountBurst+1 {
		t.Errorf("%d attempts at an account, want %d", n, accountBurst)
	}
	if n := tried("somebody", "192.0.2.1"); n < addressBurst-accountBurst-2 || n > addressBurst-accountBurst+2 {
		t.Errorf("%d more attempts from the same address, want about %d", n, addressBurst-accountBurst)
	}
}

func TestPasswordIsHashedAnew(t *testing.T) {
	t.Parallel()
	s := newService(t, Options{})
	u := addAccount(t, s, "alice", "operator")
	s.hashes = newHasher(Cost{Memory: 128, Passes: 1, Lanes: 1})
	mustSignIn(t, s, "alice", goodPassword)
	got, err := s.store.User(t.Context(), u.ID)
	if err != nil || !strings.Contains(got.Password, "m=128") {
		t.Errorf("%s, %v, want it hashed at the new cost", got.Password, err)
	}
	mustSignIn(t, s, "alice", goodPassword)
}

func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, Options{})
		addAccount(t, s, "alice", "operator")
		busy := mustSignIn(t, s, "alice", goodPassword)
		time.Sleep(time.Hour)
		if _, err := s.Authenticate(request("GET", busy.Secret)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(7*time.Hour + 59*time.Minute)
		if _, err := s.Authenticate(request("GET", busy.Secret)); err != nil {
			t.Errorf("idle for less than 8 h: %v", err)
		}
		time.Sleep(8*time.Hour + time.Second)
		_, err := s.Authenticate(request("GET", busy.Secret))
		wantCode(t, "idle for more than 8 h", err, CodeSession)
		if err := s.store.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestSessionsEndAfterADayInAnyCase(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, Options{})
		addAccount(t, s, "alice", "operator")
		o := mustSignIn(t, s, "alice", goodPassword)
		for range 24*2 - 1 {
			time.Sleep(30 * time.Minute)
			if _, err := s.Authenticate(request("GET", o.Secret)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(30*time.Minute + time.Second)
		_, err := s.Authenticate(request("GET", o.Secret))
		wantCode(t, "after a day in use", err, CodeSession)
		if n, err := s.store.DeleteSessionsExpired(t.Context(), time.Now()); n != 1 || err != nil {
			t.Errorf("%d expired sessions, %v, want 1", n, err)
		}
		if err := s.store.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestSessionsAreListedAndEnded(t *testing.T) {
	t.Parallel()
	s := newService(t, Options{})
	addAccount(t, s, "alice", "operator")
	addAccount(t, s, "bob", "operator")
	one, two, other := mustSignIn(t, s, "alice", goodPassword), mustSignIn(t, s, "alice", goodPassword), mustSignIn(t, s, "bob", goodPassword)
	list, err := s.Sessions(t.Context(), one.Principal.ID)
	if err != nil || len(list) != 2 {
		t.Fatalf("%d sessions, %v, want 2", len(list), err)
	}
	wantCode(t, "the session of somebody else", s.EndSession(t.Context(), one.Principal.ID, other.Principal.Session), CodeNotFound)
	wantCode(t, "a session of nobody", s.EndSession(t.Context(), "user:", two.Principal.Session), CodeNotFound)
	if err := s.EndSession(t.Context(), one.Principal.ID, two.Principal.Session); err != nil {
		t.Fatal(err)
	}
	_, err = s.Authenticate(request("GET", two.Secret))
	wantCode(t, "ended", err, CodeSession)
	if _, err := s.Authenticate(request("GET", one.Secret)); err != nil {
		t.Error(err)
	}
}

func TestChangesWithACookieComeFromOurPages(t *testing.T) {
	t.Parallel()
	s := newService(t, Options{Config: Config{URL: "https://front.test"}})
	addAccount(t, s, "alice", "operator")
	o := mustSignIn(t, s, "alice", goodPassword)
	for _, c := range []struct {
		name, method string
		header       []string
		tls          bool
		want         string
	}{
		{"reading needs nothing", "GET", nil, false, ""},
		{"no header", "POST", nil, false, CodeCSRF},
		{"another value", "DELETE", []string{CSRFHeader, "0"}, false, CodeCSRF},
		{"a program", "PUT", []string{CSRFHeader, "1"}, false, ""},
		{"our page", "POST", []string{CSRFHeader, "1", "Origin", "http://busbar.test", "Sec-Fetch-Site", "same-origin"}, false, ""},
		{"our page behind a proxy", "POST", []string{CSRFHeader, "1", "Origin", "https://front.test"}, false, ""},
		{"our page over TLS", "POST", []string{CSRFHeader, "1", "Origin", "https://busbar.test"}, true, ""},
		{"another page", "POST", []string{CSRFHeader, "1", "Origin", "http://evil.test"}, false, CodeCSRF},
		{"another port", "POST", []string{CSRFHeader, "1", "Origin", "http://busbar.test:81"}, false, CodeCSRF},
		{"our page without TLS", "POST", []string{CSRFHeader, "1", "Origin", "http://busbar.test"}, true, CodeCSRF},
		{"a page of nobody", "POST", []string{CSRFHeader, "1", "Origin", "null"}, false, CodeCSRF},
		{"another site, as the browser says", "POST", []string{CSRFHeader, "1", "Sec-Fetch-Site", "cross-site"}, false, CodeCSRF},
		{"a neighbour", "PATCH", []string{CSRFHeader, "1", "Sec-Fetch-Site", "same-site"}, false, CodeCSRF},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := request(c.method, o.Secret, c.header...)
			if c.tls {
				r.TLS = &tls.ConnectionState{}
			}
			_, err := s.Authenticate(r)
			wantCode(t, c.method, err, c.want)
		})
	}
}

func TestStoreThatFailsIsNoRefusal(t *testing.T) {
	t.Parallel()
	s := newService(t, Options{})
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
	var refused *Error
	if _, err := s.Authenticate(request("GET", "x")); err == nil || errors.As(err, &refused) {
		t.Errorf("%v, want a failure of ours", err)
	}
}
