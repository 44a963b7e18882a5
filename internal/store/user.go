package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"busbar/internal/store/db"
)

// User is a local account.
type User struct {
	ID          string
	Name        string   // unique
	Password    string   // argon2id, as a PHC string
	Roles       []string // names
	Subtrees    []string // ids of points that the account is limited to; empty: it is not
	Disabled    bool
	MustChange  bool   // the password
	TOTP        string // seed of one-time passwords, kept encrypted; empty: none
	Failures    int    // failed sign-ins in a row
	LockedUntil time.Time
	LastLogin   time.Time
	Created     time.Time
	Changed     time.Time
	Revision    int64 // from 1, one up at each change by UpdateUser
}

// CreateUser adds an account and returns it with ID, Created, Changed and
// Revision. It fails with [ErrConflict] if there is one of that name.
func (s *Store) CreateUser(ctx context.Context, u User) (User, error) {
	id, err := newID()
	if err != nil {
		return User{}, fault("add user", err)
	}
	u.ID, u.Created, u.Revision = id, now(), 1
	u.Changed = u.Created
	totp, err := s.sealTOTP(u)
	if err != nil {
		return User{}, fault("add user "+u.Name, err)
	}
	err = s.writer().AddUser(ctx, db.AddUserParams{
		ID: u.ID, Name: u.Name, Password: u.Password, Roles: pack(u.Roles), Subtrees: pack(u.Subtrees),
		Disabled: u.Disabled, MustChange: u.MustChange, Totp: totp, Failures: int64(u.Failures),
		LockedUntil: millis(u.LockedUntil), LastLogin: millis(u.LastLogin),
		Created: millis(u.Created), Changed: millis(u.Changed), Revision: u.Revision,
	})
	if err != nil {
		return User{}, fault("add user "+u.Name, err)
	}
	return u, nil
}

// UpdateUser changes the account with the ID and Revision of u, all but what
// [Store.UpdateLogin] keeps, and returns it with its new Changed and Revision. It fails with
// [ErrConflict] if the account has changed since that revision or the name is taken.
func (s *Store) UpdateUser(ctx context.Context, u User) (User, error) {
	totp, err := s.sealTOTP(u)
	if err != nil {
		return User{}, fault("change user "+u.Name, err)
	}
	u.Changed = now()
	err = s.change(ctx, "change user "+u.Name, func(q *db.Queries, _ *sql.Tx) error {
		n, err := q.UpdateUser(ctx, db.UpdateUserParams{
			Name: u.Name, Password: u.Password, Roles: pack(u.Roles), Subtrees: pack(u.Subtrees), Disabled: u.Disabled,
			MustChange: u.MustChange, Totp: totp, Changed: millis(u.Changed), ID: u.ID, Revision: u.Revision,
		})
		if err != nil || n > 0 {
			return err
		}
		have, err := q.User(ctx, u.ID)
		if err != nil {
			return err
		}
		return fmt.Errorf("%w: the account is at revision %d, not %d", ErrConflict, have.Revision, u.Revision)
	})
	if err != nil {
		return User{}, err
	}
	u.Revision++
	return u, nil
}

// UpdateLogin keeps how sign-ins at an account went; its revision stays.
func (s *Store) UpdateLogin(ctx context.Context, id string, failures int, lockedUntil, lastLogin time.Time) error {
	n, err := s.writer().UpdateLogin(ctx, db.UpdateLoginParams{
		Failures: int64(failures), LockedUntil: millis(lockedUntil), LastLogin: millis(lastLogin), ID: id,
	})
	return touched("keep sign-in", n, err)
}

// DeleteUser removes an account and ends its sessions.
func (s *Store) DeleteUser(ctx context.Context, id string) error {
	return s.change(ctx, "remove user "+id, func(q *db.Queries, _ *sql.Tx) error {
		n, err := q.DeleteUser(ctx, id)
		if err == nil && n == 0 {
			err = sql.ErrNoRows
		}
		if err == nil {
			_, err = q.DeleteSessionsOf(ctx, db.DeleteSessionsOfParams{UserID: id})
		}
		return err
	})
}

// User returns the account with the given id.
func (s *Store) User(ctx context.Context, id string) (User, error) {
	r, err := db.New(s.read).User(ctx, id)
	if err != nil {
		return User{}, fault("read user "+id, err)
	}
	return s.userOf(r)
}

// UserByName returns the account with the given name.
func (s *Store) UserByName(ctx context.Context, name string) (User, error) {
	r, err := db.New(s.read).UserByName(ctx, clean(name))
	if err != nil {
		return User{}, fault("read user", err)
	}
	return s.userOf(r)
}

// Users returns at most limit accounts whose names follow after, by name; limit 0: all.
func (s *Store) Users(ctx context.Context, after string, limit int) ([]User, error) {
	rows, err := db.New(s.read).Users(ctx, db.UsersParams{Beyond: after, Most: most(limit)})
	if err != nil {
		return nil, fault("read users", err)
	}
	list := make([]User, len(rows))
	for i, r := range rows {
		if list[i], err = s.userOf(r); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (s *Store) userOf(r db.User) (User, error) {
	roles, err := unpackList(r.Roles)
	if err != nil {
		return User{}, fault("read user "+r.Name, err)
	}
	subtrees, err := unpackList(r.Subtrees)
	if err != nil {
		return User{}, fault("read user "+r.Name, err)
	}
	totp := ""
	if r.Totp != nil {
		if totp, err = s.keys.open(totpPlace(r.ID), r.Totp); err != nil {
			return User{}, fault("read user "+r.Name, err)
		}
	}
	return User{
		ID: r.ID, Name: r.Name, Password: r.Password, Roles: roles, Subtrees: subtrees,
		Disabled: r.Disabled, MustChange: r.MustChange, TOTP: totp, Failures: int(r.Failures),
		LockedUntil: instant(r.LockedUntil), LastLogin: instant(r.LastLogin),
		Created: instant(r.Created), Changed: instant(r.Changed), Revision: r.Revision,
	}, nil
}

func (s *Store) sealTOTP(u User) ([]byte, error) {
	if u.TOTP == "" {
		return nil, nil
	}
	return s.keys.seal(totpPlace(u.ID), u.TOTP)
}

func totpPlace(id string) string { return "one-time passwords of " + id }
