package auth

import (
	"context"
	"crypto/rand"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"busbar/internal/store"
)

var userName = regexp.MustCompile(`^[a-z0-9][a-z0-9._@-]{0,63}$`)

// oneTimePassword returns a random password of 100 bits, in groups that can be
// copied by hand.
func oneTimePassword() string {
	t := strings.ToLower(rand.Text()[:20])
	return t[:5] + "-" + t[5:10] + "-" + t[10:15] + "-" + t[15:]
}

// NewUser is what an account is made of.
type NewUser struct {
	Name     string // 1 to 64 of a-z, 0-9 and ._@-; capitals become small
	Roles    []string
	Subtrees []string
}

// CreateUser makes an account and returns it with its one-time password, which
// nobody can see again and which must be changed at the first sign-in.
func (s *Service) CreateUser(ctx context.Context, by Principal, in NewUser) (store.User, string, error) {
	name := normalName(in.Name)
	if !userName.MatchString(name) {
		return store.User{}, "", invalid("name", CodeInvalid, "want 1 to 64 of a-z, 0-9 and . _ @ -, beginning with a letter or digit")
	}
	roles, err := parseRoles(in.Roles)
	if err != nil {
		return store.User{}, "", err
	}
	if err := checkGrant(by, roles, in.Subtrees); err != nil {
		return store.User{}, "", err
	}
	return s.addUser(ctx, store.User{Name: name, Roles: roles.Names(), Subtrees: in.Subtrees})
}

// addUser adds an account with a one-time password.
func (s *Service) addUser(ctx context.Context, u store.User) (store.User, string, error) {
	password := oneTimePassword()
	hashed, err := s.hashes.hash(ctx, password)
	if err != nil {
		return store.User{}, "", err
	}
	u.Password, u.MustChange = hashed, true
	created, err := s.store.CreateUser(ctx, u)
	return created, password, fromStore(err, "user "+clip(u.Name))
}

// Users returns at most limit accounts whose names follow after.
func (s *Service) Users(ctx context.Context, after string, limit int) ([]store.User, error) {
	return s.store.Users(ctx, after, limit)
}

// User returns an account.
func (s *Service) User(ctx context.Context, id string) (store.User, error) {
	u, err := s.store.User(ctx, id)
	return u, fromStore(err, "user "+clip(id))
}

// UserChange is what an administrator can change of an account.
type UserChange struct {
	Roles    []string
	Subtrees []string
	Disabled bool
	// Revision is that of the account that was looked at; 0: whichever is there.
	Revision int64
}

// UpdateUser changes an account. An account that is disabled loses its
// sessions; rights count from the next request on.
func (s *Service) UpdateUser(ctx context.Context, by Principal, id string, c UserChange) (before, after store.User, err error) {
	roles, err := parseRoles(c.Roles)
	if err != nil {
		return before, after, err
	}
	if err := checkGrant(by, roles, c.Subtrees); err != nil {
		return before, after, err
	}
	s.managing.Lock()
	defer s.managing.Unlock()
	if before, err = s.User(ctx, id); err != nil {
		return before, after, err
	}
	if c.Disabled && by.ID == userStart+id {
		return before, after, refuse(http.StatusConflict, CodeSelf, "nobody disables the own account")
	}
	after = before
	after.Roles, after.Subtrees, after.Disabled = roles.Names(), c.Subtrees, c.Disabled
	if c.Revision != 0 {
		after.Revision = c.Revision
	}
	if !isFullAdmin(after) {
		if err := s.keepAdmin(ctx, before); err != nil {
			return before, after, err
		}
	}
	if after, err = s.store.UpdateUser(ctx, after); err != nil {
		return before, after, fromStore(err, "user "+before.Name)
	}
	if after.Disabled {
		_, err = s.store.DeleteSessionsOf(ctx, id, "")
	}
	return before, after, err
}

// DeleteUser removes an account and ends its sessions.
func (s *Service) DeleteUser(ctx context.Context, by Principal, id string) (store.User, error) {
	s.managing.Lock()
	defer s.managing.Unlock()
	u, err := s.User(ctx, id)
	if err != nil {
		return u, err
	}
	if by.ID == userStart+id {
		return u, refuse(http.StatusConflict, CodeSelf, "nobody removes the own account")
	}
	if err := s.keepAdmin(ctx, u); err != nil {
		return u, err
	}
	return u, fromStore(s.store.DeleteUser(ctx, id), "user "+u.Name)
}

// isFullAdmin reports whether an account can manage everything.
func isFullAdmin(u store.User) bool {
	return !u.Disabled && len(u.Subtrees) == 0 && slices.Contains(u.Roles, Admin.String())
}

// keepAdmin refuses when u is the only account that can manage everything.
func (s *Service) keepAdmin(ctx context.Context, u store.User) error {
	if !isFullAdmin(u) {
		return nil
	}
	all, err := s.store.Users(ctx, "", 0)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(all, func(o store.User) bool { return o.ID != u.ID && isFullAdmin(o) }) {
		return nil
	}
	return refuse(http.StatusConflict, CodeLastAdmin, "%s is the last administrator", u.Name)
}

// ResetPassword gives an account a new one-time password, which nobody can see
// again, unlocks it and ends its sessions. With totp it also removes its second factor.
func (s *Service) ResetPassword(ctx context.Context, id string, totp bool) (store.User, string, error) {
	u, err := s.User(ctx, id)
	if err != nil {
		return u, "", err
	}
	return s.reset(ctx, u, totp)
}

func (s *Service) reset(ctx context.Context, u store.User, totp bool) (store.User, string, error) {
	password := oneTimePassword()
	hashed, err := s.hashes.hash(ctx, password)
	if err != nil {
		return u, "", err
	}
	u.Password, u.MustChange = hashed, true
	if totp {
		u.TOTP = ""
	}
	if u, err = s.store.UpdateUser(ctx, u); err != nil {
		return u, "", fromStore(err, "user "+u.Name)
	}
	if err := s.store.UpdateLogin(ctx, u.ID, 0, time.Time{}, u.LastLogin); err != nil {
		return u, "", err
	}
	_, err = s.store.DeleteSessionsOf(ctx, u.ID, "")
	return u, password, err
}
