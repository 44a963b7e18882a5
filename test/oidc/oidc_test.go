package oidc

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

func TestAccessTokensOfARealProvider(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	good := r.robotToken("good")
	status, me := r.me(http.DefaultClient, good)
	if status != http.StatusOK || me["id"] != "oidc:real:robot" || me["name"] != "robot" {
		t.Fatalf("a valid token: %d %v", status, me)
	}
	for _, c := range []struct {
		name, token string
		status      int
		code, says  string
	}{
		{"wrong audience", r.robotToken("wrong-audience"), 401, "token-audience", "api://somebody-else"},
		{"wrong issuer", r.robotToken("wrong-issuer"), 401, "token-issuer", "https://other.example"},
		{"expired", r.robotToken("expired"), 401, "token-expired", "expired at"},
		{"not yet valid", r.robotToken("not-yet-valid"), 401, "token-not-yet-valid", "not valid before"},
		{"missing role", r.robotToken("missing-role"), 403, "no-role", "claim roles"},
		{"wrong tenant", r.robotToken("wrong-tenant"), 403, "token-tenant", "another-tenant"},
		{"unknown key", foreign(t, good), 401, "token-unknown-key", "stranger"},
		{"alg none", unsigned(good), 401, "token-algorithm", "none"},
		{"tampered", tampered(t, good), 401, "token-signature", "signature"},
		{"nothing of the kind", "abc", 401, "invalid-token", "JSON Web Token"},
	} {
		status, problem := r.me(http.DefaultClient, c.token)
		detail, _ := problem["detail"].(string)
		if status != c.status || problem["code"] != c.code || problem["status"] != float64(c.status) || !strings.Contains(detail, c.says) {
			t.Errorf("%s: %d %v, want %d %s", c.name, status, problem, c.status, c.code)
		}
	}
	r.rotate()
	if status, problem := r.me(http.DefaultClient, r.robotToken("good")); status != http.StatusOK {
		t.Errorf("with a rotated key: %d %v", status, problem)
	}
	if status, problem := r.me(http.DefaultClient, good); status != http.StatusUnauthorized || problem["code"] != "token-unknown-key" {
		t.Errorf("with the key from before: %d %v", status, problem)
	}
}

// rotate makes the provider use another key.
func (r *rig) rotate() {
	r.t.Helper()
	resp, err := http.Post(r.issuer+"/rotate", "", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK {
		r.t.Fatal(resp.Status, err)
	}
}

func payload(t *testing.T, token string) []byte {
	t.Helper()
	data, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func encode(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

// unsigned returns the token with algorithm none and without a signature.
func unsigned(token string) string {
	return encode([]byte(`{"alg":"none","typ":"at+jwt"}`)) + "." + strings.Split(token, ".")[1] + "."
}

// tampered makes an administrator of the operator.
func tampered(t *testing.T, token string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	parts[1] = encode([]byte(strings.Replace(string(payload(t, token)), "Busbar.Operator", "Busbar.Admin", 1)))
	return strings.Join(parts, ".")
}

// foreign signs what the token says with a key that the provider does not have.
func foreign(t *testing.T, token string) string {
	t.Helper()
	key := jose.JSONWebKey{Key: newKey(t), KeyID: "stranger"}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{}).WithType("at+jwt"))
	if err != nil {
		t.Fatal(err)
	}
	sig, err := s.Sign(payload(t, token))
	if err != nil {
		t.Fatal(err)
	}
	out, err := sig.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSignInWithARealProvider(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	browser := r.browser()
	page := r.walk(browser, r.base+"/api/v1/auth/oidc/real/start?next=/docs", "alice")
	if !strings.Contains(page, `url=/docs"`) {
		t.Fatalf("the last page is %s", page)
	}
	status, me := r.me(browser, "")
	if status != http.StatusOK || me["id"] != "oidc:real:alice" || me["name"] != "alice" || me["session"] == nil {
		t.Errorf("after signing in: %d %v", status, me)
	}
	other := r.browser()
	if page := r.walk(other, r.base+"/api/v1/auth/oidc/real/start", "janitor"); !strings.Contains(page, `"no-role"`) {
		t.Errorf("without a role: %s", page)
	}
	if status, problem := r.me(other, ""); status != http.StatusUnauthorized {
		t.Errorf("without a role: %d %v", status, problem)
	}
}

func TestRefreshedTokensOfARealProvider(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	verifier := rand.Text() + rand.Text()
	challenge := sha256.Sum256([]byte(verifier))
	q := url.Values{"client_id": {"tool"}, "response_type": {"code"}, "redirect_uri": {toolsReturn}, "scope": {"openid offline_access busbar"}, "prompt": {"consent"},
		"resource": {"https://busbar.example/good"}, "code_challenge": {encode(challenge[:])}, "code_challenge_method": {"S256"}, "nonce": {rand.Text()}}
	browser := r.browser()
	var back *url.URL
	browser.CheckRedirect = func(req *http.Request, _ []*http.Request) error {
		if req.URL.Path == "/return" {
			back = req.URL
			return errReturned
		}
		return nil
	}
	r.walk(browser, r.issuer+"/auth?"+q.Encode(), "alice")
	if back == nil {
		t.Fatal("the provider did not lead back")
	}
	status, tokens := r.post(r.issuer+"/token", url.Values{"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")},
		"redirect_uri": {toolsReturn}, "client_id": {"tool"}, "code_verifier": {verifier}}, "", "")
	if status != http.StatusOK {
		t.Fatalf("tokens: %d %v", status, tokens)
	}
	access := func(tokens map[string]any) string { return tokens["access_token"].(string) }
	if status, me := r.me(http.DefaultClient, access(tokens)); status != http.StatusOK || me["id"] != "oidc:real:alice" {
		t.Errorf("an access token of a person: %d %v", status, me)
	}
	id := tokens["id_token"].(string)
	if status, problem := r.me(http.DefaultClient, id); status != http.StatusUnauthorized || problem["code"] != "token-type" {
		t.Errorf("an ID token: %d %v", status, problem)
	}
	status, again := r.post(r.issuer+"/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens["refresh_token"].(string)},
		"client_id": {"tool"}, "resource": {"https://busbar.example/good"}}, "", "")
	if status != http.StatusOK || access(again) == access(tokens) {
		t.Fatalf("refresh: %d %v", status, again)
	}
	if status, me := r.me(http.DefaultClient, access(again)); status != http.StatusOK || me["id"] != "oidc:real:alice" {
		t.Errorf("a refreshed token: %d %v", status, me)
	}
}

var (
	errReturned = errors.New("back at the client")
	formAction  = regexp.MustCompile(`<form[^>]* action="([^"]+)"`)
	formPrompt  = regexp.MustCompile(`name="prompt" value="([a-z]+)"`)
)

// walk goes through the pages of the provider as a person with a browser does,
// and returns the last page.
func (r *rig) walk(browser *http.Client, address, user string) string {
	r.t.Helper()
	resp, err := browser.Get(address)
	for range 10 {
		if errors.Is(err, errReturned) {
			return ""
		}
		if err != nil {
			r.t.Fatal(err)
		}
		data, err2 := io.ReadAll(resp.Body)
		if err := errors.Join(err2, resp.Body.Close()); err != nil {
			r.t.Fatal(err)
		}
		action, prompt := formAction.FindSubmatch(data), formPrompt.FindSubmatch(data)
		if action == nil || prompt == nil {
			return string(data)
		}
		form := url.Values{"prompt": {string(prompt[1])}}
		if string(prompt[1]) == "login" {
			form.Set("login", user)
			form.Set("password", "any")
		}
		resp, err = browser.PostForm(html.UnescapeString(string(action[1])), form)
	}
	r.t.Fatal("the provider shows one form after the other")
	return ""
}
