package store

import (
	"context"
	"time"

	"busbar/internal/store/db"
)

// Session is a sign-in that lasts. What its cookie holds is not kept, only the hash of that.
type Session struct {
	ID       string
	Hash     [32]byte // SHA-256
	UserID   string   // of an account, or who an OpenID provider says it is
	Name     string
	Roles    []string
	Subtrees []string
	Address  string // of the browser
	Agent    string // what the browser calls itself
	Created  time.Time
	LastSeen time.Time
	Expires  time.Time
}

// CreateSession adds a session and returns it with ID and Created.
func (s *Store) CreateSession(ctx context.Context, v Session) (Session, error) {
	id, err := newID()
	if err != nil {
		return Session{}, fault("begin session", err)
	}
	v.ID, v.Created, v.Address, v.Agent = id, now(), clean(v.Address), clean(v.Agent)
	err = s.writer().AddSession(ctx, db.AddSessionParams{
		ID: v.ID, Hash: v.Hash[:], UserID: v.UserID, Name: v.Name, Roles: pack(v.Roles), Subtrees: pack(v.Subtrees),
		Address: v.Address, Agent: v.Agent, Created: millis(v.Created), LastSeen: millis(v.LastSeen), Expires: millis(v.Expires),
	})
	if err != nil {
		return Session{}, fault("begin session", err)
	}
	return v, nil
}

// SessionByHash returns the session with the given hash, also one that has expired.
func (s *Store) SessionByHash(ctx context.Context, hash [32]byte) (Session, error) {
	r, err := db.New(s.read).SessionByHash(ctx, hash[:])
	if err != nil {
		return Session{}, fault("read session", err)
	}
	return sessionOf(r)
}

// Sessions returns the sessions of a user, oldest first; of all users with userID "".
func (s *Store) Sessions(ctx context.Context, userID string) ([]Session, error) {
	q := db.New(s.read)
	read := func() ([]db.Session, error) { return q.SessionsOf(ctx, userID) }
	if userID == "" {
		read = func() ([]db.Session, error) { return q.Sessions(ctx) }
	}
	rows, err := read()
	if err != nil {
		return nil, fault("read sessions", err)
	}
	list := make([]Session, len(rows))
	for i, r := range rows {
		if list[i], err = sessionOf(r); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// TouchSession keeps when a session was seen last and when it expires.
func (s *Store) TouchSession(ctx context.Context, id string, seen, expires time.Time) error {
	n, err := s.writer().TouchSession(ctx, db.TouchSessionParams{LastSeen: millis(seen), Expires: millis(expires), ID: id})
	return touched("keep session", n, err)
}

// DeleteSession ends a session.
func (s *Store) DeleteSession(ctx context.Context, id string) error {
	n, err := s.writer().DeleteSession(ctx, id)
	return touched("end session", n, err)
}

// DeleteSessionsOf ends all sessions of a user but the one with the id except,
// and returns how many.
func (s *Store) DeleteSessionsOf(ctx context.Context, userID, except string) (int, error) {
	n, err := s.writer().DeleteSessionsOf(ctx, db.DeleteSessionsOfParams{UserID: userID, But: except})
	return int(n), fault("end sessions", err)
}

// DeleteSessionsExpired removes the sessions that have expired by the given
// time, and returns how many.
func (s *Store) DeleteSessionsExpired(ctx context.Context, by time.Time) (int, error) {
	n, err := s.writer().DeleteSessionsExpired(ctx, millis(by))
	return int(n), fault("end sessions", err)
}

func sessionOf(r db.Session) (Session, error) {
	roles, err := unpackList(r.Roles)
	if err != nil {
		return Session{}, fault("read session", err)
	}
	subtrees, err := unpackList(r.Subtrees)
	if err != nil {
		return Session{}, fault("read session", err)
	}
	v := Session{
		ID: r.ID, UserID: r.UserID, Name: r.Name, Roles: roles, Subtrees: subtrees, Address: r.Address, Agent: r.Agent,
		Created: instant(r.Created), LastSeen: instant(r.LastSeen), Expires: instant(r.Expires),
	}
	copy(v.Hash[:], r.Hash)
	return v, nil
}
