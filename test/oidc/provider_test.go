package oidc

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"busbar/internal/api"
	"busbar/internal/auth"
	"busbar/internal/store"
)

const (
	tenant      = "8a1d7f0e-0000-4000-8000-000000000001"
	audience    = "api://busbar"
	toolsReturn = "http://127.0.0.1/return" // of the client "tool": any port of the loopback interface
	timeout     = time.Minute
)

// rig is the API of Busbar beside a real provider.
type rig struct {
	t      *testing.T
	base   string // of Busbar
	issuer string
}

// newRig starts both. It fails with what to install if there is no Node.js.
func newRig(t *testing.T) *rig {
	t.Helper()
	front := httptest.NewUnstartedServer(nil)
	r := &rig{t: t, base: "http://" + front.Listener.Addr().String()}
	r.issuer = startProvider(t, r.base+"/api/v1/auth/oidc/real/callback")
	st, err := store.Open(t.Context(), store.Options{Path: filepath.Join(t.TempDir(), "store.db")})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "providers.yaml")
	text := `
providers:
  - name: real
    title: The real one
    issuer: ` + r.issuer + `
    audiences: [` + audience + `]
    clientId: busbar-ui
    clientSecret: ui-secret
    tenant: ` + tenant + `
    roles:
      - {claim: roles, value: Busbar.Operator, role: operator}
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	providers, err := auth.LoadProviders(file, "")
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	accounts, err := auth.New(st, auth.Options{Providers: providers, Dir: t.TempDir(), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	front.Config.Handler, err = api.New(api.Deps{Log: log, Auth: accounts, Accounts: accounts, Audit: st, Version: "test", Started: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	front.Start()
	t.Cleanup(func() {
		front.Close()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// startProvider starts provider.js and returns its issuer.
func startProvider(t *testing.T, redirect string) string {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal("there is no Node.js: install Node.js 18 or newer (Debian, Ubuntu: apt-get install nodejs npm), then run scripts/install-test-tools.sh")
	}
	if _, err := os.Stat("node_modules/oidc-provider"); err != nil {
		t.Fatal("the provider is not installed: run scripts/install-test-tools.sh (or make tools)")
	}
	cmd := exec.Command(node, "provider.js")
	cmd.Env = append(os.Environ(), "REDIRECT_URI="+redirect, "CLIENT_REDIRECT_URI="+toolsReturn, "TENANT="+tenant, "NODE_ENV=production")
	cmd.Stderr = t.Output()
	in, err := cmd.StdinPipe() // it ends when this is closed, also when the test is killed
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	kill := time.AfterFunc(timeout, func() { _ = cmd.Process.Kill() }) // the scan below ends then, and fails
	defer kill.Stop()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "http://127.0.0.1:") {
			go func() { _, _ = io.Copy(io.Discard, out) }() // until it ends
			return lines.Text()
		}
	}
	t.Fatal("the provider ended before it listened: ", lines.Err())
	return ""
}

// browser returns a client that keeps cookies.
func (r *rig) browser() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return &http.Client{Jar: jar, Timeout: timeout}
}

// post sends a form and decodes the JSON of the answer.
func (r *rig) post(address string, form url.Values, user, password string) (status int, answer map[string]any) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if user != "" {
		req.SetBasicAuth(user, password)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		r.t.Fatalf("%s answers %s: %v", address, resp.Status, err)
	}
	return resp.StatusCode, answer
}

// robotToken returns an access token of a program, wrong as the resource says.
func (r *rig) robotToken(fault string) string {
	r.t.Helper()
	status, answer := r.post(r.issuer+"/token", url.Values{"grant_type": {"client_credentials"}, "resource": {"https://busbar.example/" + fault}}, "robot", "robot-secret")
	token, _ := answer["access_token"].(string)
	if status != http.StatusOK || token == "" {
		r.t.Fatalf("token: %d %v", status, answer)
	}
	return token
}

// me asks Busbar who the holder of a token is.
func (r *rig) me(client *http.Client, token string) (status int, answer map[string]any) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, r.base+"/api/v1/me", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		r.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK && resp.Header.Get("Content-Type") != "application/problem+json" {
		r.t.Errorf("answer %d is of type %s", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	return resp.StatusCode, answer
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}
