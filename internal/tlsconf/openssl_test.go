package tlsconf

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"busbar/internal/pki"
)

// openssl runs a command of it in a directory.
func openssl(t *testing.T, dir string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := exec.CommandContext(ctx, program(t, "openssl"), args...)
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// opensslAuthority makes an authority, an intermediate one, and certificates for
// server and client, of which "stolen" is revoked, all by openssl.
func opensslAuthority(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "ca.cnf"), []byte(`[ca]
default_ca = own
[own]
dir = .
database = index.txt
new_certs_dir = .
serial = serial
crlnumber = crlnumber
default_md = sha256
default_days = 30
default_crl_days = 30
policy = any
copy_extensions = copy
[any]
commonName = supplied
organizationName = optional
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
[leaf]
basicConstraints = CA:FALSE
extendedKeyUsage = serverAuth, clientAuth
`), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "index.txt"), nil, 0o600))
	for _, file := range []string{"serial", "crlnumber"} {
		must(t, os.WriteFile(filepath.Join(dir, file), []byte("1000\n"), 0o600))
	}
	openssl(t, dir, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "root.key", "-out", "root.pem", "-days", "30",
		"-subj", "/O=Foreign/CN=Foreign Root", "-config", "ca.cnf", "-extensions", "root")
	for _, name := range []string{"server", "client", "stolen"} {
		openssl(t, dir, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", name+".key", "-out", name+".csr",
			"-subj", "/O=Foreign/CN="+name, "-addext", "subjectAltName=IP:127.0.0.1")
		openssl(t, dir, "ca", "-batch", "-config", "ca.cnf", "-cert", "root.pem", "-keyfile", "root.key", "-extensions", "leaf",
			"-in", name+".csr", "-out", name+".pem", "-notext")
	}
	openssl(t, dir, "ca", "-config", "ca.cnf", "-cert", "root.pem", "-keyfile", "root.key", "-revoke", "stolen.pem", "-crl_reason", "keyCompromise")
	openssl(t, dir, "ca", "-config", "ca.cnf", "-cert", "root.pem", "-keyfile", "root.key", "-gencrl", "-out", "crl.pem")
	openssl(t, dir, "crl", "-in", "crl.pem", "-outform", "DER", "-out", "crl.der")
	return dir
}

// sClient connects with openssl, sends a line and returns what it printed.
func sClient(t *testing.T, addr, dir string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := exec.CommandContext(ctx, program(t, "openssl"), append([]string{"s_client", "-connect", addr, "-CAfile", "root.pem", "-verify_return_error"}, args...)...)
	c.Dir, c.Stdin = dir, strings.NewReader("hello\n")
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	_ = c.Run() // what it prints is looked at
	return out.String()
}

// echo serves connections until the test ends; it answers a line and closes.
func echo(t *testing.T, e *Endpoint) (addr string, ends <-chan error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	done := make(chan error, 10)
	served := make(chan struct{})
	secure := e.Listen(l)
	go func() {
		defer close(served)
		for {
			conn, err := secure.Accept()
			if err != nil {
				return
			}
			line := make([]byte, 6)
			err = conn.SetDeadline(time.Now().Add(patience))
			if err == nil {
				_, err = io.ReadFull(conn, line)
			}
			if err == nil {
				_, err = conn.Write([]byte("answer to " + string(line)))
			}
			_ = conn.Close()
			done <- err
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-served
	})
	return l.Addr().String(), done
}

func TestOpenSSLAtTheServer(t *testing.T) {
	t.Parallel()
	dir := opensslAuthority(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	stranger := newAuthority(t, "Other CA")
	stranger.issue("client", nil)
	cert := func(name string) []string { return []string{"-cert", name + ".pem", "-key", name + ".key", "-quiet"} }
	for _, crl := range []string{"crl.pem", "crl.der"} {
		e := endpoint(t, Settings{CA: at("root.pem"), Cert: at("server.pem"), Key: at("server.key"), CRL: []string{at(crl)}, CRLCheck: "hard"}, Server)
		addr, ends := echo(t, e)
		tests := []struct {
			name string
			args []string
			want outcome
			says string // by openssl
		}{
			{"TLS 1.3", append(cert("client"), "-tls1_3"), outcome{}, "answer to hello"},
			{"TLS 1.2", append(cert("client"), "-tls1_2"), outcome{}, "answer to hello"},
			{"TLS 1.1", append(cert("client"), "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"), outcome{WrongVersion, "offers TLS 1.1"}, "alert protocol version"},
			{"revoked", cert("stolen"), outcome{Revoked, "keyCompromise"}, "alert bad certificate"},
			{"no certificate", []string{"-quiet"}, outcome{reason: NoCertificate}, "alert certificate required"},
			{"another authority", []string{"-cert", stranger.path("client.pem"), "-key", stranger.path("client.key"), "-quiet"},
				outcome{UnknownAuthority, "CN=Other CA,O=Plant, want CN=Foreign Root,O=Foreign"}, "alert unknown ca"},
			{"suites without forward secrecy", append(cert("client"), "-tls1_2", "-cipher", "AES128-SHA256"), outcome{reason: NoCommonCipher}, "alert handshake failure"},
		}
		for _, tt := range tests {
			out := sClient(t, addr, dir, tt.args...)
			tt.want.check(t, crl+": "+tt.name, <-ends)
			if !strings.Contains(out, tt.says) {
				t.Errorf("%s: openssl says\n%s\nwant %q", tt.name, out, tt.says)
			}
		}
	}
}

func TestOpenSSLAsServer(t *testing.T) {
	t.Parallel()
	dir := opensslAuthority(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	tests := []struct {
		name   string
		server []string
		change func(*Settings)
		want   outcome
	}{
		{"TLS 1.3", []string{"-cert", "server.pem", "-key", "server.key"}, nil, outcome{}},
		{"TLS 1.2", []string{"-cert", "server.pem", "-key", "server.key", "-tls1_2"}, nil, outcome{}},
		{"revoked", []string{"-cert", "stolen.pem", "-key", "stolen.key"}, nil, outcome{Revoked, "keyCompromise"}},
		{"TLS 1.1", []string{"-cert", "server.pem", "-key", "server.key", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"}, nil, outcome{reason: WrongVersion}},
		{"no certificate of ours", []string{"-cert", "server.pem", "-key", "server.key", "-Verify", "2"},
			func(s *Settings) { s.Cert, s.Key = "", "" }, outcome{RefusedByPeer, "wants a certificate, want cert and key"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			addr := sServer(t, dir, tt.server...)
			s := Settings{CA: at("root.pem"), Cert: at("client.pem"), Key: at("client.key"), CRL: []string{at("crl.pem")}}
			if tt.change != nil {
				tt.change(&s)
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			conn, err := endpoint(t, s, Client).Dial(ctx, "tcp", addr)
			if err == nil {
				defer func() { _ = conn.Close() }()
				must(t, conn.SetDeadline(time.Now().Add(patience)))
				_, err = io.WriteString(conn, "hello\n")
				if err == nil {
					_, err = io.ReadFull(conn, make([]byte, 6))
				}
			}
			tt.want.check(t, "client", err)
		})
	}
}

// sServer starts openssl as a server that sends lines back in reverse.
func sServer(t *testing.T, dir string, args ...string) (addr string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c := exec.CommandContext(ctx, program(t, "openssl"), append([]string{"s_server", "-accept", "127.0.0.1:0", "-CAfile", "root.pem", "-rev"}, args...)...)
	c.Dir = dir
	out, err := c.StdoutPipe()
	must(t, err)
	must(t, c.Start())
	t.Cleanup(func() {
		cancel()
		_ = c.Wait() // it was killed
	})
	var text strings.Builder
	octet := make([]byte, 1)
	for {
		if _, err := out.Read(octet); err != nil {
			t.Fatalf("openssl s_server: %v\n%s", err, text.String())
		}
		text.Write(octet)
		if _, after, ok := strings.Cut(text.String(), "ACCEPT "); ok && strings.HasSuffix(after, "\n") {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return strings.TrimSpace(after)
		}
	}
}

// TestOpenSSLTakesOurFiles lets openssl verify what pki makes.
func TestOpenSSLTakesOurFiles(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, "Plant CA")
	a.issue("good", nil)
	a.issue("stolen", nil)
	a.revoke("stolen")
	verify := func(name string) string {
		out, _ := exec.Command(program(t, "openssl"), "verify", "-x509_strict", "-crl_check", "-CAfile", a.path(pki.CertFile),
			"-CRLfile", a.path(pki.ListFile), "-purpose", "sslclient", "-verify_ip", "127.0.0.1", a.path(name+".pem")).CombinedOutput()
		return string(out)
	}
	if out := verify("good"); !strings.Contains(out, "good.pem: OK") {
		t.Errorf("openssl verify:\n%s", out)
	}
	if out := verify("stolen"); !strings.Contains(out, "certificate revoked") {
		t.Errorf("openssl verify of the revoked one:\n%s", out)
	}
}
