package cli

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"strings"

	"busbar/internal/tlsconf"
)

// tlsFlags are the flags of TLS of the commands that have links.
type tlsFlags struct{ ca, cert, key, name, crl string }

func (f *tlsFlags) define(fs *flag.FlagSet) {
	fs.StringVar(&f.ca, "tls-ca", "", "TLS: `file` with the authorities that the peer is trusted by")
	fs.StringVar(&f.cert, "tls-cert", "", "TLS: `file` with the own certificate")
	fs.StringVar(&f.key, "tls-key", "", "TLS: `file` with the key to it")
	fs.StringVar(&f.name, "tls-name", "", "TLS: `name` that the certificate of the peer must have; default the host that is dialled")
	fs.StringVar(&f.crl, "tls-crl", "", "TLS: `files` with lists of revoked certificates")
}

// tlsFlagNames are the names of the flags.
var tlsFlagNames = [...]string{"tls-ca", "tls-cert", "tls-key", "tls-name", "tls-crl"}

// given reports whether any of the flags is.
func (f *tlsFlags) given() bool { return *f != tlsFlags{} }

// check reports flags that are missing, and names that are none.
func (f *tlsFlags) check() error {
	if !f.given() {
		return nil
	}
	for i, text := range []string{f.ca, f.cert, f.key} {
		if text == "" {
			return fmt.Errorf("--%s is missing: with TLS both sides show certificates, want --tls-ca, --tls-cert and --tls-key", tlsFlagNames[i])
		}
	}
	if f.name != "" {
		if _, err := tlsconf.ParseName(f.name); err != nil {
			return fmt.Errorf("--tls-name: %w", err)
		}
	}
	return nil
}

// lists returns the files with lists of revoked certificates.
func (f *tlsFlags) lists() []string {
	if f.crl == "" {
		return nil
	}
	return strings.Split(f.crl, ",")
}

// endpoint returns the side of TLS that the flags describe; nil without them.
func (f *tlsFlags) endpoint(role tlsconf.Role) (*tlsconf.Endpoint, error) {
	if !f.given() {
		return nil, nil
	}
	s := tlsconf.Settings{CA: f.ca, Cert: f.cert, Key: f.key, CRL: f.lists()}
	if f.name != "" {
		name, err := tlsconf.ParseName(f.name)
		if err != nil {
			return nil, fmt.Errorf("--tls-name: %w", err)
		}
		s.Allow = tlsconf.Allow{name}
	}
	use := tlsconf.Use{Role: role, Mutual: true}
	if problems := s.Problems("tls", use); len(problems) > 0 {
		return nil, errors.New(problems[0].Text)
	}
	e := tlsconf.New(s, use, slog.New(slog.DiscardHandler)) // what is wrong is an error of the connection
	return e, e.Reload()
}
