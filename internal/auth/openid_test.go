package auth

import (
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"busbar/internal/auth/authtest"
)

// A provider with a certificate of a CA of its own, over a real connection.
func TestProviderWithItsOwnCA(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(nil)
	f := authtest.New("https://" + server.Listener.Addr().String())
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := r.Clone(r.Context())
		out.URL.Scheme, out.URL.Host = "https", r.Host
		resp, err := f.RoundTrip(out)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() {
			if err := resp.Body.Close(); err != nil {
				t.Error(err)
			}
		}()
		maps.Copy(w.Header(), resp.Header)
		w.WriteHeader(resp.StatusCode)
		if _, err := io.Copy(w, resp.Body); err != nil {
			t.Error(err)
		}
	})
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	provider := Provider{Name: "corp", Issuer: server.URL, Audiences: []string{"busbar"}}
	token := f.Token(t, nil)
	check := func(ca string) error {
		t.Helper()
		p := provider
		p.CA = ca
		if err := p.prepare(); err != nil {
			t.Fatal(err)
		}
		o, err := newOpenID([]Provider{p}, nil, slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		_, err = o.accessToken(t.Context(), token)
		return err
	}
	if err := check(ca); err != nil {
		t.Error(err)
	}
	wantCode(t, "a certificate that nobody has signed", check(""), CodeProvider)
	if err := check(filepath.Join(t.TempDir(), "absent")); err == nil || !strings.Contains(err.Error(), "ca:") {
		t.Errorf("a file that is not there: %v", err)
	}
}

// Providers publish keys that are not for checking signatures, and by mistake
// those that should be secret.
func TestKeysThatAreOfNoUse(t *testing.T) {
	t.Parallel()
	ec := ecKey()
	key := func(k jose.JSONWebKey) json.RawMessage { return mustJSON(k) }
	good := key(jose.JSONWebKey{Key: ec.Public(), KeyID: "good", Use: "sig"})
	got, err := usableKeys([]json.RawMessage{
		key(jose.JSONWebKey{Key: []byte("a secret that is shared by all"), KeyID: "symmetric"}),
		key(jose.JSONWebKey{Key: ec, KeyID: "private"}),
		key(jose.JSONWebKey{Key: ec.Public(), KeyID: "encryption", Use: "enc"}),
		json.RawMessage(`{"kty":"OKP","crv":"X25519","x":"AA","kid":"other"}`), json.RawMessage(`[]`), good,
	})
	if err != nil || len(got) != 1 || got[0].KeyID != "good" {
		t.Errorf("%v, %v, want the good one alone", got, err)
	}
	if _, err := usableKeys(nil); err == nil {
		t.Error("no key at all is taken")
	}
	if _, err := usableKeys(slices.Repeat([]json.RawMessage{good}, mostKeys+1)); err == nil {
		t.Error("too many keys are taken")
	}
}

func TestEndpointsAreAsSafeAsTheIssuer(t *testing.T) {
	t.Parallel()
	for address, ok := range map[string]bool{"https://id.example/jwks": true, "http://127.0.0.1:1/jwks": true, "http://id.example/jwks": false, "": false, "file:///etc/passwd": false} {
		if err := checkEndpoint(address); (err == nil) != ok {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestSettingsAreChecked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		config Config
		want   string // in the error
	}{
		{"defaults", Config{}, ""},
		{"all", Config{URL: "https://busbar.example", SessionIdle: time.Hour, SessionLongest: 2 * time.Hour, TokenLongest: 24 * time.Hour, OneTime: time.Hour, LockAfter: 5, LockFor: time.Minute}, ""},
		{"idle", Config{SessionIdle: time.Second}, "auth.session-idle"},
		{"longest", Config{SessionLongest: 30 * day}, "auth.session-longest"},
		{"token", Config{TokenLongest: time.Minute}, "auth.token-longest"},
		{"one-time", Config{OneTime: time.Minute}, "auth.one-time"},
		{"lock after", Config{LockAfter: 1}, "auth.lock-after"},
		{"lock for", Config{LockFor: -time.Minute}, "auth.lock-for"},
		{"address without scheme", Config{URL: "busbar.example"}, "auth.url"},
		{"address with a path", Config{URL: "https://x.example/busbar"}, "auth.url"},
	} {
		err := c.config.Validate()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
