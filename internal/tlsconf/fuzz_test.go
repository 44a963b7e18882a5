package tlsconf

import (
	"crypto/x509"
	"os"
	"testing"
	"time"

	"busbar/internal/pki"
)

func FuzzLists(f *testing.F) {
	a := newAuthority(f, "Plant CA")
	a.issue("x", nil)
	a.revoke("x")
	list, err := os.ReadFile(a.path(pki.ListFile))
	must(f, err)
	der, err := os.ReadFile(a.expiredList("der"))
	must(f, err)
	for _, seed := range [][]byte{list, der, append(list, list...), der[:len(der)/2], []byte("-----BEGIN X509 CRL-----\n-----END X509 CRL-----\n"), {0x30}, nil} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		lists, err := parseLists(text)
		if (len(lists) == 0) != (err != nil) {
			t.Fatalf("%d lists, %v", len(lists), err)
		}
		m := &material{lists: lists, authorities: []*x509.Certificate{a.dir.Cert}}
		m.listProblems(time.Now())
		_, fault := m.revoked([]*x509.Certificate{a.dir.Cert, a.dir.Cert}, time.Now(), true)
		if err == nil && fault == nil && m.listOf(a.dir.Cert) == nil {
			t.Error("the peer is let in without a list of its authority")
		}
	})
}

func FuzzCerts(f *testing.F) {
	a := newAuthority(f, "Plant CA")
	text, err := os.ReadFile(a.path(pki.CertFile))
	must(f, err)
	for _, seed := range [][]byte{text, a.dir.Cert.Raw, append(text, text...), text[:len(text)/2], {0x30, 0x80}, nil} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m := new(material)
		if err := m.trust(text); (len(m.authorities) == 0) != (err != nil) {
			t.Fatalf("%d certificates, %v", len(m.authorities), err)
		}
		m.problems(time.Now(), Server)
		_ = m.anchors()
	})
}

func FuzzNames(f *testing.F) {
	for _, seed := range []string{"scada1", "CN=scada1,O=Plant", `CN=a\,b+OU=c`, "sha256:00", "10.0.0.5", `CN=\`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := ParseName(text)
		if err != nil {
			return
		}
		again, err := ParseName(n.String())
		if n.kind == commonName || n.kind == anyName {
			return // String is for people: it leaves out escapes
		}
		if err != nil || again.kind != n.kind {
			t.Errorf("%q is shown as %q, which is %v, %v", text, n, again.kind, err)
		}
	})
}
