package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"busbar/internal/store"
)

// Opened is a session that has just begun.
type Opened struct {
	Principal Principal
	Secret    string    // what the cookie holds; it cannot be had again
	Expires   time.Time // when it ends at the latest
}

// secretOctets are the random octets of a session or token, 256 bits.
const secretOctets = 32

// open begins a session.
func (s *Service) open(ctx context.Context, p Principal, c Client) (Opened, error) {
	random := make([]byte, secretOctets)
	if _, err := rand.Read(random); err != nil {
		return Opened{}, fmt.Errorf("session: %w", err)
	}
	secret := base64.RawURLEncoding.EncodeToString(random)
	now := time.Now()
	session, err := s.store.CreateSession(ctx, store.Session{
		Hash: sha256.Sum256([]byte(secret)), UserID: p.owner(), Name: p.Name, Roles: p.Roles.Names(), Subtrees: p.Subtrees,
		Address: c.Address, Agent: c.Agent, LastSeen: now, Expires: s.sessionEnd(now, now),
	})
	if err != nil {
		return Opened{}, err
	}
	p.Session, p.Expires = session.ID, session.Created.Add(s.config.SessionLongest)
	return Opened{Principal: p, Secret: secret, Expires: p.Expires}, nil
}

// owner is what sessions of a principal are stored under.
func (p Principal) owner() string { return strings.TrimPrefix(p.ID, userStart) }

// Cookie returns the cookie of a session, or with a zero session the one that
// removes it.
func (s *Service) Cookie(o Opened, secure bool) *http.Cookie {
	c := &http.Cookie{Name: SessionCookie, Value: o.Secret, Path: "/", HttpOnly: true, Secure: secure, SameSite: http.SameSiteStrictMode}
	if o.Secret == "" {
		c.MaxAge = -1
	}
	return c
}

// Sessions returns the sessions of a principal that have not ended, oldest first.
func (s *Service) Sessions(ctx context.Context, principalID string) ([]store.Session, error) {
	all, err := s.store.Sessions(ctx, strings.TrimPrefix(principalID, userStart))
	if err != nil {
		return nil, err
	}
	live := []store.Session{}
	for _, v := range all {
		if time.Now().Before(v.Expires) {
			live = append(live, v)
		}
	}
	return live, nil
}

// EndSession ends a session of a principal.
func (s *Service) EndSession(ctx context.Context, principalID, id string) error {
	v, err := s.sessionOf(ctx, strings.TrimPrefix(principalID, userStart), id)
	if err != nil {
		return refuse(http.StatusNotFound, CodeNotFound, "there is no session %q", clip(id))
	}
	return fromStore(s.store.DeleteSession(ctx, v.ID), "session "+v.ID)
}

// EndSessions ends all sessions of a principal but one, and returns how many.
func (s *Service) EndSessions(ctx context.Context, principalID, except string) (int, error) {
	return s.store.DeleteSessionsOf(ctx, strings.TrimPrefix(principalID, userStart), except)
}

// sessionOf returns a session of an owner that has not ended.
func (s *Service) sessionOf(ctx context.Context, owner, id string) (store.Session, error) {
	all, err := s.store.Sessions(ctx, owner)
	if err != nil {
		return store.Session{}, err
	}
	for _, v := range all {
		if v.ID == id && v.UserID == owner && time.Now().Before(v.Expires) {
			return v, nil
		}
	}
	return store.Session{}, errSession
}

// SignOut ends the session of a principal. It is no error if it has ended already.
func (s *Service) SignOut(ctx context.Context, p Principal) error {
	if p.Session == "" {
		return invalid("", CodeInvalid, "a token has no session to end")
	}
	if err := s.store.DeleteSession(ctx, p.Session); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return nil
}
