package mqttbroker

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// authority signs the certificates of a test.
type authority struct {
	t    testing.TB
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	dir := t.TempDir()
	a := &authority{t: t, dir: dir}
	a.cert = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.key = a.write("ca", a.cert, a.cert, nil)
	return a
}

func (a *authority) path(name string) string { return filepath.Join(a.dir, name) }

// issue makes a certificate for a host, in name.pem and name.key.
func (a *authority) issue(name string, hosts ...string) {
	a.t.Helper()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, host)
		}
	}
	a.write(name, c, a.cert, a.key)
}

func (a *authority) write(name string, cert, parent *x509.Certificate, signer *ecdsa.PrivateKey) *ecdsa.PrivateKey {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	if signer == nil {
		signer = key
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		name + ".pem": {Type: "CERTIFICATE", Bytes: der}, name + ".key": {Type: "EC PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(a.path(file), pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	return key
}

// client is the configuration of a client with this certificate; none if empty.
func (a *authority) client(name string) *tls.Config {
	a.t.Helper()
	config := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}
	text, err := os.ReadFile(a.path("ca.pem"))
	if err != nil || !config.RootCAs.AppendCertsFromPEM(text) {
		a.t.Fatalf("certificate of the authority: %v", err)
	}
	if name != "" {
		cert, err := tls.LoadX509KeyPair(a.path(name+".pem"), a.path(name+".key"))
		if err != nil {
			a.t.Fatal(err)
		}
		config.Certificates = []tls.Certificate{cert}
	}
	return config
}

func TestTLS(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		ca, stranger := newAuthority(t), newAuthority(t)
		ca.issue("broker", "127.0.0.1")
		ca.issue("device")
		stranger.issue("device")
		certificate := TLS{Cert: ca.path("broker.pem"), Key: ca.path("broker.key")}
		wrong := stranger.client("device")
		wrong.RootCAs = ca.client("").RootCAs
		old := ca.client("device")
		old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
		tests := []struct {
			name      string
			authority string
			client    *tls.Config
			want      bool
		}{
			{"certificate of the broker", "", ca.client(""), true},
			{"another authority", "", stranger.client(""), false},
			{"plain client", "", nil, false},
			{"TLS 1.1", "", old, false},
			{"certificate of the client", ca.path("ca.pem"), ca.client("device"), true},
			{"no certificate of the client", ca.path("ca.pem"), ca.client(""), false},
			{"certificate of another authority", ca.path("ca.pem"), wrong, false},
			{"plain client where certificates are wanted", ca.path("ca.pem"), nil, false},
		}
		for _, tt := range tests {
			r := start(t, newSink(), func(s *Settings) {
				s.TLS = certificate
				s.TLS.CA = tt.authority
			})
			d, err := r.connect(t, version, options{id: "d", tls: tt.client})
			if (err == nil) != tt.want {
				t.Errorf("%s: %v, want it to be let in: %v", tt.name, err, tt.want)
			}
			if err == nil {
				if err := d.publish("a", 1, "1"); err != nil {
					t.Errorf("%s: %v", tt.name, err)
				}
				r.sink.expect(t, "a", "1")
				d.close()
			}
			// Whatever came, others are served.
			good := r.device(t, version, options{id: "good", tls: ca.client("device")})
			if err := good.publish("b", 2, "2"); err != nil {
				t.Errorf("after %s: %v", tt.name, err)
			}
			r.sink.expect(t, "b", "2")
			good.close()
			r.stop()
		}
	})
}
