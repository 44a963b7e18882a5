package pki

import (
	"crypto/x509"
	"os"
	"strings"
	"testing"
	"time"
)

func directory(t testing.TB, lifetime time.Duration) *Directory {
	t.Helper()
	key, err := NewKey(0)
	if err != nil {
		t.Fatal(err)
	}
	a, err := NewAuthority(Subject{Name: "Plant CA", Organization: "Plant"}, key, time.Now(), lifetime)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Create(t.TempDir(), a, time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func issue(t testing.TB, d *Directory, r Request) *x509.Certificate {
	t.Helper()
	key, err := NewKey(0)
	if err != nil {
		t.Fatal(err)
	}
	r.Key, r.Server, r.Client = key.Public(), true, true
	cert, err := d.Issue(r, key, true, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestCertificateEndsWithItsAuthority(t *testing.T) {
	t.Parallel()
	d := directory(t, time.Hour)
	cert := issue(t, d, Request{Name: "a", Lifetime: 24 * time.Hour, Hosts: []string{"h.example", "10.0.0.1", "urn://x"}})
	if !cert.NotAfter.Equal(d.Cert.NotAfter) {
		t.Errorf("valid until %v, want %v as the authority", cert.NotAfter, d.Cert.NotAfter)
	}
	if got := strings.Join(Names(cert), " "); got != "h.example 10.0.0.1 urn://x" {
		t.Errorf("names %s", got)
	}
	if _, err := d.Sign(Request{Name: "b", Key: cert.PublicKey, Lifetime: time.Hour}, time.Now().Add(2*time.Hour)); err == nil {
		t.Error("an authority that has ended signs")
	}
}

func TestListKeepsWhatItHas(t *testing.T) {
	t.Parallel()
	d := directory(t, time.Hour)
	now := time.Now()
	var certs []*x509.Certificate
	for _, name := range []string{"a", "b"} {
		certs = append(certs, issue(t, d, Request{Name: name, Lifetime: time.Hour}))
		if fresh, err := d.Revoke(certs[len(certs)-1:], 1, now, time.Hour); err != nil || len(fresh) != 1 {
			t.Fatalf("Revoke = %d, %v", len(fresh), err)
		}
	}
	if fresh, err := d.Revoke(certs, 4, now.Add(time.Minute), time.Hour); err != nil || len(fresh) != 0 {
		t.Errorf("Revoke of both again = %d, %v, want none that is new", len(fresh), err)
	}
	again, err := Open(d.path)
	if err != nil {
		t.Fatal(err)
	}
	list, err := again.list()
	if err != nil {
		t.Fatal(err)
	}
	if list.Number.Int64() != 4 || len(list.RevokedCertificateEntries) != 2 {
		t.Errorf("list number %d with %d, want 4 with 2", list.Number, len(list.RevokedCertificateEntries))
	}
	for _, e := range list.RevokedCertificateEntries {
		if e.ReasonCode != 1 || !e.RevocationTime.Equal(now.Truncate(time.Second)) {
			t.Errorf("entry %x: reason %d at %v, want it as it was first", e.SerialNumber, e.ReasonCode, e.RevocationTime)
		}
	}
}

func TestForeignFilesAreRefused(t *testing.T) {
	t.Parallel()
	d, other := directory(t, time.Hour), directory(t, time.Hour)
	issue(t, other, Request{Name: "a", Lifetime: time.Hour})
	if _, err := d.Find(other.File("a.pem")); err == nil || !strings.Contains(err.Error(), "was not issued by") {
		t.Errorf("certificate of another authority: %v", err)
	}
	for _, name := range []string{ListFile, KeyFile} {
		text, err := os.ReadFile(other.File(name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(d.File(name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Revoke(nil, 0, time.Now(), time.Hour); err == nil {
		t.Error("the list of another authority is taken")
	}
	if _, err := Open(d.path); err == nil || !strings.Contains(err.Error(), "does not belong to") {
		t.Errorf("the key of another authority: %v", err)
	}
}

func FuzzDescribe(f *testing.F) {
	d := directory(f, time.Hour)
	cert := issue(f, d, Request{Name: "a", Lifetime: time.Hour, Hosts: []string{"10.0.0.1"}})
	if _, err := d.Revoke([]*x509.Certificate{cert}, 1, time.Now(), time.Hour); err != nil {
		f.Fatal(err)
	}
	for _, name := range []string{CertFile, KeyFile, ListFile, "a.pem"} {
		text, err := os.ReadFile(d.File(name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
		f.Add(text[:len(text)/2])
	}
	f.Add(cert.Raw)
	f.Fuzz(func(t *testing.T, text []byte) {
		items, err := Describe(text, time.Now())
		if err == nil && len(items) == 0 {
			t.Error("nothing is found and nothing is wrong")
		}
	})
}
