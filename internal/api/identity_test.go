package api

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"busbar/internal/auth"
	"busbar/internal/auth/authtest"
	"busbar/internal/store"
)

// identityRig is an API with real accounts.
type identityRig struct {
	*rig
	accounts *auth.Service
	store    *store.Store
	issuer   *authtest.Issuer
}

// cheap makes hashing quick.
var cheap = auth.Cost{Memory: 64, Passes: 1, Lanes: 1}

func newIdentityRig(t *testing.T) *identityRig {
	t.Helper()
	st, err := store.Open(t.Context(), store.Options{Path: filepath.Join(t.TempDir(), "store.db"), Key: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	issuer := authtest.New("https://id.example")
	accounts, err := auth.New(st, auth.Options{Dir: t.TempDir(), Cost: cheap, Transport: issuer, Providers: []auth.Provider{{
		Name: "corp", Title: "Company account", Issuer: "https://id.example", Audiences: []string{"busbar"}, ClientID: "busbar-ui", ClientSecret: "hush",
		Scopes: []string{"openid"}, Skew: time.Minute, Algorithms: []string{"RS256"}, SubjectClaim: "sub",
		Roles: []auth.RoleRule{{Claim: "roles", Value: "operator", Role: "operator"}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	r := &identityRig{accounts: accounts, store: st, issuer: issuer}
	r.rig = newRig(t, func(d *Deps) { d.Auth, d.Accounts, d.Audit = accounts, accounts, st })
	return r
}

// first signs the first administrator in and returns his cookie, with the password changed.
func (r *identityRig) first() option {
	r.t.Helper()
	var terminal strings.Builder
	if err := r.accounts.FirstAdmin(r.t.Context(), &terminal); err != nil {
		r.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(terminal.String(), "one-time password ")
	password, _, _ := strings.Cut(rest, " ")
	cookie := r.signIn("admin", password)
	r.changePassword(cookie, password, adminPassword)
	return cookie
}

const (
	adminPassword = "wet stone 7 lamp"
	alicePassword = "9 dry leaves burn"
)

func (r *identityRig) signIn(name, password string) option {
	r.t.Helper()
	w := r.do("POST", "/auth/login", map[string]any{"name": name, "password": password})
	decoded[Me](r.t, w, http.StatusOK)
	return cookieOf(r.t, w)
}

// cookieOf returns the cookie that an answer sets, with the header of our pages.
func cookieOf(t *testing.T, w *httptest.ResponseRecorder) option {
	t.Helper()
	for _, c := range w.Result().Cookies() {
		if c.Name == auth.SessionCookie && c.Value != "" {
			if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" {
				t.Errorf("cookie %v", c)
			}
			return func(r *http.Request) {
				r.AddCookie(c)
				r.Header.Set(auth.CSRFHeader, "1")
			}
		}
	}
	t.Fatalf("no session in answer %d %s", w.Code, w.Body)
	return nil
}

func (r *identityRig) changePassword(who option, current, next string) {
	r.t.Helper()
	if w := r.do("POST", "/auth/password", map[string]any{"currentPassword": current, "newPassword": next}, who); w.Code != http.StatusNoContent {
		r.t.Fatalf("answer %d %s", w.Code, w.Body)
	}
}

// addAccount adds an account with a password that need not be changed, and signs it in.
func (r *identityRig) addAccount(admin option, name, password string, roles ...string) (User, option) {
	r.t.Helper()
	made := decoded[NewUser](r.t, r.do("POST", "/users", map[string]any{"name": name, "roles": roles}, admin), http.StatusCreated)
	cookie := r.signIn(name, made.Password)
	r.changePassword(cookie, made.Password, password)
	return made.User, cookie
}

func TestFirstSignInOverTheAPI(t *testing.T) {
	t.Parallel()
	r := newIdentityRig(t)
	var terminal strings.Builder
	if err := r.accounts.FirstAdmin(t.Context(), &terminal); err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(terminal.String(), "one-time password ")
	password, _, _ := strings.Cut(rest, " ")
	r.problem(r.do("POST", "/auth/login", map[string]any{"name": "admin", "password": "x"}), 401, "invalid-credentials")
	r.problem(r.do("POST", "/auth/login", map[string]any{"name": "admin", "password": password}, header("Sec-Fetch-Site", "cross-site")), 403, "csrf")
	cookie := r.signIn("admin", password)
	if me := decoded[Me](t, r.do("GET", "/me", nil, cookie), 200); !me.MustChange || me.Name != "admin" || me.Session == "" {
		t.Errorf("me %+v", me)
	}
	r.problem(r.do("GET", "/users", nil, cookie), 403, "password-change-required")
	weak := r.problem(r.do("POST", "/auth/password", map[string]any{"currentPassword": password, "newPassword": "short"}, cookie), 422, "password-rules")
	if len(weak.Errors) != 1 || weak.Errors[0].Location != "newPassword" {
		t.Errorf("faults %+v", weak.Errors)
	}
	r.problem(r.do("POST", "/auth/password", map[string]any{"currentPassword": "x", "newPassword": adminPassword}, cookie), 403, "invalid-credentials")
	r.changePassword(cookie, password, adminPassword)
	if users := decoded[list[User]](t, r.do("GET", "/users", nil, cookie), 200); len(users.Items) != 1 || users.Items[0].MustChange {
		t.Errorf("users %+v", users)
	}
	if w := r.do("POST", "/auth/logout", nil, cookie); w.Code != 204 || !strings.Contains(w.Header().Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("logout: %d %v", w.Code, w.Header())
	}
	w := r.do("GET", "/me", nil, cookie)
	r.problem(w, 401, "invalid-session")
	if w.Header().Get("WWW-Authenticate") == "" {
		t.Error("no challenge")
	}
	entries, err := r.store.Audit(t.Context(), store.AuditFilter{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	text := string(must(json.Marshal(entries)))
	for _, want := range []string{`"auth.login"`, `"changePassword"`, `"logout"`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not in the audit log", want)
		}
	}
	for _, secret := range []string{password, adminPassword} {
		if strings.Contains(text, secret) {
			t.Error("a password is in the audit log")
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestUsersOverTheAPI(t *testing.T) {
	t.Parallel()
	r := newIdentityRig(t)
	admin := r.first()
	adminID := strings.TrimPrefix(decoded[Me](t, r.do("GET", "/me", nil, admin), 200).ID, "user:")
	alice, cookie := r.addAccount(admin, "Alice", alicePassword, "operator")
	if alice.Name != "alice" || !alice.MustChange {
		t.Errorf("alice %+v", alice)
	}
	r.problem(r.do("POST", "/users", map[string]any{"name": "alice", "roles": []string{"viewer"}}, admin), 409, "conflict")
	r.problem(r.do("POST", "/users", map[string]any{"name": "bob", "roles": []string{"boss"}}, admin), 422, "invalid")
	r.problem(r.do("GET", "/users", nil, cookie), 403, "forbidden")
	r.problem(r.do("GET", "/users/nobody", nil, admin), 404, "not-found")
	w := r.do("GET", "/users/"+alice.ID, nil, admin)
	tag := w.Header().Get("ETag")
	if got := decoded[User](t, w, 200); got.Name != "alice" || got.LastLogin == nil || tag == "" {
		t.Errorf("alice %+v, tag %q", got, tag)
	}
	if w := r.do("GET", "/users/"+alice.ID, nil, admin, header("If-None-Match", tag)); w.Code != 304 {
		t.Errorf("not modified: %d", w.Code)
	}
	r.problem(r.do("GET", "/users/"+alice.ID, nil, admin, header("If-Match", `"0-0"`)), 412, "precondition-failed")
	change := map[string]any{"roles": []string{"operator", "engineer"}, "subtrees": []string{"ons1"}}
	r.problem(r.do("PUT", "/users/"+alice.ID, change, admin, header("If-Match", `"0-0"`)), 412, "precondition-failed")
	r.problem(r.do("PUT", "/users/nobody", change, admin), 404, "not-found")
	if got := decoded[User](t, r.do("PUT", "/users/"+alice.ID, change, admin, header("If-Match", tag)), 200); len(got.Roles) != 2 || len(got.Subtrees) != 1 {
		t.Errorf("changed %+v", got)
	}
	if me := decoded[Me](t, r.do("GET", "/me", nil, cookie), 200); len(me.Roles) != 2 || len(me.Subtrees) != 1 {
		t.Errorf("the session has %+v", me)
	}
	r.problem(r.do("PUT", "/users/"+adminID, map[string]any{"roles": []string{"viewer"}, "subtrees": []string{}}, admin), 409, "last-admin")
	r.problem(r.do("PUT", "/users/"+adminID, map[string]any{"roles": []string{"viewer"}}, admin), 422, "invalid") // no limit by leaving it out
	r.problem(r.do("PUT", "/users/"+adminID, map[string]any{"roles": []string{"admin"}, "subtrees": []string{}, "disabled": true}, admin), 409, "own-account")
	r.problem(r.do("DELETE", "/users/"+adminID, nil, admin), 409, "own-account")
	r.problem(r.do("DELETE", "/users/nobody", nil, admin), 404, "not-found")
	r.problem(r.do("POST", "/users/nobody/reset-password", map[string]any{}, admin), 404, "not-found")
	reset := decoded[OneTimePassword](t, r.do("POST", "/users/"+alice.ID+"/reset-password", nil, admin), 200)
	r.problem(r.do("GET", "/me", nil, cookie), 401, "invalid-session")
	again := r.signIn("alice", reset.Password)
	r.changePassword(again, reset.Password, alicePassword)
	if got := decoded[list[Session]](t, r.do("GET", "/users/"+alice.ID+"/sessions", nil, admin), 200); len(got.Items) != 1 || got.Items[0].Current {
		t.Errorf("sessions %+v", got)
	}
	r.problem(r.do("GET", "/users/nobody/sessions", nil, admin), 404, "not-found")
	r.problem(r.do("DELETE", "/users/nobody/sessions", nil, admin), 404, "not-found")
	if w := r.do("DELETE", "/users/"+alice.ID+"/sessions", nil, admin); w.Code != 204 {
		t.Errorf("end sessions: %d %s", w.Code, w.Body)
	}
	r.problem(r.do("GET", "/me", nil, again), 401, "invalid-session")
	if got := decoded[list[Session]](t, r.do("GET", "/users/oidc:corp:s1/sessions", nil, admin), 200); len(got.Items) != 0 {
		t.Errorf("sessions %+v", got)
	}
	if w := r.do("DELETE", "/users/"+alice.ID, nil, admin); w.Code != 204 {
		t.Errorf("remove: %d %s", w.Code, w.Body)
	}
	r.problem(r.do("POST", "/auth/login", map[string]any{"name": "alice", "password": alicePassword}), 401, "invalid-credentials")
}

func TestUsersAreListedInParts(t *testing.T) {
	t.Parallel()
	r := newIdentityRig(t)
	admin := r.first()
	for _, name := range []string{"b1", "b2", "b3"} {
		decoded[NewUser](t, r.do("POST", "/users", map[string]any{"name": name, "roles": []string{"viewer"}}, admin), 201)
		decoded[NewToken](t, r.do("POST", "/tokens", map[string]any{"name": name, "roles": []string{"viewer"}}, admin), 201)
	}
	one := decoded[list[User]](t, r.do("GET", "/users?limit=3", nil, admin), 200)
	two := decoded[list[User]](t, r.do("GET", "/users?limit=3&cursor="+one.Next, nil, admin), 200)
	if len(one.Items) != 3 || len(two.Items) != 1 || two.Items[0].Name != "b3" || two.Next != "" {
		t.Errorf("%+v, %+v", one, two)
	}
	tokens := decoded[list[Token]](t, r.do("GET", "/tokens?limit=2", nil, admin), 200)
	rest := decoded[list[Token]](t, r.do("GET", "/tokens?limit=2&cursor="+tokens.Next, nil, admin), 200)
	if len(tokens.Items) != 2 || len(rest.Items) != 1 || rest.Items[0].Name != "b3" || rest.Next != "" {
		t.Errorf("%+v, %+v", tokens, rest)
	}
	r.problem(r.do("GET", "/tokens?cursor="+one.Next, nil, admin), 422, "invalid")
}

func TestTokensOverTheAPI(t *testing.T) {
	t.Parallel()
	r := newIdentityRig(t)
	admin := r.first()
	made := decoded[NewToken](t, r.do("POST", "/tokens", map[string]any{"name": "ci", "roles": []string{"engineer"}, "subtrees": []string{"ons1"}}, admin), 201)
	if !strings.HasPrefix(made.Secret, made.Token.Prefix) || made.Token.Expires == nil || made.Token.Author != "admin" {
		t.Errorf("token %+v", made)
	}
	me := decoded[Me](t, r.do("GET", "/me", nil, header("Authorization", "bearer "+made.Secret)), 200)
	if me.ID != "token:"+made.Token.ID || me.Name != "token ci" || me.Session != "" || len(me.Subtrees) != 1 {
		t.Errorf("me %+v", me)
	}
	r.problem(r.do("POST", "/auth/logout", nil, as(made.Secret)), 422, "invalid")
	r.problem(r.do("POST", "/auth/password", map[string]any{"currentPassword": "x", "newPassword": "y"}, as(made.Secret)), 403, "forbidden")
	r.problem(r.do("POST", "/tokens", map[string]any{"name": "ci", "roles": []string{"viewer"}}, admin), 409, "conflict")
	r.problem(r.do("POST", "/tokens", map[string]any{"name": "old", "roles": []string{"viewer"}, "expires": "2020-01-01T00:00:00Z"}, admin), 422, "invalid")
	if got := decoded[Token](t, r.do("GET", "/tokens/"+made.Token.ID, nil, admin), 200); got.LastUsed == nil {
		t.Errorf("token %+v", got)
	}
	r.problem(r.do("GET", "/tokens/none", nil, admin), 404, "not-found")
	r.problem(r.do("DELETE", "/tokens/none", nil, admin), 404, "not-found")
	if w := r.do("DELETE", "/tokens/"+made.Token.ID, nil, admin); w.Code != 204 {
		t.Errorf("remove: %d", w.Code)
	}
	r.problem(r.do("GET", "/me", nil, as(made.Secret)), 401, "invalid-token")
	r.problem(r.do("GET", "/me", nil, as("bb_short")), 401, "invalid-token")
	r.problem(r.do("GET", "/me", nil, header("Authorization", "Basic eDp5")), 401, "invalid-token")
	if got := decoded[list[RoleInfo]](t, r.do("GET", "/roles", nil, admin), 200); len(got.Items) != 4 {
		t.Errorf("roles %+v", got)
	}
}

func TestSecondFactorOverTheAPI(t *testing.T) {
	t.Parallel()
	r := newIdentityRig(t)
	_, alice := r.addAccount(r.first(), "alice", alicePassword, "operator")
	r.problem(r.do("POST", "/auth/totp/verify", map[string]any{"code": "000000"}, alice), 409, "conflict")
	secret := decoded[TOTPSecret](t, r.do("POST", "/auth/totp", map[string]any{"password": alicePassword}, alice), 200)
	r.problem(r.do("POST", "/auth/totp/verify", map[string]any{"code": "abcdef"}, alice), 422, "invalid-credentials")
	now := time.Now()
	codes := decoded[RecoveryCodes](t, r.do("POST", "/auth/totp/verify", map[string]any{"code": totpCode(t, secret.Secret, now)}, alice), 200)
	r.problem(r.do("POST", "/auth/totp", map[string]any{"password": alicePassword}, alice), 409, "conflict")
	login := map[string]any{"name": "alice", "password": alicePassword}
	r.problem(r.do("POST", "/auth/login", login), 401, "totp-required")
	login["code"] = codes.Codes[0]
	if me := decoded[Me](t, r.do("POST", "/auth/login", login), 200); !me.TOTP {
		t.Errorf("me %+v", me)
	}
	r.problem(r.do("POST", "/auth/login", login), 401, "invalid-credentials")
	r.problem(r.do("POST", "/auth/totp/remove", map[string]any{"password": "wrong"}, alice), 403, "invalid-credentials")
	if w := r.do("POST", "/auth/totp/remove", map[string]any{"password": alicePassword}, alice); w.Code != 204 {
		t.Errorf("remove: %d %s", w.Code, w.Body)
	}
	sessions := decoded[list[Session]](t, r.do("GET", "/me/sessions", nil, alice), 200)
	if len(sessions.Items) != 2 {
		t.Fatalf("sessions %+v", sessions)
	}
	r.problem(r.do("DELETE", "/me/sessions/none", nil, alice), 404, "not-found")
	for _, s := range sessions.Items {
		if !s.Current {
			if w := r.do("DELETE", "/me/sessions/"+s.ID, nil, alice); w.Code != 204 {
				t.Errorf("end: %d", w.Code)
			}
		}
	}
}

func TestSignInWithAProviderOverTheAPI(t *testing.T) {
	t.Parallel()
	r := newIdentityRig(t)
	providers := decoded[list[Provider]](t, r.do("GET", "/auth/providers", nil), 200)
	if len(providers.Items) != 1 || providers.Items[0] != (Provider{"corp", "Company account", "/api/v1/auth/oidc/corp/start"}) {
		t.Errorf("providers %+v", providers)
	}
	r.problem(r.do("GET", "/auth/oidc/none/start", nil), 404, "not-found")
	r.problem(r.do("GET", "/auth/oidc/none/callback", nil), 404, "not-found")
	r.problem(r.do("GET", "/auth/oidc/corp/callback?state=x&code=y", nil), 401, "invalid-session")
	callback := func(next string, roles ...string) *httptest.ResponseRecorder {
		w := r.do("GET", "/auth/oidc/corp/start?next="+url.QueryEscape(next), nil)
		if w.Code != http.StatusSeeOther {
			t.Fatalf("start: %d %s", w.Code, w.Body)
		}
		q := must(url.Parse(w.Header().Get("Location"))).Query()
		id := authtest.Sign(t, "RS256", "k1", "JWT", authtest.Key(), r.issuer.Claims(map[string]any{"aud": "busbar-ui", "nonce": q.Get("nonce"), "roles": roles}))
		r.issuer.Allow("c1", authtest.Grant{Challenge: q.Get("code_challenge"), Client: "busbar-ui", Secret: "hush", IDToken: id, Access: "opaque"})
		back := header("Cookie", strings.SplitN(w.Header().Get("Set-Cookie"), ";", 2)[0])
		return r.do("GET", "/auth/oidc/corp/callback?code=c1&session_state=z&state="+q.Get("state"), nil, back)
	}
	w := callback("/points?a=b&c", "operator")
	if w.Code != 200 || !strings.Contains(w.Body.String(), `content="0;url=/points?a=b&amp;c"`) {
		t.Fatalf("callback: %d %s", w.Code, w.Body)
	}
	if me := decoded[Me](t, r.do("GET", "/me", nil, cookieOf(t, w)), 200); me.ID != "oidc:corp:s1" || me.Name != "alice" {
		t.Errorf("me %+v", me)
	}
	if w := callback("https://evil.example/", "operator"); !strings.Contains(w.Body.String(), `url=/"`) {
		t.Errorf("leads to %s", w.Body)
	}
	r.problem(callback("/", "janitor"), 403, "no-role")
	r.issuer.SetAway(true)
	r.problem(callback("/"), 503, "provider-unavailable")
}

func TestAccessTokensOverTheAPI(t *testing.T) {
	t.Parallel()
	r := newIdentityRig(t)
	if me := decoded[Me](t, r.do("GET", "/me", nil, as(r.issuer.Token(t, nil))), 200); me.ID != "oidc:corp:s1" || me.Roles[0] != "operator" {
		t.Errorf("me %+v", me)
	}
	past := time.Now().Add(-time.Hour).Unix()
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + strings.Split(r.issuer.Token(t, nil), ".")[1] + "."
	for code, c := range map[string]struct {
		status int
		token  string
	}{
		"token-audience": {401, r.issuer.Token(t, map[string]any{"aud": "x"})}, "token-issuer": {401, r.issuer.Token(t, map[string]any{"iss": "https://x.example"})},
		"token-expired": {401, r.issuer.Token(t, map[string]any{"exp": past})}, "token-algorithm": {401, none},
		"no-role": {403, r.issuer.Token(t, map[string]any{"roles": nil})},
	} {
		if p := r.problem(r.do("GET", "/me", nil, as(c.token)), c.status, code); p.Detail == "" {
			t.Errorf("%s says nothing", code)
		}
	}
}

// totpCode returns the code of a time, as an authenticator app shows it.
func totpCode(t *testing.T, secret string, at time.Time) string {
	t.Helper()
	code, err := totp.GenerateCode(secret, at)
	if err != nil {
		t.Fatal(err)
	}
	return code
}
