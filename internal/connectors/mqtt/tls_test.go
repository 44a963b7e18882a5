package mqtt

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

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
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil { // mosquitto may run as another user
			t.Fatal(err)
		}
	}
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
	if err := os.Chmod(a.path(name+".key"), 0o644); err != nil {
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

func TestTLS(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		ca, stranger := newAuthority(t), newAuthority(t)
		ca.issue("broker", "broker.example")
		ca.issue("busbar")
		m := broker(t, "cafile "+ca.path("ca.pem"), "certfile "+ca.path("broker.pem"), "keyfile "+ca.path("broker.key"),
			"require_certificate true", "use_identity_as_username true")
		m.scheme = "mqtts"
		right := tlsconf.Settings{CA: ca.path("ca.pem"), Cert: ca.path("busbar.pem"), Key: ca.path("busbar.key"), ServerName: "broker.example"}
		tests := []struct {
			name   string
			change func(*tlsconf.Settings)
			want   string
		}{
			{"another authority", func(c *tlsconf.Settings) { c.CA = stranger.path("ca.pem") }, "tls: unknown authority: "},
			{"another name", func(c *tlsconf.Settings) { c.ServerName = "" }, "tls: wrong name: the certificate is not for 127.0.0.1 but for broker.example"},
			{"the authorities of the system", func(c *tlsconf.Settings) { c.CA = "" }, "one that this system trusts"},
			{"no certificate of our own", func(c *tlsconf.Settings) { c.Cert, c.Key = "", "" }, "tls: refused by peer: it wants a certificate|connection reset|broken pipe"}, // the alert may be overtaken
			{"no such file", func(c *tlsconf.Settings) { c.CA = ca.path("none.pem") }, "tls: faulty files: tls.ca: stat "},
			{"no certificate in the file", func(c *tlsconf.Settings) { c.CA = ca.path("ca.key") }, "has no certificate, but PRIVATE KEY"},
			{"key of another", func(c *tlsconf.Settings) { c.Key = ca.path("ca.key") }, "tls.cert: "},
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
		config := &tls.Config{InsecureSkipVerify: true}
		pair, err := tls.LoadX509KeyPair(right.Cert, right.Key)
		if err != nil {
			t.Fatal(err)
		}
		config.Certificates = []tls.Certificate{pair}
		m.publisher(func(o *paho.ClientOptions) {
			o.Servers[0].Scheme = "ssl"
			o.SetTLSConfig(config)
		}).publish("a", 1, "1")
		s.expect(t, "a", "1")
	})
}

func TestBrokerThatIsRevokedIsLeft(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		ca := newAuthority(t)
		ca.issue("broker", "127.0.0.1")
		m := broker(t, "cafile "+ca.path("ca.pem"), "certfile "+ca.path("broker.pem"), "keyfile "+ca.path("broker.key"))
		m.scheme = "mqtts"
		s := newSink(Source{Topic: "a"})
		settings := m.settings(version)
		settings.TLS = tlsconf.Settings{CA: ca.path("ca.pem"), CRL: []string{ca.path("ca.crl")}}
		r := start(t, settings, s)
		s.state(t, "up: ")
		ca.revoke("broker")
		if err := r.tls.Reload(); err != nil {
			t.Fatal(err)
		}
		state := until(t, "state", s.states, func(got string) bool { return strings.HasPrefix(got, "connecting: tls: revoked: ") })
		if want := "of CN=broker was revoked on "; !strings.Contains(state, want) {
			t.Errorf("state %q, want %q in it", state, want)
		}
		r.stop()
	})
}

func TestWebSocketOfAnotherAuthorityIsRefused(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		ca, stranger := newAuthority(t), newAuthority(t)
		ca.issue("front", "127.0.0.1")
		pair, err := tls.LoadX509KeyPair(ca.path("front.pem"), ca.path("front.key"))
		if err != nil {
			t.Fatal(err)
		}
		m := broker(t)
		settings := m.settings(version)
		settings.URL = front(t, m, &tls.Config{Certificates: []tls.Certificate{pair}})
		settings.TLS.CA = stranger.path("ca.pem")
		s := newSink()
		r := start(t, settings, s)
		until(t, "reason", s.states, func(got string) bool { return strings.Contains(got, "tls: unknown authority: ") })
		r.stop()
	})
}
