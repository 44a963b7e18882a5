package mqtt

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
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
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil { // mosquitto may run as another user
			t.Fatal(err)
		}
	}
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
		if err := os.WriteFile(a.path(file), pem.EncodeToMemory(block), 0o644); err != nil {
			a.t.Fatal(err)
		}
	}
	return key
}

func TestTLS(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		ca, stranger := newAuthority(t), newAuthority(t)
		ca.issue("broker", "broker.example")
		ca.issue("busbar")
		m := broker(t, "cafile "+ca.path("ca.pem"), "certfile "+ca.path("broker.pem"), "keyfile "+ca.path("broker.key"),
			"require_certificate true", "use_identity_as_username true")
		m.scheme = "mqtts"
		right := TLS{CA: ca.path("ca.pem"), Cert: ca.path("busbar.pem"), Key: ca.path("busbar.key"), ServerName: "broker.example"}
		tests := []struct {
			name   string
			change func(*TLS)
			want   string
		}{
			{"another authority", func(c *TLS) { c.CA = stranger.path("ca.pem") }, "certificate"},
			{"another name", func(c *TLS) { c.ServerName = "" }, "certificate"},
			{"the authorities of the system", func(c *TLS) { c.CA = "" }, "certificate"},
			{"no certificate of our own", func(c *TLS) { c.Cert, c.Key = "", "" }, "certificate required|connection reset|broken pipe"}, // the alert may be overtaken
			{"no such file", func(c *TLS) { c.CA = ca.path("none.pem") }, "tls.ca: open "},
			{"no certificate in the file", func(c *TLS) { c.CA = ca.path("ca.key") }, "tls.ca: no certificate in "},
			{"key of another", func(c *TLS) { c.Key = ca.path("ca.key") }, "tls.cert: "},
		}
		for _, tt := range tests {
			s := newSink(Source{Topic: "a"})
			settings := m.settings(version)
			settings.TLS = right
			tt.change(&settings.TLS)
			r := start(t, settings, s)
			until(t, "reason with "+tt.want+" for "+tt.name, s.states, func(got string) bool {
				return slices.ContainsFunc(strings.Split(tt.want, "|"), func(want string) bool { return strings.Contains(got, want) })
			})
			r.stop()
		}
		s := newSink(Source{Topic: "a"})
		settings := m.settings(version)
		settings.TLS = right
		start(t, settings, s)
		s.state(t, "up: ")
		config, err := right.config("broker.example")
		if err != nil {
			t.Fatal(err)
		}
		m.publisher(func(o *paho.ClientOptions) {
			o.Servers[0].Scheme = "ssl"
			o.SetTLSConfig(config)
		}).publish("a", 1, "1")
		s.expect(t, "a", "1")
	})
}
