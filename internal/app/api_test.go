package app

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"busbar/internal/auth"
	"busbar/internal/config"
	"busbar/internal/manage"
	"busbar/internal/plantdoc"
	"busbar/internal/store"
)

// withToken makes a store in the data directory with an administrator, and returns a token of his.
func withToken(t *testing.T, data string) (token string) {
	t.Helper()
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(t.Context(), store.Options{Path: filepath.Join(data, StoreFile)})
	if err != nil {
		t.Fatal(err)
	}
	service, err := auth.New(st, auth.Options{Dir: data, Cost: auth.Cost{Memory: 8, Passes: 1}})
	if err != nil {
		t.Fatal(err)
	}
	admin := auth.Principal{ID: "user:t", Name: "t", Roles: auth.RolesOf(auth.Admin)}
	if _, _, err := service.CreateUser(t.Context(), admin, auth.NewUser{Name: "admin", Roles: []string{"admin"}}); err != nil {
		t.Fatal(err)
	}
	if _, token, err = service.CreateToken(t.Context(), admin, auth.NewToken{Name: "t", Roles: []string{"admin"}}); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	return token
}

// call sends a request with a token.
func (p *process) call(token, method, path, body string) (int, string) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, "http://"+p.http+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestThePlantOfTheStoreOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	c := config.Config{Data: filepath.Join(t.TempDir(), "data"), HTTPListen: "127.0.0.1:0"}
	token := withToken(t, c.Data)
	p := startWith(t, c, nil)
	if code, body := p.call(token, "PUT", "/api/v1/connectors/light", `{"kind":"lamp","colour":"green"}`); code != http.StatusCreated {
		t.Fatalf("PUT = %d %s, want 201", code, body)
	}
	p.wantEvent("green on")
	if code, _ := p.get("/metrics"); code != http.StatusUnauthorized {
		t.Errorf("/metrics without a sign-in = %d, want 401", code)
	}
	if code, body := p.call(token, "GET", "/metrics", ""); code != http.StatusOK || !strings.Contains(body, "busbar_connector_state") {
		t.Errorf("/metrics with a token = %d, want 200", code)
	}
	p.stop()
	p.wantEvent("green off")

	p = startWith(t, c, nil)
	p.wantEvent("green on")
	if code, body := p.call(token, "GET", "/api/v1/connectors/light", ""); code != http.StatusOK || !strings.Contains(body, `"colour":"green"`) {
		t.Errorf("GET = %d %s, want the connector", code, body)
	}
	p.stop()
}

func TestAStoredPlantThatIsFaultyIsCorrectedThroughTheAPI(t *testing.T) {
	t.Parallel()
	c := config.Config{Data: filepath.Join(t.TempDir(), "data"), HTTPListen: "127.0.0.1:0"}
	token := withToken(t, c.Data)
	st, err := store.Open(t.Context(), store.Options{Path: filepath.Join(c.Data, StoreFile)})
	if err != nil {
		t.Fatal(err)
	}
	faulty := []plantdoc.Change{{Section: plantdoc.Connectors, ID: "light", After: []byte(`{"colour":"blue","kind":"lamp"}`)}}
	if _, err := st.Commit(t.Context(), 0, store.Revision{}, faulty, nil); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	p := startWith(t, c, nil)
	p.log.wantLine(t, "connectors.light.colour: ")
	if code, body := p.get("/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, "no plant is in force") {
		t.Errorf("/readyz = %d %s, want 503", code, body)
	}
	if code, body := p.call(token, "PUT", "/api/v1/connectors/light", `{"kind":"lamp"}`); code != http.StatusOK {
		t.Fatalf("PUT = %d %s, want 200", code, body)
	}
	p.wantEvent("red on")
	if code, body := p.get("/readyz"); code != http.StatusOK {
		t.Errorf("/readyz = %d %s, want 200", code, body)
	}
	p.stop()
}

func TestAFileIsRecordedAndCannotBeEdited(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := config.Config{Data: filepath.Join(dir, "data"), HTTPListen: "127.0.0.1:0", Plant: filepath.Join(dir, "plant.yaml")}
	if err := os.WriteFile(c.Plant, []byte(redPlant), 0o600); err != nil {
		t.Fatal(err)
	}
	token := withToken(t, c.Data)
	p := startWith(t, c, nil)
	p.wantEvent("red on")
	p.log.wantLine(t, "plant file recorded")
	if code, body := p.call(token, "GET", "/api/v1/plant/revisions/1", ""); code != http.StatusOK || !strings.Contains(body, `"origin":"file"`) {
		t.Errorf("revision 1 = %d %s, want one of the file", code, body)
	}
	if code, body := p.call(token, "DELETE", "/api/v1/points/a", ""); code != http.StatusConflict || !strings.Contains(body, c.Plant) {
		t.Errorf("DELETE = %d %s, want 409 that names the file", code, body)
	}
	if err := os.WriteFile(c.Plant, []byte(strings.Replace(redPlant, "float", "int", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	p.reload <- syscall.SIGHUP
	p.log.wantLine(t, "revision=2")
	p.stop()
}

func TestTheDemoPreparesItsPlantOnce(t *testing.T) {
	t.Parallel()
	c := config.Config{Data: filepath.Join(t.TempDir(), "data")}
	var heads []int64
	prepare := func(e *manage.Edit) error {
		heads = append(heads, e.Head())
		e.Put(plantdoc.Connectors, "light", []byte(`{"kind":"lamp"}`))
		return nil
	}
	for range 2 {
		p := startWith(t, c, prepare)
		p.wantEvent("red on")
		p.stop()
		p.wantEvent("red off")
	}
	if len(heads) != 2 || heads[0] != 0 || heads[1] != 1 {
		t.Errorf("prepared revisions %v, want 0 and 1: the second time nothing was changed", heads)
	}
}

func TestAStreamEndsWhenTheProcessStops(t *testing.T) {
	t.Parallel()
	c := config.Config{Data: filepath.Join(t.TempDir(), "data"), HTTPListen: "127.0.0.1:0"}
	token := withToken(t, c.Data)
	p := startWith(t, c, nil)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+p.http+"/api/v1/values/stream", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("stream = %v, %v, want 200", resp, err)
	}
	defer func() { _ = resp.Body.Close() }()
	ended := make(chan string, 1)
	go func() {
		var last string
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			last += lines.Text() + "\n"
		}
		ended <- last
	}()
	begun := time.Now()
	p.stop()
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("stopped after %v, want 5 s at most", took)
	}
	if text := <-ended; !strings.Contains(text, "stopping") {
		t.Errorf("stream %q, want that it is told why it ends", text)
	}
}

func TestHTTPSReadsItsCertificateAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "http.crt"), filepath.Join(dir, "http.key")
	first := writeCertificate(t, cert, key)
	c := config.Config{Data: filepath.Join(dir, "data"), HTTPListen: "127.0.0.1:0", HTTPCert: cert, HTTPKey: key}
	withToken(t, c.Data)
	p := startWith(t, c, nil)
	defer p.stop()
	shows := func(want *x509.Certificate) bool {
		t.Helper()
		conn, err := tls.Dial("tcp", p.http, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // it is looked at below
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		return conn.ConnectionState().PeerCertificates[0].Equal(want)
	}
	if !shows(first) {
		t.Error("another certificate than the first")
	}
	if err := os.WriteFile(cert, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.reload <- syscall.SIGHUP
	p.log.wantLine(t, "certificate of HTTPS is faulty")
	if !shows(first) {
		t.Error("another certificate than the first, though the second is none")
	}
	second := writeCertificate(t, cert, key)
	for range 3 { // the third waits until the second is taken, when the first is done
		p.reload <- syscall.SIGHUP
	}
	if !shows(second) {
		t.Error("another certificate than the second")
	}
	c.Data, c.HTTPKey = filepath.Join(dir, "other"), cert
	log := NewLog(io.Discard, "text", "info")
	defer log.Close()
	if err := Run(t.Context(), log, c, Options{}); err == nil || !strings.Contains(err.Error(), "http.tls: ") {
		t.Errorf("Run = %v, want that the key is none", err)
	}
}

// writeCertificate makes a certificate that signs itself.
func writeCertificate(t *testing.T, certFile, keyFile string) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"busbar"}}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}
