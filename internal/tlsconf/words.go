package tlsconf

import (
	"crypto/tls"
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
)

// versionNames says in words what versions a client offers.
func versionNames(versions []uint16) string {
	var names []string
	for _, v := range versions {
		names = append(names, tls.VersionName(v))
	}
	if len(names) == 0 {
		return "none that is known"
	}
	return strings.Join(names, ", ")
}

// oldVersion finds the version in what Go says of it.
func oldVersion(text string) string {
	for version, name := range map[string]string{"300": "SSL 3.0", "301": "TLS 1.0", "302": "TLS 1.1", "303": "TLS 1.2"} {
		if strings.HasSuffix(text, " "+version) {
			return name
		}
	}
	return "another version"
}

// suiteNames names cipher suites; of many only the first.
func suiteNames(suites []uint16) string {
	const most = 8
	var names []string
	for _, s := range suites {
		if name := tls.CipherSuiteName(s); !strings.HasPrefix(name, "0x") || len(suites) <= most {
			names = append(names, name)
		}
		if len(names) == most {
			names = append(names, "…")
			break
		}
	}
	if len(names) == 0 {
		return "none that is known"
	}
	return strings.Join(names, ", ")
}

// subjectOf reads the subject of a certificate.
func subjectOf(raw []byte) string {
	var rdns pkix.RDNSequence
	if _, err := asn1.Unmarshal(raw, &rdns); err != nil {
		return "an authority that cannot be read"
	}
	return rdns.String()
}
