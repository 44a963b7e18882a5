package tlsconf

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"busbar/internal/pki"
)

const (
	patience = 20 * time.Second
	year     = 365 * 24 * time.Hour
)

// authority is a directory of pki, with what a good one would never sign.
type authority struct {
	t   testing.TB
	dir *pki.Directory
}

func newAuthority(t testing.TB, name string) *authority {
	t.Helper()
	key, err := pki.NewKey(0)
	must(t, err)
	// Long ago, so that it can have signed what has expired.
	a, err := pki.NewAuthority(pki.Subject{Name: name, Organization: "Plant"}, key, time.Now().Add(-2*year), 10*year)
	must(t, err)
	d, err := pki.Create(t.TempDir(), a, time.Now(), year)
	must(t, err)
	return &authority{t, d}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (a *authority) path(name string) string { return a.dir.File(name) }

// issue makes name.pem and name.key; change may change the request, and when it is made.
func (a *authority) issue(name string, change func(*pki.Request, *time.Time)) *x509.Certificate {
	a.t.Helper()
	key, err := pki.NewKey(0)
	must(a.t, err)
	r := pki.Request{Name: name, Hosts: []string{"127.0.0.1", name + ".plant.example"}, Server: true, Client: true, Lifetime: year}
	now := time.Now()
	if change != nil {
		change(&r, &now)
	}
	if rsa, ok := r.Key.(crypto.Signer); ok { // the test has brought one
		key = rsa
	}
	r.Key = key.Public()
	cert, err := a.dir.Issue(r, key, true, now)
	must(a.t, err)
	return cert
}

func (a *authority) revoke(names ...string) {
	a.t.Helper()
	var certs []*x509.Certificate
	for _, name := range names {
		found, err := a.dir.Find(name)
		must(a.t, err)
		certs = append(certs, found...)
	}
	_, err := a.dir.Revoke(certs, 1, time.Now(), year)
	must(a.t, err)
}

// expiredList writes a list that ended yesterday.
func (a *authority) expiredList(name string) string {
	a.t.Helper()
	der, err := a.dir.List(nil, big.NewInt(1), time.Now().Add(-48*time.Hour), 24*time.Hour)
	must(a.t, err)
	must(a.t, os.WriteFile(a.path(name), der, 0o600))
	return a.path(name)
}

// settings are those of the holder of a certificate.
func (a *authority) settings(name string) Settings {
	return Settings{CA: a.path(pki.CertFile), Cert: a.path(name + ".pem"), Key: a.path(name + ".key")}
}

// sign makes name.pem and name.key of a template, which may be anything.
func (a *authority) sign(name string, key crypto.Signer, c *x509.Certificate) {
	a.t.Helper()
	parent, err := tls.LoadX509KeyPair(a.path(pki.CertFile), a.path(pki.KeyFile))
	must(a.t, err)
	c.SerialNumber, c.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: name}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	der, err := x509.CreateCertificate(nil, c, parent.Leaf, key.Public(), parent.PrivateKey)
	must(a.t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	must(a.t, err)
	for file, block := range map[string]*pem.Block{".pem": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "PRIVATE KEY", Bytes: secret}} {
		must(a.t, os.WriteFile(a.path(name+file), pem.EncodeToMemory(block), 0o600))
	}
}

func endpoint(t testing.TB, s Settings, role Role) *Endpoint {
	t.Helper()
	use := Use{Role: role}
	if problems := s.Problems("tls", use); len(problems) > 0 {
		t.Fatalf("settings: %v", problems)
	}
	return New(s, use, slog.New(slog.NewTextHandler(t.Output(), nil)))
}

// loopback returns the two ends of a TCP connection.
func loopback(t testing.TB) (server, client net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { must(t, l.Close()) }()
	client, err = net.Dial("tcp", l.Addr().String())
	must(t, err)
	server, err = l.Accept()
	must(t, err)
	t.Cleanup(func() {
		_ = server.Close()
		_ = client.Close()
	})
	return server, client
}

// side is one end of a connection in a test: it makes the handshake and returns
// the connection, which is not nil then.
type side func(ctx context.Context, raw net.Conn) (net.Conn, error)

func accepting(e *Endpoint) side {
	return func(ctx context.Context, raw net.Conn) (net.Conn, error) {
		c := e.Accept(raw)
		return c, c.HandshakeContext(ctx)
	}
}

func connecting(e *Endpoint, host string) side {
	return func(ctx context.Context, raw net.Conn) (net.Conn, error) {
		c, err := e.Connect(ctx, raw, host)
		if err != nil {
			return nil, err
		}
		return c, nil
	}
}

// meet makes a handshake of both sides and carries an octet there and back. It
// returns what each has to say.
func meet(t testing.TB, server, client side) (serverErr, clientErr error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	rawServer, rawClient := loopback(t)
	done := make(chan error, 1)
	go func() { done <- attend(ctx, server, rawServer, true) }()
	clientErr = attend(ctx, client, rawClient, false)
	return <-done, clientErr
}

// attend is one side of meet.
func attend(ctx context.Context, s side, raw net.Conn, echo bool) error {
	conn, err := s(ctx, raw)
	if err != nil {
		return errors.Join(err, raw.Close())
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	octet := []byte{0x68}
	if echo {
		if _, err := io.ReadFull(conn, octet); err != nil {
			return err
		}
	}
	if _, err := conn.Write(octet); err != nil {
		return err
	}
	if !echo {
		_, err = io.ReadFull(conn, octet)
	}
	return err
}

// program returns the path of a program that the tests need.
func program(t testing.TB, name string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/bin") {
		if path := filepath.Join(dir, name); executable(path) {
			return path
		}
	}
	t.Fatalf("%s is missing: run `make tools`", name)
	return ""
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&0o111 != 0
}
