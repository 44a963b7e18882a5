package cli

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"busbar/internal/tlsconf"
)

// cert runs a command of busbar cert in a directory and returns what it prints.
func cert(t *testing.T, dir, line string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	args := append([]string{"cert"}, strings.Fields(line)...)
	if !strings.HasPrefix(line, "show") && !strings.Contains(line, "-h") || strings.Contains(line, "--host") {
		args = append(args, "--dir", dir)
	}
	code = Main(t.Context(), args, IO{Out: &o, Err: &e})
	return code, o.String(), e.String()
}

func good(t *testing.T, dir, line string) string {
	t.Helper()
	code, out, errs := cert(t, dir, line)
	if code != exitOK || errs != "" {
		t.Fatalf("busbar cert %s: exit code %d, %s", line, code, errs)
	}
	return out
}

// shake makes a handshake of two holders of certificates and returns what the
// server has to say.
func shake(t *testing.T, dir, server, client string) error {
	t.Helper()
	settings := func(name string) tlsconf.Settings {
		return tlsconf.Settings{CA: filepath.Join(dir, "ca.pem"), Cert: filepath.Join(dir, name+".pem"), Key: filepath.Join(dir, name+".key"),
			CRL: []string{filepath.Join(dir, "ca.crl")}, CRLCheck: "hard"}
	}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	done := make(chan error, 1)
	go func() {
		raw, err := l.Accept()
		if err != nil {
			done <- err
			return
		}
		c := tlsconf.New(settings(server), tlsconf.Use{Role: tlsconf.Server, Mutual: true}, log).Accept(raw)
		err = c.HandshakeContext(t.Context())
		done <- errors.Join(err, raw.Close())
	}()
	conn, err := tlsconf.New(settings(client), tlsconf.Use{Role: tlsconf.Client, Mutual: true}, log).Dial(t.Context(), "tcp", l.Addr().String())
	if err == nil {
		_, err = conn.Read(make([]byte, 1)) // with TLS 1.3 the client learns of a refusal by reading
		_ = conn.Close()
	}
	t.Logf("client: %v", err)
	return <-done
}

func TestCertificatesOfASmallPlant(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "ca")
	good(t, dir, "ca --organization Plant")
	good(t, dir, "issue --name rtu1 --server --host 127.0.0.1,rtu1.example --host 10.0.0.5")
	good(t, dir, "issue --name scada1 --client")
	good(t, dir, "issue --name scada2 --rsa 2048")
	for _, key := range []string{"ca.key", "rtu1.key", "scada1.key"} {
		if info, err := os.Stat(filepath.Join(dir, key)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v, want mode 0600", key, info.Mode(), err)
		}
	}
	for _, client := range []string{"scada1", "scada2"} {
		if err := shake(t, dir, "rtu1", client); err != nil {
			t.Errorf("%s: %v", client, err)
		}
	}
	if err := shake(t, dir, "rtu1", "rtu1"); !errors.Is(err, tlsconf.WrongUse) {
		t.Errorf("certificate of a server as client: %v, want wrong use", err)
	}
	before := read(t, dir, "scada1.pem")
	good(t, dir, "issue --name scada1 --renew")
	if err := shake(t, dir, "rtu1", "scada1"); err != nil || read(t, dir, "scada1.pem") == before {
		t.Errorf("renewed: %v", err)
	}
	out := good(t, dir, "revoke scada1 --reason keyCompromise")
	if strings.Count(out, "revoked ") != 2 {
		t.Errorf("revoke says %q, want both certificates of the name", out)
	}
	if err := shake(t, dir, "rtu1", "scada1"); !errors.Is(err, tlsconf.Revoked) {
		t.Errorf("revoked: %v", err)
	}
	good(t, dir, "revoke")
	if err := shake(t, dir, "rtu1", "scada1"); !errors.Is(err, tlsconf.Revoked) {
		t.Errorf("revoked, after the list was renewed: %v", err)
	}
	if err := shake(t, dir, "rtu1", "scada2"); err != nil {
		t.Errorf("the other one: %v", err)
	}
	if out := good(t, dir, "revoke scada1"); !strings.Contains(out, "revoked before: 2") {
		t.Errorf("revoke again says %q", out)
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestRequestOfADevice signs what openssl has made, and lets it verify that.
func TestRequestOfADevice(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "ca")
	good(t, dir, "ca")
	openssl := func(args ...string) string {
		c := exec.CommandContext(t.Context(), "openssl", args...)
		c.Dir = dir
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("openssl %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-nodes", "-keyout", "device.key", "-out", "device.csr",
		"-subj", "/O=Maker/CN=bay 7", "-addext", "subjectAltName=DNS:bay7.example,IP:10.0.0.7")
	out := good(t, dir, "issue --server --csr "+filepath.Join(dir, "device.csr"))
	if !strings.Contains(out, "certificate CN=bay 7,") || !strings.Contains(out, "hosts bay7.example, 10.0.0.7") || strings.Contains(out, "tls.key") {
		t.Errorf("issue says %q", out)
	}
	if out := openssl("verify", "-x509_strict", "-CAfile", "ca.pem", "-purpose", "sslserver", "-verify_ip", "10.0.0.7", "bay 7.pem"); !strings.Contains(out, "OK") {
		t.Errorf("openssl verify: %s", out)
	}
	openssl("req", "-newkey", "rsa:1024", "-nodes", "-keyout", "weak.key", "-out", "weak.csr", "-subj", "/CN=tiny")
	if code, _, errs := cert(t, dir, "issue --csr "+filepath.Join(dir, "weak.csr")); code != exitFailure || !strings.Contains(errs, "RSA 1024, want RSA 2048") {
		t.Errorf("weak request: exit code %d, %s", code, errs)
	}
}

func TestShow(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "ca")
	good(t, dir, "ca --name Plant_CA")
	good(t, dir, "issue --name scada1 --host 10.0.0.5")
	good(t, dir, "revoke scada1")
	path := func(name string) string { return filepath.Join(dir, name) }
	block, _ := pem.Decode([]byte(read(t, dir, "scada1.pem")))
	if err := os.WriteFile(path("scada1.der"), block.Bytes, 0o600); err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	for name, wants := range map[string][]string{
		"ca.pem":     {"certificate of an authority", "subject  CN=Plant_CA", "issuer   itself", "3649 days left", "ECDSA P-256, id "},
		"ca.crl":     {"list of revoked certificates", "revoked  1", leaf.SerialNumber.Text(16) + " since ", "unspecified"},
		"scada1.pem": {": certificate\n", "issuer   CN=Plant_CA", "names    10.0.0.5", "use      server, client", "allow    sha256:", "or CN=scada1"},
		"scada1.der": {": certificate\n", "issuer   CN=Plant_CA", "allow    sha256:"},
		"scada1.key": {"private key", "ECDSA P-256, id "},
	} {
		out := good(t, dir, "show "+path(name))
		for _, want := range wants {
			if !strings.Contains(out, want) {
				t.Errorf("show %s: no %q in\n%s", name, want, out)
			}
		}
		for _, line := range strings.Split(out, "\n") {
			if entry, ok := strings.CutPrefix(line, "  allow    "); ok {
				if _, err := tlsconf.ParseName(entry); err != nil {
					t.Errorf("show %s: the allow-list does not take %s: %v", name, entry, err)
				}
			}
		}
	}
	id := func(name string) string {
		_, after, _ := strings.Cut(good(t, dir, "show "+path(name)), ", id ")
		return strings.Fields(after)[0]
	}
	if id("scada1.pem") != id("scada1.key") || id("scada1.pem") == id("ca.key") {
		t.Error("the ids of keys do not tell what belongs together")
	}
	if out := good(t, dir, "show --json "+path("ca.pem")); !strings.HasPrefix(out, `{"file":"`+path("ca.pem")+`","kind":"certificate of an authority","fields":[`) {
		t.Errorf("show --json: %s", out)
	}
}

func TestCertRefuses(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "ca")
	if code, _, errs := cert(t, dir, "issue --name a"); code != exitFailure || !strings.Contains(errs, "busbar cert ca makes an authority") {
		t.Errorf("without authority: exit code %d, %s", code, errs)
	}
	good(t, dir, "ca --days 10")
	if out := good(t, dir, "issue --name a"); !strings.Contains(out, "valid until ") {
		t.Errorf("issue says %q", out)
	}
	for line, want := range map[string]struct {
		code int
		text string
	}{
		"ca":                        {exitFailure, "there is an authority in "},
		"ca x":                      {exitUsage, `unexpected argument "x"`},
		"ca --days 0":               {exitUsage, "--days: 0, want 1 to 36500"},
		"issue":                     {exitUsage, "--name is missing"},
		"issue --name a":            {exitFailure, "a.pem is there already; --renew replaces it"},
		"issue --name b --renew":    {exitFailure, "there is nothing to renew"},
		"issue --name ../b":         {exitFailure, "want letters, digits"},
		"issue --name ca":           {exitFailure, "want letters, digits"},
		"issue --name b --rsa 512":  {exitUsage, "--rsa: rsa key of 512 bits: want 2048 to 8192"},
		"issue --name b --host a:1": {exitFailure, `host "a:1": want a host name`},
		"revoke nobody":             {exitFailure, "nobody: no certificate with this name"},
		"revoke a --reason x":       {exitUsage, `--reason "x": want one of unspecified, keyCompromise`},
		"show":                      {exitUsage, "which file?"},
		"show /nowhere":             {exitFailure, "no such file"},
		"lose":                      {exitUsage, "want ca, issue, revoke or show"},
	} {
		code, out, errs := cert(t, dir, line)
		if code != want.code || !strings.Contains(errs, want.text) || out != "" {
			t.Errorf("%s: exit code %d, output %q, errors %q, want %d and %q", line, code, out, errs, want.code, want.text)
		}
	}
	for _, line := range []string{"--help", "ca -h", "issue -h", "revoke -h", "show -h"} {
		if code, out, errs := cert(t, dir, line); code != exitOK || !strings.HasPrefix(out, "Usage: busbar cert ") || errs != "" {
			t.Errorf("%s: exit code %d, output %.40q, errors %q, want the usage", line, code, out, errs)
		}
	}
}
