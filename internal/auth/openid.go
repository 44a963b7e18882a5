package auth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"
)

// openID are the providers and their issuers.
type openID struct {
	providers []*Provider
	issuers   map[string]*issuer   // by address
	owner     map[string]*Provider // by address of the issuer
	clients   map[string]*http.Client
}

// newOpenID makes what the providers need; it asks none of them. A transport
// of nil is that of the network.
func newOpenID(list []Provider, transport http.RoundTripper, log *slog.Logger) (*openID, error) {
	o := &openID{issuers: make(map[string]*issuer), owner: make(map[string]*Provider), clients: make(map[string]*http.Client)}
	for i := range list {
		p := &list[i]
		client, err := p.client(transport)
		if err != nil {
			return nil, fmt.Errorf("provider %s: %w", p.Name, err)
		}
		o.providers = append(o.providers, p)
		o.clients[p.Name] = client
		for _, address := range append([]string{p.Issuer}, p.ExtraIssuers...) {
			o.issuers[address] = newIssuer(address, client, log)
			o.owner[address] = p
		}
	}
	return o, nil
}

// client returns what the provider is asked with.
func (p *Provider) client(transport http.RoundTripper) (*http.Client, error) {
	if transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		if p.CA != "" {
			pem, err := os.ReadFile(p.CA)
			if err != nil {
				return nil, fmt.Errorf("ca: %w", err)
			}
			pool := x509.NewCertPool()
			if !pool.AppendCertsFromPEM(pem) {
				return nil, fmt.Errorf("ca: there is no certificate in %s", p.CA)
			}
			t.TLSClientConfig.RootCAs = pool
		}
		transport = t
	}
	return &http.Client{Transport: limitedTransport{transport}, Timeout: fetchTimeout, CheckRedirect: sameSafety}, nil
}

// sameSafety refuses redirects that lead from https to anything else.
func sameSafety(r *http.Request, via []*http.Request) error {
	if len(via) > 3 {
		return errors.New("more than 3 redirects")
	}
	return checkEndpoint(r.URL.String())
}

// byName returns a provider, nil if there is none.
func (o *openID) byName(name string) *Provider {
	for _, p := range o.providers {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// keepFresh reads the keys of an issuer at the start and every hour until ctx ends, so
// that the first token does not wait and a withdrawn key is not accepted for
// long. What fails is tried again with back-off.
func (i *issuer) keepFresh(ctx context.Context) {
	for {
		i.mu.Lock()
		seen := i.fetched
		i.mu.Unlock()
		_ = i.fetch(ctx, seen) // it has logged its failure, and remembers when to try again
		i.mu.Lock()
		wait := refreshKeys
		if i.failures > 0 {
			wait = max(time.Until(i.next), time.Millisecond)
		}
		i.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}
