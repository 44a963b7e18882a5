package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"busbar/internal/store"
)

const (
	// tokenStart is how every API token begins, so that scanners recognise one
	// that has leaked.
	tokenStart = "bb_"
	// tokenCharacters are those after it: 256 bits in base 62.
	tokenCharacters = 43
	// shownCharacters of a token are kept, for people to recognise it.
	shownCharacters = len(tokenStart) + 6
	tokenPrincipal  = "token:"
	longestName     = 100
)

// newTokenSecret returns a new API token.
func newTokenSecret() (string, error) {
	random := make([]byte, secretOctets)
	if _, err := rand.Read(random); err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	digits := new(big.Int).SetBytes(random).Text(62)
	return tokenStart + strings.Repeat("0", tokenCharacters-len(digits)) + digits, nil
}

// isTokenSecret reports whether a text can be an API token.
func isTokenSecret(s string) bool {
	digits, ok := strings.CutPrefix(s, tokenStart)
	if !ok || len(digits) != tokenCharacters {
		return false
	}
	return strings.IndexFunc(digits, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) < 0
}

var errToken = unauthorized(CodeToken, "there is no such API token, or it was removed")

// byToken returns the holder of an API token.
func (s *Service) byToken(ctx context.Context, secret string) (Principal, error) {
	if !isTokenSecret(secret) {
		return Principal{}, errToken
	}
	t, err := s.store.TokenByHash(ctx, sha256.Sum256([]byte(secret)))
	if errors.Is(err, store.ErrNotFound) {
		return Principal{}, errToken
	}
	if err != nil {
		return Principal{}, err
	}
	now := time.Now()
	if err := expired(t, now); err != nil {
		return Principal{}, err
	}
	if now.Sub(t.LastUsed) >= touchEvery {
		if err := s.store.TouchToken(ctx, t.ID, now); errors.Is(err, store.ErrNotFound) { // removed this moment
			return Principal{}, errToken
		} else if err != nil {
			return Principal{}, err
		}
	}
	return principalOfToken(t), nil
}

func expired(t store.Token, now time.Time) error {
	if !t.Expires.IsZero() && !now.Before(t.Expires) {
		return unauthorized(CodeExpired, "the API token %s… expired at %s", t.Prefix, t.Expires.UTC().Format(time.RFC3339))
	}
	return nil
}

func principalOfToken(t store.Token) Principal {
	return Principal{ID: tokenPrincipal + t.ID, Name: "token " + t.Name, Roles: storedRoles(t.Roles), Subtrees: t.Subtrees, Expires: t.Expires}
}

// NewToken is what a token is made of.
type NewToken struct {
	Name     string // 1 to 100 characters, unique
	Roles    []string
	Subtrees []string
	Expires  time.Time // zero: as late as the settings permit
}

// CreateToken makes an API token and returns it with its secret, which nobody can
// see again. Nobody can give more than he may himself.
func (s *Service) CreateToken(ctx context.Context, by Principal, in NewToken) (store.Token, string, error) {
	name := strings.TrimSpace(in.Name)
	if n := utf8.RuneCountInString(name); n == 0 || n > longestName || name != printable(name) {
		return store.Token{}, "", invalid("name", CodeInvalid, "want a name of 1 to %d characters", longestName)
	}
	roles, err := parseRoles(in.Roles)
	if err != nil {
		return store.Token{}, "", err
	}
	if err := checkGrant(by, roles, in.Subtrees); err != nil {
		return store.Token{}, "", err
	}
	now := time.Now()
	latest := now.Add(s.config.TokenLongest)
	if in.Expires.IsZero() {
		in.Expires = latest
	}
	if !in.Expires.After(now) || in.Expires.After(latest.Add(time.Minute)) {
		return store.Token{}, "", invalid("expires", CodeInvalid, "want a time in the future, not after %s", latest.UTC().Format(time.RFC3339))
	}
	secret, err := newTokenSecret()
	if err != nil {
		return store.Token{}, "", err
	}
	t, err := s.store.CreateToken(ctx, store.Token{Name: name, Hash: sha256.Sum256([]byte(secret)), Prefix: secret[:shownCharacters],
		Roles: roles.Names(), Subtrees: in.Subtrees, Author: by.Name, Expires: in.Expires.UTC().Truncate(time.Millisecond)})
	if err != nil {
		return store.Token{}, "", fromStore(err, "token "+name)
	}
	return t, secret, nil
}

// Tokens returns all API tokens, without their secrets.
func (s *Service) Tokens(ctx context.Context) ([]store.Token, error) { return s.store.Tokens(ctx) }

// Token returns one of them.
func (s *Service) Token(ctx context.Context, id string) (store.Token, error) {
	t, err := s.tokenByID(ctx, id)
	if errors.Is(err, errToken) {
		return t, refuse(http.StatusNotFound, CodeNotFound, "there is no token %q", clip(id))
	}
	return t, err
}

// DeleteToken removes an API token: it is refused from then on.
func (s *Service) DeleteToken(ctx context.Context, id string) (store.Token, error) {
	t, err := s.Token(ctx, id)
	if err != nil {
		return store.Token{}, err
	}
	return t, fromStore(s.store.DeleteToken(ctx, id), "token "+id)
}

func (s *Service) tokenByID(ctx context.Context, id string) (store.Token, error) {
	all, err := s.store.Tokens(ctx)
	if err != nil {
		return store.Token{}, err
	}
	for _, t := range all {
		if t.ID == id {
			return t, nil
		}
	}
	return store.Token{}, errToken
}
