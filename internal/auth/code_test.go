package auth

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"busbar/internal/auth/authtest"
)

// journey is a browser that signs in with a provider.
type journey struct {
	t       *testing.T
	service *Service
	issuer  *authtest.Issuer
	query   url.Values // of the address at the provider
	cookie  *http.Cookie
}

var clientProvider = Provider{Name: "corp", Issuer: "https://id.example", Audiences: []string{"busbar"}, ClientID: "ui", ClientSecret: "hush", Tenant: "t"}

const callbackPath = "/api/v1/auth/oidc/corp/callback"

func begin(t *testing.T, p Provider, next string) *journey {
	t.Helper()
	j := &journey{t: t, issuer: newFake()}
	j.service = newService(t, Options{Transport: j.issuer, Providers: []Provider{p}})
	r := httptest.NewRequest(http.MethodGet, "http://busbar.test/api/v1/auth/oidc/corp/start", nil)
	address, cookie, err := j.service.BeginCode(r, "corp", callbackPath, next)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil || !strings.HasPrefix(address, "https://id.example/auth?") {
		t.Fatal(address, err)
	}
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != callbackPath {
		t.Errorf("cookie %v", cookie)
	}
	j.query, j.cookie = u.Query(), cookie
	return j
}

// allow lets the code "c" be exchanged for an ID token with changes.
func (j *journey) allow(changes map[string]any) {
	j.t.Helper()
	c := map[string]any{"aud": "ui", "nonce": j.query.Get("nonce"), "tid": "t"}
	for k, v := range changes {
		c[k] = v
	}
	id := authtest.Sign(j.t, "RS256", "k1", "JWT", authtest.Key(), j.issuer.Claims(c))
	j.issuer.Allow("c", authtest.Grant{Challenge: j.query.Get("code_challenge"), Client: "ui", Secret: "hush", IDToken: id,
		Access: j.issuer.Token(j.t, map[string]any{"tid": "t"})})
}

func (j *journey) back(query string, cookie *http.Cookie) (Opened, string, error) {
	r := httptest.NewRequest(http.MethodGet, "http://busbar.test"+callbackPath+"?"+query, nil)
	if cookie != nil {
		r.AddCookie(cookie)
	}
	o, next, remove, err := j.service.FinishCode(r, "corp")
	if remove == nil || remove.MaxAge >= 0 || remove.Path != callbackPath {
		j.t.Errorf("the cookie is not removed: %v", remove)
	}
	return o, next, err
}

func TestSignInWithAProvider(t *testing.T) {
	t.Parallel()
	j := begin(t, clientProvider, "/points?x=1")
	if j.query.Get("code_challenge_method") != "S256" || j.query.Get("client_id") != "ui" || j.query.Get("redirect_uri") != "http://busbar.test"+callbackPath {
		t.Errorf("query %v", j.query)
	}
	j.allow(nil)
	o, next, err := j.back("code=c&state="+j.query.Get("state"), j.cookie)
	if err != nil || next != "/points?x=1" || o.Principal.ID != "oidc:corp:s1" || o.Principal.Roles != RolesOf(Operator) {
		t.Fatalf("%+v, %q, %v", o, next, err)
	}
	p, err := j.service.Authenticate(request("GET", o.Secret))
	if err != nil || p.Name != "alice" || p.Session != o.Principal.Session {
		t.Errorf("%+v, %v", p, err)
	}
	_, _, err = j.back("code=c&state="+j.query.Get("state"), j.cookie)
	wantCode(t, "the same code again", err, CodeCredentials)
	without, err := New(j.service.store, Options{Cost: cheap})
	if err != nil {
		t.Fatal(err)
	}
	_, err = without.Authenticate(request("GET", o.Secret))
	wantCode(t, "when the provider is set up no longer", err, CodeSession)
}

func TestSignInWithAProviderIsRefused(t *testing.T) {
	t.Parallel()
	type m = map[string]any
	for _, c := range []struct {
		name   string
		claims m
		query  string // {state} is replaced
		code   string
	}{
		{"another state", nil, "code=c&state=x", CodeSession},
		{"no state", nil, "code=c", CodeSession},
		{"the provider refuses", nil, "error=access_denied&state={state}", CodeCredentials},
		{"the answer of another provider", nil, "code=c&state={state}&iss=https://evil.example", CodeSession},
		{"another code", nil, "code=x&state={state}", CodeCredentials},
		{"another nonce", m{"nonce": "x"}, "code=c&state={state}", CodeToken},
		{"no nonce", m{"nonce": nil}, "code=c&state={state}", CodeToken},
		{"meant for somebody else", m{"aud": "x"}, "code=c&state={state}", CodeAudience},
		{"meant for others too", m{"aud": []string{"ui", "x"}}, "code=c&state={state}", CodeAudience},
		{"expired", m{"exp": time.Now().Add(-time.Hour).Unix()}, "code=c&state={state}", CodeExpired},
		{"another issuer", m{"iss": "https://evil.example"}, "code=c&state={state}", CodeIssuer},
		{"another tenant", m{"tid": "x"}, "code=c&state={state}", CodeTenant},
		{"no subject", m{"sub": nil}, "code=c&state={state}", CodeToken},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			j := begin(t, clientProvider, "/")
			j.allow(c.claims)
			_, _, err := j.back(strings.ReplaceAll(c.query, "{state}", j.query.Get("state")), j.cookie)
			wantCode(t, c.name, err, c.code)
		})
	}
}

func TestOnlyTheBrowserThatBeganSignsIn(t *testing.T) {
	t.Parallel()
	j, other := begin(t, clientProvider, "/"), begin(t, clientProvider, "/")
	j.allow(nil)
	good := "code=c&state=" + j.query.Get("state")
	for name, cookie := range map[string]*http.Cookie{"no cookie": nil, "the cookie of another": other.cookie, "nonsense": {Name: CodeCookie, Value: "x"}} {
		_, _, err := j.back(good, cookie)
		wantCode(t, name, err, CodeSession)
	}
	if _, _, err := j.back(good, j.cookie); err != nil {
		t.Error(err)
	}
}

func TestSignInWithAProviderDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := begin(t, clientProvider, "/")
		time.Sleep(codeLives + time.Second)
		j.allow(nil)
		_, _, err := j.back("code=c&state="+j.query.Get("state"), j.cookie)
		wantCode(t, "after ten minutes", err, CodeSession)
		if err := j.service.store.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestRolesOfTheAccessToken(t *testing.T) {
	t.Parallel()
	j := begin(t, clientProvider, "/")
	j.allow(map[string]any{"roles": nil})
	o, _, err := j.back("code=c&state="+j.query.Get("state"), j.cookie)
	if err != nil || o.Principal.Roles != RolesOf(Operator) {
		t.Errorf("%+v, %v, want the role of the access token", o.Principal, err)
	}
	j = begin(t, clientProvider, "/")
	j.allow(map[string]any{"roles": nil, "sub": "s2"})
	_, _, err = j.back("code=c&state="+j.query.Get("state"), j.cookie)
	wantCode(t, "with the access token of somebody else", err, CodeNoRole)
}

func TestSignInLeadsToOurPagesOnly(t *testing.T) {
	t.Parallel()
	for next, want := range map[string]string{
		"/": "/", "/points?a=b#c": "/points?a=b#c", "": "/", "points": "/", "https://evil.example/": "/", "//evil.example": "/", "/\\evil.example": "/",
		"\\/evil.example": "/", "/a\nb": "/", "/%0a": "/", "/\t/evil.example": "/", "javascript:alert(1)": "/", "/%5cevil.example": "/", "/%2fevil.example": "/",
		"http:evil": "/", "/?x=\\y": "/", "/a b": "/", strings.Repeat("/x", 600): "/",
	} {
		if got := OwnPath(next); got != want {
			t.Errorf("%q leads to %q, want %q", next, got, want)
		}
	}
}

func FuzzOwnPath(f *testing.F) {
	for _, s := range []string{"/", "//x", "/\\x", "/%5c", "https://x", "/a?b#c", "/;//x"} {
		f.Add(s)
	}
	base, err := url.Parse("https://busbar.example/api/v1/x")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, next string) {
		out := OwnPath(next)
		u, err := base.Parse(out)
		if err != nil || u.Host != base.Host || u.Scheme != base.Scheme || !strings.HasPrefix(out, "/") || strings.ContainsAny(out, "\\\r\n\t") {
			t.Errorf("%q leads to %q: %v", next, out, u)
		}
	})
}

func FuzzBearer(f *testing.F) {
	f.Add("Bearer bb_0000000000000000000000000000000000000000000")
	f.Add("Bearer a.b.c")
	f.Add("Basic eDp5")
	f.Add("")
	secret, err := newTokenSecret()
	if err != nil || !isTokenSecret(secret) {
		f.Fatal(secret, err)
	}
	f.Add("bearer " + secret)
	s := &Service{openID: &openID{}}
	f.Fuzz(func(t *testing.T, header string) {
		if _, token, _ := strings.Cut(header, " "); isTokenSecret(strings.TrimSpace(token)) {
			return // looked up in the store
		}
		p, err := s.bearer(t.Context(), header)
		if _, status := codeOf(err); status != http.StatusUnauthorized || p.ID != "" {
			t.Errorf("%q: %+v, %v", header, p, err)
		}
	})
}
