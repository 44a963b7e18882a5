package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	oidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"
	"golang.org/x/time/rate"
)

const (
	// refreshKeys is how often the keys are read again, so that one that the
	// provider withdraws is no longer accepted.
	refreshKeys = time.Hour
	// unknownKeyEvery and unknownKeyBurst bound how often tokens with keys that
	// are not known make us ask the provider.
	unknownKeyEvery   = 30 * time.Second
	unknownKeyBurst   = 3
	fetchTimeout      = 10 * time.Second
	shortestBackOff   = time.Second
	longestBackOff    = time.Minute
	largestDocument   = 1 << 20
	mostKeys          = 100
	mostKeysForAToken = 10
)

var (
	errProviderAway = errors.New("the provider does not answer")
	errUnknownKey   = errors.New("the provider has no such key")
)

// issuer is one issuer of tokens: its discovery document and its keys, fetched
// when they are first needed. It is safe for concurrent use.
type issuer struct {
	url    string
	client *http.Client
	log    *slog.Logger
	limit  *rate.Limiter // of fetches for keys that are not known

	fetching sync.Mutex // held by the one that fetches

	mu       sync.Mutex // guards what follows
	endpoint oauth2.Endpoint
	keys     []jose.JSONWebKey
	fetched  int       // how many fetches have succeeded
	failures int       // in a row
	next     time.Time // not earlier, after a failure
}

func newIssuer(address string, client *http.Client, log *slog.Logger) *issuer {
	return &issuer{url: address, client: client, log: log, limit: rate.NewLimiter(rate.Every(unknownKeyEvery), unknownKeyBurst)}
}

// candidates returns the keys that a token with the given key id and algorithm
// may be signed with. It asks the provider when there are none, not more often
// than the limits permit. It fails with errProviderAway and errUnknownKey.
func (i *issuer) candidates(ctx context.Context, kid, alg string) ([]jose.JSONWebKey, error) {
	found, seen := i.known(kid, alg)
	if len(found) > 0 {
		return found, nil
	}
	if seen > 0 && !i.limit.Allow() {
		return nil, errUnknownKey
	}
	if err := i.fetch(ctx, seen); err != nil {
		return nil, err
	}
	if found, _ = i.known(kid, alg); len(found) == 0 {
		return nil, errUnknownKey
	}
	return found, nil
}

// known returns the keys that fit, and how often keys have been fetched.
func (i *issuer) known(kid, alg string) (found []jose.JSONWebKey, fetched int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, k := range i.keys {
		if (kid == "" || k.KeyID == kid) && (k.Algorithm == "" || k.Algorithm == alg) && len(found) < mostKeysForAToken {
			found = append(found, k)
		}
	}
	return found, i.fetched
}

// endpoints returns where people sign in, and where codes become tokens.
func (i *issuer) endpoints(ctx context.Context) (oauth2.Endpoint, error) {
	i.mu.Lock()
	e, fetched := i.endpoint, i.fetched
	i.mu.Unlock()
	if fetched > 0 {
		return e, nil
	}
	if err := i.fetch(ctx, 0); err != nil {
		return oauth2.Endpoint{}, err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.endpoint, nil
}

// fetch reads discovery document and keys, unless somebody else has done so
// since seen was read, or the provider has failed just now. The fetch goes on
// when ctx ends, because others wait for it; it takes at most fetchTimeout for each.
func (i *issuer) fetch(ctx context.Context, seen int) error {
	i.fetching.Lock()
	defer i.fetching.Unlock()
	i.mu.Lock()
	fetched, next := i.fetched, i.next
	i.mu.Unlock()
	switch {
	case fetched != seen:
		return nil
	case time.Now().Before(next):
		return errProviderAway
	}
	endpoint, keys, err := i.read(context.WithoutCancel(ctx))
	i.mu.Lock()
	defer i.mu.Unlock()
	if err != nil {
		wait := min(shortestBackOff<<min(i.failures, 10), longestBackOff)
		i.failures++
		i.next = time.Now().Add(wait)
		i.log.WarnContext(ctx, "provider of identities does not answer as it should", "issuer", i.url, "retry_in", wait, "error", err)
		return errProviderAway
	}
	if i.fetched == 0 || i.failures > 0 {
		i.log.InfoContext(ctx, "provider of identities answers", "issuer", i.url, "keys", len(keys))
	}
	i.endpoint, i.keys, i.failures, i.next = endpoint, keys, 0, time.Time{}
	i.fetched++
	return nil
}

func (i *issuer) read(ctx context.Context) (oauth2.Endpoint, []jose.JSONWebKey, error) {
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, i.client), fetchTimeout)
	defer cancel()
	provider, err := oidc.NewProvider(ctx, i.url)
	if err != nil {
		return oauth2.Endpoint{}, nil, fmt.Errorf("discovery: %w", err)
	}
	var more struct {
		Keys    string   `json:"jwks_uri"`
		Methods []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := provider.Claims(&more); err != nil {
		return oauth2.Endpoint{}, nil, fmt.Errorf("discovery: %w", err)
	}
	endpoint := provider.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInHeader // the default of the specification
	if len(more.Methods) > 0 && !slices.Contains(more.Methods, "client_secret_basic") {
		endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	for _, address := range []string{more.Keys, endpoint.AuthURL, endpoint.TokenURL} {
		if err := checkEndpoint(address); err != nil {
			return oauth2.Endpoint{}, nil, fmt.Errorf("discovery: %w", err)
		}
	}
	keys, err := i.readKeys(ctx, more.Keys)
	if err != nil {
		return oauth2.Endpoint{}, nil, fmt.Errorf("keys: %w", err)
	}
	return endpoint, keys, nil
}

// checkEndpoint refuses endpoints that are less safe than an issuer may be.
func checkEndpoint(address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return fmt.Errorf("endpoint %q: %w", address, err)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())) {
		return fmt.Errorf("endpoint %q: want https", address)
	}
	return nil
}

func (i *issuer) readKeys(ctx context.Context, address string) ([]jose.JSONWebKey, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := i.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() // only read
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", address, resp.Status)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&set); err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	return usableKeys(set.Keys)
}

// usableKeys returns the public keys for signatures. Keys of other kinds do not
// matter: providers publish what is not for us, too.
func usableKeys(set []json.RawMessage) (keys []jose.JSONWebKey, err error) {
	if len(set) > mostKeys {
		return nil, fmt.Errorf("%d keys, want %d or fewer", len(set), mostKeys)
	}
	for _, raw := range set {
		var k jose.JSONWebKey
		if k.UnmarshalJSON(raw) == nil && k.Valid() && k.IsPublic() && (k.Use == "" || k.Use == "sig") {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no public key for signatures among them")
	}
	return keys, nil
}

// limitedTransport bounds the size of what a provider answers.
type limitedTransport struct{ next http.RoundTripper }

func (t limitedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, largestDocument), resp.Body}
	return resp, nil
}
