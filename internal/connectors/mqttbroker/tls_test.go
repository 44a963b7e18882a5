package mqttbroker

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"testing"
	"time"

	"busbar/internal/connector"
	"busbar/internal/pki"
	"busbar/internal/tlsconf"
)

// authority signs the certificates of a test.
type authority struct {
	t   testing.TB
	dir *pki.Directory
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key, err := pki.NewKey(0)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := pki.NewAuthority(pki.Subject{Name: "test authority"}, key, time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	d, err := pki.Create(dir, ca, time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{t: t, dir: d}
}

func (a *authority) path(name string) string { return a.dir.File(name) }

// issue makes a certificate for hosts, in name.pem and name.key.
func (a *authority) issue(name string, hosts ...string) {
	a.t.Helper()
	key, err := pki.NewKey(0)
	if err != nil {
		a.t.Fatal(err)
	}
	r := pki.Request{Name: name, Hosts: hosts, Server: true, Client: true, Key: key.Public(), Lifetime: time.Hour}
	if _, err := a.dir.Issue(r, key, false, time.Now()); err != nil {
		a.t.Fatal(err)
	}
}

// revoke puts certificates into the list ca.crl.
func (a *authority) revoke(name string) {
	a.t.Helper()
	certs, err := a.dir.Find(name)
	if err == nil {
		_, err = a.dir.Revoke(certs, 1, time.Now(), time.Hour)
	}
	if err != nil {
		a.t.Fatal(err)
	}
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
		certificate := tlsconf.Settings{Cert: ca.path("broker.pem"), Key: ca.path("broker.key")}
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

func TestDeviceThatIsRevokedIsDisconnected(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		ca := newAuthority(t)
		ca.issue("broker", "127.0.0.1")
		ca.issue("device")
		ca.issue("stolen")
		r := start(t, newSink(), func(s *Settings) {
			s.TLS = tlsconf.Settings{CA: ca.path("ca.pem"), Cert: ca.path("broker.pem"), Key: ca.path("broker.key"), CRL: []string{ca.path("ca.crl")}}
		})
		good := r.device(t, version, options{id: "good", tls: ca.client("device")})
		r.device(t, version, options{id: "stolen", tls: ca.client("stolen"), will: "gone"})
		ca.revoke("stolen")
		if err := r.tls.Reload(); err != nil {
			t.Fatal(err)
		}
		r.sink.expect(t, "gone", "gone") // its will
		if _, err := r.connect(t, version, options{id: "stolen", tls: ca.client("stolen")}); err == nil {
			t.Error("a device that is revoked is let in again")
		}
		if err := good.publish("a", 1, "1"); err != nil {
			t.Errorf("the other device: %v", err)
		}
		r.sink.expect(t, "a", "1")
		if n := r.figure(t, "tls_connections"); n != 1 {
			t.Errorf("%v connections, want 1", n)
		}
		until(t, "failed handshake in the figures", func() bool { // the client knows first
			failed := 0.0
			r.Collect(func(m connector.Metric) {
				if m.Name == "tls_handshakes_failed_total" && m.Labels[0].Value == "revoked" {
					failed += m.Value
				}
			})
			return failed == 1
		})
		r.stop()
	})
}
