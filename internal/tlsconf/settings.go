// Package tlsconf is TLS for all connectors, in both roles, as far as Go has what
// IEC 62351-3 asks for: one set of keys in the plant file, certificates of both
// sides, allow-lists, lists of revoked certificates, files that are read again
// while connections are open, and reasons that an operator understands.
//
// An [Endpoint] is the TLS side of one connector. It makes a [Conn] of each
// connection. [Endpoint.Run] reads the files again and looks at the peers that are
// connected: who would not be let in any more, or has been connected for too long, must
// leave, see [Conn.OnEnd].
//
// What Go does not have: renegotiation, in place of which a connection is
// renewed at its greatest age; cipher suites with DHE or CCM. Sessions are not
// resumed, so that every connection is checked in full.
package tlsconf

import (
	"crypto/tls"
	"reflect"
	"slices"
	"time"

	"busbar/internal/connector"
)

// Settings are the keys of `tls:` in the plant file, the same for all connectors.
// The zero value is the default of each.
type Settings struct {
	CA         string        `json:"ca" file:"true" doc:"file with the certificates of the authorities that peers are trusted by"`
	Cert       string        `json:"cert" file:"true" doc:"file with the certificate of Busbar and its chain"`
	Key        string        `json:"key" file:"true" doc:"file with the key to cert, without passphrase"`
	Allow      Allow         `json:"allow" doc:"names and SHA-256 fingerprints of the certificates of peers; default all that ca has signed"`
	ServerName string        `json:"serverName" doc:"name that the certificate of a server must have; default the host that is dialled, or none with allow"`
	CRL        []string      `json:"crl" file:"true" min:"1" doc:"files with the lists of revoked certificates, PEM or DER"`
	CRLCheck   string        `json:"crlCheck" enum:"soft,hard" doc:"with a list that has expired or is missing: soft lets peers in and warns, hard refuses them"`
	MinVersion string        `json:"minVersion" enum:"1.2,1.3" doc:"least version of TLS"`
	RSAKeys    bool          `json:"rsaKeyExchange" doc:"also TLS_RSA_WITH_AES_128_CBC_SHA256 with TLS 1.2, for old devices; has no forward secrecy"`
	MaxAge     time.Duration `json:"maxAge" min:"1m" max:"8760h" doc:"age at which a connection is renewed"`
}

// Role is which side of a connection Busbar is. A TLS server need not be the
// controlled station: it is the side that listens.
type Role uint8

// The roles.
const (
	Server Role = 1 << iota // it accepts connections
	Client                  // it makes them
	Both   = Server | Client
)

// Use is what a connector needs of its settings.
type Use struct {
	Role   Role
	Mutual bool // both sides show certificates, as IEC 62351-3 wants it
}

// Given reports whether any key is given.
func (s *Settings) Given() bool { return !reflect.DeepEqual(*s, Settings{}) }

// Enabled reports whether there is a certificate of Busbar, which is what
// switches TLS on where Busbar listens or both sides show certificates.
func (s *Settings) Enabled() bool { return s.Cert != "" }

// Problems returns what is wrong with the settings as such; path is their key,
// mostly "tls". The files are not looked at.
func (s *Settings) Problems(path string, use Use) []connector.Problem {
	if !s.Given() {
		return nil
	}
	var problems []connector.Problem
	fault := func(key, text string) {
		problems = append(problems, connector.Faultf(path+key, "%s", text))
	}
	if (s.Cert == "") != (s.Key == "") {
		fault("", "want cert and key together")
	} else if s.Cert == "" && (use.Role == Server || use.Mutual) {
		fault("", "is without effect without cert and key")
	}
	switch {
	case s.CA != "":
	case use.Mutual:
		fault("", "want ca, because peers must show certificates")
	case len(s.Allow) > 0 && use.Role == Server:
		fault(".allow", "has no effect without ca, as clients need no certificate then")
	case len(s.CRL) > 0:
		fault(".crl", "has no effect without ca")
	}
	if s.CRLCheck != "" && len(s.CRL) == 0 {
		fault(".crlCheck", "has no effect without crl")
	}
	if s.ServerName != "" && use.Role == Server {
		fault(".serverName", "is about servers; want allow, to name clients")
	}
	if s.RSAKeys && s.MinVersion == "1.3" {
		fault(".rsaKeyExchange", "has no effect with minVersion 1.3")
	}
	return problems
}

// file is a file of the settings.
type file struct{ key, path string }

// files returns the files of the settings.
func (s *Settings) files() []file {
	files := []file{{"tls.ca", s.CA}, {"tls.cert", s.Cert}, {"tls.key", s.Key}}
	for _, path := range s.CRL {
		files = append(files, file{"tls.crl", path})
	}
	return slices.DeleteFunc(files, func(f file) bool { return f.path == "" })
}

func (s *Settings) minVersion() uint16 {
	if s.MinVersion == "1.3" {
		return tls.VersionTLS13
	}
	return tls.VersionTLS12
}

// versions says in words what versions are taken.
func (s *Settings) versions() string {
	if s.MinVersion == "1.3" {
		return "TLS 1.3"
	}
	return "TLS 1.2 or 1.3"
}

// suites are the cipher suites of TLS 1.2. Those of TLS 1.3 cannot be chosen:
// AES-128-GCM, AES-256-GCM and ChaCha20-Poly1305.
func (s *Settings) suites() []uint16 {
	suites := []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	}
	if s.RSAKeys {
		suites = append(suites, tls.TLS_RSA_WITH_AES_128_CBC_SHA256)
	}
	return suites
}

func (s *Settings) hard() bool { return s.CRLCheck == "hard" }
