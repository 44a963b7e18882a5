// Package apiclient speaks to the management API of a Busbar, for the commands of the binary that
// change or read another process.
package apiclient

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strings"
	"time"
)

// Options say which server is spoken to, and how.
type Options struct {
	// Server is the address of the server, such as https://busbar.example.org or
	// http://127.0.0.1:8080. Plain http is refused to other machines, as the token could be
	// read on its way, unless Plain is set.
	Server string
	// Token is an API token; empty: none is sent, see [Client.SignIn].
	Token string
	// CA is a file of certificates of the authorities that the server may have its
	// certificate from; empty: those of the system.
	CA string
	// InsecureLoopback does not check the certificate of a server on this machine.
	InsecureLoopback bool
	// Plain permits plain http to other machines.
	Plain bool
	// Agent names the program, as User-Agent.
	Agent string
}

// Figures of the client.
const (
	dialTimeout   = 10 * time.Second
	answerTimeout = 2 * time.Minute // until the answer begins: a plant of 100,000 points is validated and applied
)

// Client speaks to one server. It may be used from any goroutine.
type Client struct {
	base   string // address of the API, without a slash at its end
	origin string
	opts   Options
	http   *http.Client
}

// New returns a client. It does not connect.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.Server)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("server %q: want an address such as https://busbar.example.org", o.Server)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("server %q: want an address without user, query and fragment", u.Redacted())
	}
	local := isLoopback(u.Hostname())
	switch {
	case u.Scheme == "http" && !local && !o.Plain:
		return nil, fmt.Errorf("server %q: with http others can read the token on its way; want https", o.Server)
	case o.InsecureLoopback && !local:
		return nil, fmt.Errorf("server %q: its certificate must be checked, as it is on another machine", o.Server)
	}
	conf, err := o.tls()
	if err != nil {
		return nil, err
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	return &Client{
		base: strings.TrimRight(u.String(), "/") + "/api/v1", origin: u.Scheme + "://" + u.Host, opts: o,
		http: &http.Client{
			Jar:           jar,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				Proxy: http.ProxyFromEnvironment, TLSClientConfig: conf, ForceAttemptHTTP2: true,
				DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
				TLSHandshakeTimeout: dialTimeout, ResponseHeaderTimeout: answerTimeout,
			},
		},
	}, nil
}

// Close ends the connections that nothing is under way on.
func (c *Client) Close() { c.http.CloseIdleConnections() }

func (o *Options) tls() (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: o.InsecureLoopback}
	if o.CA == "" {
		return conf, nil
	}
	pem, err := os.ReadFile(o.CA)
	if err != nil {
		return nil, fmt.Errorf("certificates of authorities: %w", err)
	}
	conf.RootCAs = x509.NewCertPool()
	if !conf.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("certificates of authorities: %s: %w", o.CA, errNoCertificate)
	}
	return conf, nil
}

var errNoCertificate = errors.New("has no certificate in PEM")

// isLoopback reports whether a host is this machine for certain.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
