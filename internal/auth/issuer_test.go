package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// fakeIssuer is a provider of identities that signs whatever it is told to.
type fakeIssuer struct {
	url string

	mu      sync.Mutex
	keys    []jose.JSONWebKey // published
	away    bool
	fetches int // of keys
}

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// publish adds the public half of a key.
func (f *fakeIssuer) publish(kid string, key crypto.Signer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keys = append(f.keys, jose.JSONWebKey{Key: key.Public(), KeyID: kid, Use: "sig"})
}

func (f *fakeIssuer) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// RoundTrip implements [http.RoundTripper]: there is no network between.
func (f *fakeIssuer) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away {
		return nil, errors.New("connection refused")
	}
	w := httptest.NewRecorder()
	switch address := r.URL.String(); {
	case strings.HasSuffix(address, "/.well-known/openid-configuration"):
		issuer := strings.TrimSuffix(address, "/.well-known/openid-configuration")
		if strings.Contains(issuer, "sts.") {
			issuer += "/"
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": issuer, "jwks_uri": f.url + "/jwks",
			"authorization_endpoint": f.url + "/auth", "token_endpoint": f.url + "/token"})
	case address == f.url+"/jwks":
		f.fetches++
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: f.keys})
	default:
		w.WriteHeader(http.StatusNotFound)
	}
	return w.Result(), nil
}

// sign signs claims. A key of nil is no signature, algorithm none.
func sign(t *testing.T, alg, kid, typ string, key any, c map[string]any) string {
	t.Helper()
	o := (&jose.SignerOptions{}).WithHeader("kid", kid)
	if typ != "" {
		o = o.WithType(jose.ContentType(typ))
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg), Key: key}, o)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := s.Sign(must(json.Marshal(c)))
	if err != nil {
		t.Fatal(err)
	}
	return must(sig.CompactSerialize())
}

// access are the claims of an access token that is in order, with changes; a
// change to nil removes a claim.
func access(changes map[string]any) map[string]any {
	now := time.Now()
	c := map[string]any{"iss": "https://id.example", "aud": "busbar", "sub": "s1", "preferred_username": "alice", "scope": "busbar",
		"roles": []string{"operator"}, "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix()}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// newTestOpenID returns providers that answer through the fake.
func newTestOpenID(t *testing.T, f *fakeIssuer, list ...Provider) *openID {
	t.Helper()
	for i := range list {
		if err := list[i].prepare(); err != nil {
			t.Fatal(err)
		}
	}
	o, err := newOpenID(list, f, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func newFake() *fakeIssuer {
	f := &fakeIssuer{url: "https://id.example"}
	f.publish("k1", rsaKey())
	return f
}

var plainProvider = Provider{Name: "corp", Issuer: "https://id.example", Audiences: []string{"busbar", "api://busbar"}}

// codeOf returns the code of a refusal and its status.
func codeOf(err error) (string, int) {
	var e *Error
	if errors.As(err, &e) {
		return e.Code, e.Status
	}
	return "", 0
}

func ecKey() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }

func edKey() ed25519.PrivateKey {
	_, k, err := ed25519.GenerateKey(rand.Reader)
	return must(k, err)
}

func mustJSON(v any) []byte { return must(json.Marshal(v)) }
