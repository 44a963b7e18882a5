package tlsconf

import (
	"bytes"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/pki"
)

func TestProblemsOfSettings(t *testing.T) {
	t.Parallel()
	server, client := Use{Role: Server}, Use{Role: Client}
	some := Allow{{kind: commonName, text: "x"}}
	tests := []struct {
		name     string
		settings Settings
		use      Use
		want     []string
	}{
		{"nothing", Settings{}, Use{Role: Server, Mutual: true}, nil},
		{"server", Settings{Cert: "c", Key: "k"}, server, nil},
		{"client", Settings{CA: "a"}, client, nil},
		{"all", Settings{CA: "a", Cert: "c", Key: "k", Allow: some, CRL: []string{"l"}, CRLCheck: "hard"}, Use{Role: Server, Mutual: true}, nil},
		{"cert without key", Settings{Cert: "c"}, client, []string{"tls: want cert and key together"}},
		{"server without certificate", Settings{CA: "a"}, server, []string{"tls: is without effect without cert and key"}},
		{"mutual client without certificate", Settings{CA: "a"}, Use{Role: Client, Mutual: true}, []string{"tls: is without effect without cert and key"}},
		{"mutual without authority", Settings{Cert: "c", Key: "k"}, Use{Role: Client, Mutual: true}, []string{"tls: want ca, because peers must show certificates"}},
		{"clients allowed that need no certificate", Settings{Cert: "c", Key: "k", Allow: some}, server, []string{"tls.allow: has no effect without ca, as clients need no certificate then"}},
		{"list without authority", Settings{CRL: []string{"l"}}, client, []string{"tls.crl: has no effect without ca"}},
		{"check without list", Settings{CA: "a", CRLCheck: "soft"}, client, []string{"tls.crlCheck: has no effect without crl"}},
		{"name of a server at a server", Settings{Cert: "c", Key: "k", ServerName: "x"}, server, []string{"tls.serverName: is about servers; want allow, to name clients"}},
		{"old suites with 1.3", Settings{CA: "a", RSAKeys: true, MinVersion: "1.3"}, client, []string{"tls.rsaKeyExchange: has no effect with minVersion 1.3"}},
	}
	for _, tt := range tests {
		var got []string
		for _, p := range tt.settings.Problems("tls", tt.use) {
			got = append(got, p.String())
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	hex := strings.Repeat("0a", 32)
	id := &Identity{
		Subject: `CN=scada1,OU=Control\, North,O=Plant`, CommonName: "scada1",
		Names: []string{"Scada1.plant.example", "10.0.0.5", "fd00::1", "urn:x", "ops@plant.example"}, Fingerprint: "sha256:" + hex,
	}
	for _, text := range []string{
		"scada1", "SCADA1", "scada1.plant.example", "scada1.plant.example.", "10.0.0.5", "::ffff:10.0.0.5", "fd00:0::1", "ops@plant.example",
		"CN=scada1", " cn = scada1 ", `CN=scada1,OU=Control\, North,O=Plant`, `O = Plant, OU = Control\, North, CN = scada1`,
		"sha256:" + hex, "SHA256:" + strings.ToUpper(hex), hex, "0a" + strings.Repeat(":0A", 31),
	} {
		n, err := ParseName(text)
		if err != nil || !n.Match(id) {
			t.Errorf("%s: %v, does not match", text, err)
		}
	}
	for _, text := range []string{
		"scada", "10.0.0.50", "CN=SCADA1", "CN=scada1,O=Plant", "O=Plant", `OU=Control\, North,CN=scada1,O=Plant`,
		"sha256:" + strings.Repeat("0b", 32), "scada1,O=Plant",
	} {
		if n, err := ParseName(text); err == nil && n.Match(id) {
			t.Errorf("%s matches", text)
		}
	}
	for text, want := range map[string]string{
		"":             "has an empty name",
		"sha256:12":    "has sha256:12, want sha256: and 64 hexadecimal digits",
		"*.plant":      "has *.plant, want each name without *",
		"10.0.0.0/8":   "has 10.0.0.0/8, want what certificates say",
		"CN=":          "want a subject such as CN=scada1,O=Plant",
		"CN=a,,O=b":    "want a subject such as CN=scada1,O=Plant",
		"CN=a,nothing": "want a subject such as CN=scada1,O=Plant",
	} {
		if _, err := ParseName(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if (Allow{}).Match(id) {
		t.Error("an empty list matches")
	}
}

func TestFaultyFiles(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "Plant CA")
	ca.issue("server", nil)
	good := ca.settings("server")
	file := func(name, text string) string {
		must(t, os.WriteFile(ca.path(name), []byte(text), 0o600))
		return ca.path(name)
	}
	tests := []struct {
		name   string
		change func(*Settings)
		want   string
	}{
		{"no such file", func(s *Settings) { s.CA = ca.path("none") }, "none: no such file or directory"},
		{"directory", func(s *Settings) { s.CA = ca.path(".") }, "is not a regular file"},
		{"empty authority", func(s *Settings) { s.CA = file("empty", "") }, "empty: has no certificate, want PEM or DER"},
		{"key for an authority", func(s *Settings) { s.CA = ca.path(pki.KeyFile) }, "has no certificate, but PRIVATE KEY"},
		{"damaged authority", func(s *Settings) {
			s.CA = file("broken", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
		}, "tls.ca: "},
		{"key of another", func(s *Settings) { s.Key = ca.path(pki.KeyFile) }, "private key does not match public key"},
		{"encrypted key", func(s *Settings) {
			s.Key = file("locked", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")
		}, "the key is encrypted, want it without passphrase"},
		{"certificate for a list", func(s *Settings) { s.CRL = []string{ca.path(pki.CertFile)} }, "has no list of revoked certificates, but CERTIFICATE"},
		{"text for a list", func(s *Settings) { s.CRL = []string{file("text", "x")} }, "has no list of revoked certificates, want PEM or DER"},
	}
	for _, tt := range tests {
		s := good
		tt.change(&s)
		e := endpoint(t, s, Server)
		err := e.Reload()
		outcome{FaultyFiles, tt.want}.check(t, tt.name, err)
		if _, err := e.fresh(); err == nil {
			t.Errorf("%s: a handshake goes on", tt.name)
		}
	}
}

func TestProblemsOfFiles(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "Plant CA")
	ca.issue("server", func(r *pki.Request, _ *time.Time) { r.Lifetime, r.Server = time.Minute, false })
	s := ca.settings("server")
	s.CRL = []string{ca.expiredList("old.crl")}
	e := endpoint(t, s, Server)
	must(t, e.Reload())
	want := []string{
		"certificate CN=server,O=Plant expires on ", "certificate CN=server,O=Plant is not for servers, which peers may refuse",
		"list of revoked certificates " + s.CRL[0] + " of CN=Plant CA,O=Plant has expired on ",
	}
	got := e.Problems()
	if len(got) != len(want) {
		t.Fatalf("problems %q, want %d", got, len(want))
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("problem %q, want %q", got[i], want[i])
		}
	}
}

func TestNamesOverlap(t *testing.T) {
	t.Parallel()
	printed := "sha256:" + strings.Repeat("0b", 32)
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"CN=scada1", "CN=scada1", true},
		{"CN=scada1", "CN=SCADA1", false},
		{"CN=scada1", "CN=scada1,O=Plant", true},
		{"CN=scada1", "CN=scada2,O=Plant", false},
		{"CN=scada1", "SCADA1", true},
		{"scada1.plant", "Scada1.plant.", true},
		{"scada1", "scada2", false},
		{"CN=scada1,O=Plant", "O=Plant,CN=scada1", true},
		{"CN=scada1,O=Plant", "CN=scada1,O=Other", false},
		{"O=Plant,OU=a", "CN=scada1", false},
		{printed, strings.ToUpper(strings.TrimPrefix(printed, "sha256:")), true},
		{printed, "CN=scada1", false},
	} {
		a, err := ParseName(tt.a)
		must(t, err)
		b, err := ParseName(tt.b)
		must(t, err)
		if a.Overlaps(b) != tt.want || b.Overlaps(a) != tt.want {
			t.Errorf("%s and %s overlap: %v and %v, want %v", tt.a, tt.b, a.Overlaps(b), b.Overlaps(a), tt.want)
		}
	}
}

func TestFaultOfAReloadIsForItsCaller(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "Plant CA")
	ca.issue("server", nil)
	s := ca.settings("server")
	var log bytes.Buffer
	e := New(s, Use{Role: Server}, slog.New(slog.NewTextHandler(&log, nil)))
	must(t, e.Reload())
	before := e.material
	key, err := os.ReadFile(s.Key)
	must(t, err)
	must(t, os.WriteFile(s.Key, nil, 0o600))
	if err := e.Reload(); err == nil {
		t.Error("no fault")
	}
	e.looked = time.Time{}
	if m, err := e.fresh(); err != nil || m != before || log.Len() > 0 {
		t.Errorf("%v, other material %v, log %q, want those read before, and that nothing is said twice", err, m != before, log.String())
	}
	must(t, os.WriteFile(s.Key, key, 0o600))
	must(t, e.Reload())
	if !strings.Contains(log.String(), "tls files are as they were read") {
		t.Errorf("log %q", log.String())
	}
}
