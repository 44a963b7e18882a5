package store

import (
	"context"
	"time"

	"busbar/internal/store/db"
)

// Token lets a program in. The token itself is not kept, only its hash.
type Token struct {
	ID       string
	Name     string   // unique
	Hash     [32]byte // SHA-256
	Prefix   string   // the beginning of the token, by which people know it
	Roles    []string
	Subtrees []string
	Author   string // who made it
	Created  time.Time
	Expires  time.Time // zero: never
	LastUsed time.Time
}

// CreateToken adds a token and returns it with ID and Created. It fails with
// [ErrConflict] if there is one of that name.
func (s *Store) CreateToken(ctx context.Context, t Token) (Token, error) {
	id, err := newID()
	if err != nil {
		return Token{}, fault("add token", err)
	}
	t.ID, t.Created = id, now()
	err = s.writer().AddToken(ctx, db.AddTokenParams{
		ID: t.ID, Name: t.Name, Hash: t.Hash[:], Prefix: t.Prefix, Roles: pack(t.Roles), Subtrees: pack(t.Subtrees),
		Author: clean(t.Author), Created: millis(t.Created), Expires: millis(t.Expires), LastUsed: millis(t.LastUsed),
	})
	if err != nil {
		return Token{}, fault("add token "+t.Name, err)
	}
	return t, nil
}

// TokenByHash returns the token with the given hash.
func (s *Store) TokenByHash(ctx context.Context, hash [32]byte) (Token, error) {
	r, err := db.New(s.read).TokenByHash(ctx, hash[:])
	if err != nil {
		return Token{}, fault("read token", err)
	}
	return tokenOf(r)
}

// Tokens returns all tokens, by name.
func (s *Store) Tokens(ctx context.Context) ([]Token, error) {
	rows, err := db.New(s.read).Tokens(ctx)
	if err != nil {
		return nil, fault("read tokens", err)
	}
	list := make([]Token, len(rows))
	for i, r := range rows {
		if list[i], err = tokenOf(r); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// TouchToken keeps when a token was used last.
func (s *Store) TouchToken(ctx context.Context, id string, used time.Time) error {
	n, err := s.writer().TouchToken(ctx, db.TouchTokenParams{LastUsed: millis(used), ID: id})
	return touched("keep use of token", n, err)
}

// DeleteToken removes a token.
func (s *Store) DeleteToken(ctx context.Context, id string) error {
	n, err := s.writer().DeleteToken(ctx, id)
	return touched("remove token "+id, n, err)
}

func tokenOf(r db.Token) (Token, error) {
	roles, err := unpackList(r.Roles)
	if err != nil {
		return Token{}, fault("read token "+r.Name, err)
	}
	subtrees, err := unpackList(r.Subtrees)
	if err != nil {
		return Token{}, fault("read token "+r.Name, err)
	}
	t := Token{
		ID: r.ID, Name: r.Name, Prefix: r.Prefix, Roles: roles, Subtrees: subtrees, Author: r.Author,
		Created: instant(r.Created), Expires: instant(r.Expires), LastUsed: instant(r.LastUsed),
	}
	copy(t.Hash[:], r.Hash)
	return t, nil
}
