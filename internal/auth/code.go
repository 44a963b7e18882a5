package auth

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	oidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"busbar/internal/store"
)

const (
	// CodeCookie is the name of the cookie that holds what a sign-in with a
	// provider needs until the browser comes back.
	CodeCookie = "busbar_signin"
	// codeLives is how long somebody may take at the provider.
	codeLives = 10 * time.Minute
	// longestNext is the longest path that a sign-in leads back to.
	longestNext = 1024
)

// codeFlow is what is remembered of a sign-in while the browser is at the provider.
type codeFlow struct {
	State, Nonce, Verifier string
	Redirect               string // where the provider sends the browser back to
	Next                   string // where we send it then
	Expires                time.Time
}

// OwnPath returns a path of our own pages, "/" if next is not one: whoever signs
// in is never sent elsewhere.
func OwnPath(next string) string {
	u, err := url.Parse(next)
	switch {
	case err != nil || len(next) > longestNext || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "":
		return "/"
	case !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsRune(next, '\\') || strings.HasPrefix(u.Path, "//"):
		return "/"
	case strings.ContainsFunc(next, unicode.IsControl) || strings.ContainsFunc(next, unicode.IsSpace) || strings.ContainsFunc(u.Path, unicode.IsControl) || strings.ContainsRune(u.Path, '\\'):
		return "/"
	}
	return next
}

// BeginCode begins the sign-in of a person with a provider: authorization code
// with PKCE. It returns the address at the provider to send the browser to, and
// the cookie that it must bring back. Redirect is the path of the callback, next
// the path to lead to after it.
func (s *Service) BeginCode(r *http.Request, provider, redirect, next string) (string, *http.Cookie, error) {
	p, err := s.codeProvider(provider)
	if err != nil {
		return "", nil, err
	}
	endpoint, err := s.openID.issuers[p.Issuer].endpoints(r.Context())
	if err != nil {
		return "", nil, away(p)
	}
	flow := codeFlow{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(),
		Redirect: s.base(r) + redirect, Next: OwnPath(next), Expires: time.Now().Add(codeLives)}
	sealed, err := s.seal.seal(p.Name, flow)
	if err != nil {
		return "", nil, err
	}
	address := p.oauth(endpoint, flow.Redirect).AuthCodeURL(flow.State, oidc.Nonce(flow.Nonce), oauth2.S256ChallengeOption(flow.Verifier))
	return address, s.codeCookie(r, redirect, sealed), nil
}

// codeProvider returns a provider that people can sign in with.
func (s *Service) codeProvider(name string) (*Provider, error) {
	p := s.openID.byName(name)
	if p == nil || p.ClientID == "" {
		return nil, refuse(http.StatusNotFound, CodeNotFound, "there is no provider %q to sign in with", clip(name))
	}
	return p, nil
}

// base returns the address under which browsers reach us, without a path.
func (s *Service) base(r *http.Request) string {
	if s.config.URL != "" {
		return strings.TrimSuffix(s.config.URL, "/")
	}
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

func (p *Provider) oauth(e oauth2.Endpoint, redirect string) *oauth2.Config {
	if p.ClientSecret == "" { // a public client names itself in the request
		e.AuthStyle = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{ClientID: p.ClientID, ClientSecret: p.ClientSecret, Endpoint: e, RedirectURL: redirect, Scopes: p.Scopes}
}

// codeCookie returns the cookie for the time at the provider. It must come back
// with a request that the provider's page causes, so it cannot be Strict.
func (s *Service) codeCookie(r *http.Request, path, value string) *http.Cookie {
	c := &http.Cookie{Name: CodeCookie, Value: value, Path: path, HttpOnly: true, Secure: s.Secure(r), SameSite: http.SameSiteLaxMode, MaxAge: int(codeLives.Seconds())}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}

// FinishCode ends the sign-in when the browser has come back to the callback,
// and begins a session. It returns where to lead the browser, and a cookie
// that removes the one of BeginCode.
func (s *Service) FinishCode(r *http.Request, provider string) (opened Opened, next string, remove *http.Cookie, err error) {
	from := ClientOf(r)
	remove = s.codeCookie(r, r.URL.Path, "")
	if err := s.addresses.try(LimitedAddress(from.Address)); err != nil {
		return Opened{}, "", remove, err
	}
	p, err := s.codeProvider(provider)
	if err != nil {
		return Opened{}, "", remove, err
	}
	entry := store.AuditEntry{Address: from.Address, Action: "auth.login", Object: "providers/" + p.Name, Result: resultRefused}
	flow, err := s.openFlow(r, p)
	if err == nil {
		opened.Principal, err = s.redeem(r.Context(), p, flow, r.URL.Query())
	}
	var refused *Error
	switch {
	case errors.As(err, &refused):
		entry.Detail = refused.Error()
	case err != nil:
		return Opened{}, "", remove, err
	default:
		entry.Actor, entry.ActorID, entry.Result = opened.Principal.Name, opened.Principal.ID, resultOK
	}
	if failed := s.audit(r.Context(), entry); failed != nil {
		return Opened{}, "", remove, failed
	}
	if err != nil {
		return Opened{}, "", remove, err
	}
	opened, err = s.open(r.Context(), opened.Principal, from)
	return opened, flow.Next, remove, err
}

var errFlow = unauthorized(CodeSession, "this sign-in was not begun here, or too long ago; begin again")

// openFlow returns what was remembered, if the browser that comes back is the
// one that was sent away.
func (s *Service) openFlow(r *http.Request, p *Provider) (codeFlow, error) {
	cookie, err := r.Cookie(CodeCookie)
	if err != nil {
		return codeFlow{}, errFlow
	}
	var flow codeFlow
	if err := s.seal.open(p.Name, cookie.Value, &flow); err != nil {
		return codeFlow{}, errFlow
	}
	state := r.URL.Query().Get("state")
	if time.Now().After(flow.Expires) || subtle.ConstantTimeCompare([]byte(state), []byte(flow.State)) != 1 {
		return codeFlow{}, errFlow
	}
	return flow, nil
}

// redeem exchanges the code for tokens and returns who they stand for.
func (s *Service) redeem(ctx context.Context, p *Provider, flow codeFlow, q url.Values) (Principal, error) {
	if code := q.Get("error"); code != "" {
		return Principal{}, unauthorized(CodeCredentials, "provider %s refuses: %s", p.Name, clip(code))
	}
	if iss := q.Get("iss"); iss != "" && iss != p.Issuer { // RFC 9207: the answer of another provider
		return Principal{}, errFlow
	}
	issuer := s.openID.issuers[p.Issuer]
	endpoint, err := issuer.endpoints(ctx)
	if err != nil {
		return Principal{}, away(p)
	}
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, oauth2.HTTPClient, issuer.client), fetchTimeout)
	defer cancel()
	token, err := p.oauth(endpoint, flow.Redirect).Exchange(ctx, q.Get("code"), oauth2.VerifierOption(flow.Verifier))
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) && refused.Response.StatusCode < http.StatusInternalServerError {
		s.log.WarnContext(ctx, "provider of identities refuses the code of a sign-in", "provider", p.Name, "status", refused.Response.StatusCode, "code", clip(refused.ErrorCode))
		return Principal{}, unauthorized(CodeCredentials, "provider %s refuses the code: %s", p.Name, clip(cmp.Or(refused.ErrorCode, refused.Response.Status)))
	}
	if err != nil {
		s.log.WarnContext(ctx, "provider of identities does not answer as it should", "provider", p.Name, "error", err)
		return Principal{}, away(p)
	}
	return s.openID.signedIn(ctx, p, token, flow.Nonce)
}

// signedIn returns who the tokens of a sign-in stand for: the ID token says who it
// is and what he may do. Where it gives no role, an access token may, if it is
// meant for us.
func (o *openID) signedIn(ctx context.Context, p *Provider, token *oauth2.Token, nonce string) (Principal, error) {
	raw, _ := token.Extra("id_token").(string)
	c, err := o.idToken(ctx, p, raw, nonce)
	if err != nil {
		return Principal{}, err
	}
	out, err := p.principal(c)
	var refused *Error
	if !errors.As(err, &refused) || refused.Status != http.StatusForbidden {
		return out, err
	}
	rights, failed := o.accessToken(ctx, token.AccessToken)
	if failed != nil || rights.ID != p.id(c) { // of somebody else
		return Principal{}, err
	}
	rights.Expires = time.Time{}
	return rights, nil
}

// idToken checks an ID token and returns what it says.
func (o *openID) idToken(ctx context.Context, p *Provider, raw, nonce string) (claims, error) {
	h, err := parseHead(raw)
	if err != nil || o.owner[h.issuer] != p {
		return nil, unauthorized(CodeIssuer, "provider %s gave no ID token of its own", p.Name)
	}
	c, err := o.verify(ctx, p, h, raw)
	if err != nil {
		return nil, err
	}
	if err := p.checkTimes(c, time.Now()); err != nil {
		return nil, err
	}
	aud := c.audience()
	if !slices.Contains(aud, p.ClientID) || len(aud) > 1 && c.text("azp") != p.ClientID {
		return nil, unauthorized(CodeAudience, "the ID token is not meant for Busbar")
	}
	if subtle.ConstantTimeCompare([]byte(c.text("nonce")), []byte(nonce)) != 1 {
		return nil, unauthorized(CodeToken, "the ID token is not of this sign-in")
	}
	return c, p.checkTenant(c)
}
