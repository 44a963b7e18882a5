package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"

	"busbar/internal/auth/authtest"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// newTestOpenID returns providers that answer through the fake.
func newTestOpenID(t *testing.T, f *authtest.Issuer, list ...Provider) *openID {
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

func newFake() *authtest.Issuer { return authtest.New("https://id.example") }

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
