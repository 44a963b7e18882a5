// Package authtest is a provider of identities for tests: it signs whatever it
// is told to, and can be away.
package authtest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Issuer is a provider of identities. It answers without a network, as an
// [http.RoundTripper].
type Issuer struct {
	url string
	key *rsa.PrivateKey

	mu      sync.Mutex
	keys    []jose.JSONWebKey // published
	away    bool
	fetches int // of keys
	grants  map[string]Grant
}

// Grant is what a code can be exchanged for.
type Grant struct {
	Challenge       string // of PKCE
	Client, Secret  string
	IDToken, Access string
}

// Key is the key that issuers begin with, id "k1": making one takes long.
var Key = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

// New returns an issuer with the given address that publishes one key, "k1".
func New(url string) *Issuer {
	f := &Issuer{url: url, key: Key(), grants: make(map[string]Grant)}
	f.Publish("k1", f.key)
	return f
}

// Publish adds the public half of a key.
func (f *Issuer) Publish(kid string, key crypto.Signer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keys = append(f.keys, jose.JSONWebKey{Key: key.Public(), KeyID: kid, Use: "sig"})
}

// Withdraw removes all published keys.
func (f *Issuer) Withdraw() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keys = nil
}

// SetAway lets the issuer be away or come back.
func (f *Issuer) SetAway(away bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.away = away
}

// Fetches returns how often the keys were asked for since it was called last.
func (f *Issuer) Fetches() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, f.fetches = f.fetches, 0
	return n
}

// Allow lets a code be exchanged, once.
func (f *Issuer) Allow(code string, g Grant) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.grants[code] = g
}

// RoundTrip implements [http.RoundTripper].
func (f *Issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away {
		return nil, errors.New("connection refused")
	}
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	status, answer := f.answer(r)
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

const discovery = "/.well-known/openid-configuration"

func (f *Issuer) answer(r *http.Request) (int, any) {
	switch address := r.URL.String(); {
	case strings.HasSuffix(address, discovery):
		issuer := strings.TrimSuffix(address, discovery)
		if strings.Contains(issuer, "sts.") { // as Microsoft Entra has it for version 1
			issuer += "/"
		}
		return http.StatusOK, map[string]string{"issuer": issuer, "jwks_uri": f.url + "/jwks",
			"authorization_endpoint": f.url + "/auth", "token_endpoint": f.url + "/token"}
	case address == f.url+"/jwks":
		f.fetches++
		return http.StatusOK, jose.JSONWebKeySet{Keys: f.keys}
	case address == f.url+"/token":
		return f.token(r)
	}
	return http.StatusNotFound, nil
}

// token exchanges a code as RFC 6749 and RFC 7636 say.
func (f *Issuer) token(r *http.Request) (int, any) {
	refuse := func(code string) (int, any) { return http.StatusBadRequest, map[string]string{"error": code} }
	if err := r.ParseForm(); err != nil {
		return refuse("invalid_request")
	}
	g, ok := f.grants[r.Form.Get("code")]
	delete(f.grants, r.Form.Get("code"))
	sum := sha256.Sum256([]byte(r.Form.Get("code_verifier")))
	client, secret, basic := r.BasicAuth()
	if !basic {
		client, secret = r.Form.Get("client_id"), r.Form.Get("client_secret")
	}
	switch {
	case client != g.Client || secret != g.Secret:
		return refuse("invalid_client")
	case !ok || g.Challenge != base64.RawURLEncoding.EncodeToString(sum[:]):
		return refuse("invalid_grant")
	}
	return http.StatusOK, map[string]any{"access_token": g.Access, "id_token": g.IDToken, "token_type": "Bearer", "expires_in": 3600}
}

// Claims are the claims of an access token for the audience "busbar" that is in
// order, with changes; a change to nil removes a claim.
func (f *Issuer) Claims(changes map[string]any) map[string]any {
	now := time.Now()
	c := map[string]any{"iss": f.url, "aud": "busbar", "sub": "s1", "preferred_username": "alice", "scope": "busbar",
		"roles": []string{"operator"}, "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix()}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// Token returns an access token with such claims.
func (f *Issuer) Token(t *testing.T, changes map[string]any) string {
	t.Helper()
	return Sign(t, "RS256", "k1", "at+jwt", f.key, f.Claims(changes))
}

// Sign signs claims.
func Sign(t *testing.T, alg, kid, typ string, key any, claims map[string]any) string {
	t.Helper()
	token, err := sign(alg, kid, typ, key, claims)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func sign(alg, kid, typ string, key any, claims map[string]any) (string, error) {
	o := (&jose.SignerOptions{}).WithHeader("kid", kid)
	if typ != "" {
		o = o.WithType(jose.ContentType(typ))
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg), Key: key}, o)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	sig, err := s.Sign(payload)
	if err != nil {
		return "", err
	}
	return sig.CompactSerialize()
}
