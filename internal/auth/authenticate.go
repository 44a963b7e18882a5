package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"busbar/internal/store"
)

const (
	// SessionCookie is the name of the cookie of a session.
	SessionCookie = "busbar_session"
	// CSRFHeader must be 1 in requests with a cookie that change something: pages
	// of others cannot set it.
	CSRFHeader = "X-Busbar-CSRF"
	// touchEvery is how often the store is told that a session or token is used.
	touchEvery = time.Minute
)

// Authenticate returns whom a request comes from: the holder of the token in
// the header Authorization, else of the session in the cookie. Every error that
// is not a failure of ours is an [*Error].
func (s *Service) Authenticate(r *http.Request) (Principal, error) {
	if header := r.Header.Get("Authorization"); header != "" {
		return s.bearer(r.Context(), header)
	}
	cookie, err := r.Cookie(SessionCookie)
	if err != nil || cookie.Value == "" {
		return Principal{}, unauthorized(CodeUnauthenticated, "sign in, or send a token in the header Authorization")
	}
	if err := s.checkCSRF(r); err != nil {
		return Principal{}, err
	}
	return s.bySession(r.Context(), cookie.Value)
}

// bearer returns the holder of the token in a header Authorization.
func (s *Service) bearer(ctx context.Context, header string) (Principal, error) {
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		// What stands there may be the token itself, and answers end in logs.
		return Principal{}, unauthorized(CodeToken, "the header Authorization does not begin with Bearer, want: Authorization: Bearer <token>")
	}
	token = strings.TrimSpace(token)
	if strings.HasPrefix(token, tokenStart) {
		return s.byToken(ctx, token)
	}
	return s.openID.accessToken(ctx, token)
}

// checkCSRF refuses changes that a page of somebody else has made a browser send.
func (s *Service) checkCSRF(r *http.Request) error {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return nil
	}
	if r.Header.Get(CSRFHeader) != "1" {
		return forbidden(CodeCSRF, "a change with a session needs the header %s: 1", CSRFHeader)
	}
	return s.CheckOrigin(r)
}

// CheckOrigin refuses requests that come from a page of somebody else, as
// browsers tell in Sec-Fetch-Site and Origin. Other programs send neither.
func (s *Service) CheckOrigin(r *http.Request) error {
	site, origin := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Origin")
	if site != "" && site != "same-origin" && site != "none" || origin != "" && !s.ownOrigin(r, origin) {
		return forbidden(CodeCSRF, "the request comes from a page of another site")
	}
	return nil
}

func (s *Service) ownOrigin(r *http.Request, origin string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false
	}
	if s.config.URL != "" && strings.EqualFold(origin, strings.TrimSuffix(s.config.URL, "/")) {
		return true
	}
	return strings.EqualFold(u.Host, r.Host) && (u.Scheme == "https") == (r.TLS != nil)
}

// Secure reports whether cookies of the answer to r may be sent over TLS only.
func (s *Service) Secure(r *http.Request) bool {
	return r.TLS != nil || strings.HasPrefix(s.config.URL, "https://")
}

// ClientOf returns what a request tells of the client.
func ClientOf(r *http.Request) Client {
	address := r.RemoteAddr
	if host, _, err := net.SplitHostPort(address); err == nil {
		address = host
	}
	return Client{Address: address, Agent: printable(r.UserAgent())}
}

var errSession = unauthorized(CodeSession, "the session has ended, sign in again")

// bySession returns the holder of a session.
func (s *Service) bySession(ctx context.Context, secret string) (Principal, error) {
	session, err := s.store.SessionByHash(ctx, sha256.Sum256([]byte(secret)))
	if errors.Is(err, store.ErrNotFound) {
		return Principal{}, errSession
	}
	if err != nil {
		return Principal{}, err
	}
	now := time.Now()
	if !now.Before(session.Expires) {
		return Principal{}, errSession
	}
	p, err := s.holder(ctx, session)
	if err != nil {
		return Principal{}, err
	}
	if now.Sub(session.LastSeen) >= touchEvery {
		err := s.store.TouchSession(ctx, session.ID, now, s.sessionEnd(session.Created, now))
		if errors.Is(err, store.ErrNotFound) { // ended this moment
			return Principal{}, errSession
		}
		if err != nil {
			return Principal{}, err
		}
	}
	return p, nil
}

// sessionEnd is when a session ends that was used now.
func (s *Service) sessionEnd(created, now time.Time) time.Time {
	end, last := now.Add(s.config.SessionIdle), created.Add(s.config.SessionLongest)
	if last.Before(end) {
		return last
	}
	return end
}

// holder returns the principal of a session. Rights of local accounts are those
// of now; those by a provider are those at the sign-in.
func (s *Service) holder(ctx context.Context, session store.Session) (Principal, error) {
	expires := session.Created.Add(s.config.SessionLongest)
	if provider, ok := strings.CutPrefix(session.UserID, "oidc:"); ok {
		provider, _, _ = strings.Cut(provider, ":")
		if s.openID.byName(provider) == nil {
			return Principal{}, errSession
		}
		return Principal{ID: session.UserID, Name: session.Name, Roles: storedRoles(session.Roles), Subtrees: session.Subtrees, Session: session.ID, Expires: expires}, nil
	}
	u, err := s.store.User(ctx, session.UserID)
	if errors.Is(err, store.ErrNotFound) || err == nil && u.Disabled {
		return Principal{}, errSession
	}
	if err != nil {
		return Principal{}, err
	}
	p := userPrincipal(u)
	p.Session, p.Expires = session.ID, expires
	return p, nil
}

const userStart = "user:"

func userPrincipal(u store.User) Principal {
	return Principal{ID: userStart + u.ID, Name: u.Name, Roles: storedRoles(u.Roles), Subtrees: u.Subtrees, MustChange: u.MustChange}
}
