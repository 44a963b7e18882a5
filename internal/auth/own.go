package auth

import (
	"context"
	"net/http"
	"strings"
	"time"

	"busbar/internal/store"
)

// own returns the account of a principal who has signed in with one.
func (s *Service) own(ctx context.Context, p Principal) (store.User, error) {
	id, ok := strings.CutPrefix(p.ID, userStart)
	if !ok {
		return store.User{}, forbidden(CodeForbidden, "this is for those who have signed in with a local account")
	}
	u, err := s.store.User(ctx, id)
	return u, fromStore(err, "user "+id)
}

// proveOwn checks the password of somebody who has signed in. Failures count
// as those of signing in do.
func (s *Service) proveOwn(ctx context.Context, u store.User, password, field string) error {
	if err := s.accounts.try(u.Name); err != nil {
		return err
	}
	if len(password) > longestCredential {
		return invalid(field, CodeCredentials, "the password is wrong")
	}
	_, reason, err := s.provePassword(ctx, u, password)
	if err != nil {
		return err
	}
	if reason != "" {
		return refuse(http.StatusForbidden, CodeCredentials, "the password is wrong, or the account is locked")
	}
	return s.store.UpdateLogin(ctx, u.ID, 0, time.Time{}, u.LastLogin)
}

// ChangePassword changes the password of a principal with a local account and
// ends all other sessions of it.
func (s *Service) ChangePassword(ctx context.Context, p Principal, old, password string) error {
	u, err := s.own(ctx, p)
	if err != nil {
		return err
	}
	if err := s.proveOwn(ctx, u, old, "currentPassword"); err != nil {
		return err
	}
	if err := checkPassword(password, u.Name); err != nil {
		return err
	}
	if old == password {
		return invalid("newPassword", CodePassword, "the new password is the old one")
	}
	if u.Password, err = s.hashes.hash(ctx, password); err != nil {
		return err
	}
	u.MustChange = false
	if _, err := s.store.UpdateUser(ctx, u); err != nil {
		return fromStore(err, "user "+u.Name)
	}
	if _, err := s.store.DeleteSessionsOf(ctx, u.ID, p.Session); err != nil {
		return err
	}
	return s.forgetFirst(ctx, u.Name)
}

// HasSecondFactor reports whether a principal signs in with a second factor.
func (s *Service) HasSecondFactor(ctx context.Context, p Principal) (bool, error) {
	if !strings.HasPrefix(p.ID, userStart) {
		return false, nil
	}
	u, err := s.own(ctx, p)
	if err != nil {
		return false, err
	}
	f, err := parseFactor(u.TOTP)
	return f.Confirmed, err
}

// BeginTOTP makes the secret of a second factor, and returns it with its address
// for authenticator apps. Nothing is asked for before [Service.ConfirmTOTP].
func (s *Service) BeginTOTP(ctx context.Context, p Principal, password string) (secret, address string, err error) {
	u, err := s.own(ctx, p)
	if err != nil {
		return "", "", err
	}
	if f, err := parseFactor(u.TOTP); err != nil || f.Confirmed {
		return "", "", firstOf(err, refuse(http.StatusConflict, CodeConflict, "there is a second factor already, remove it first"))
	}
	if err := s.proveOwn(ctx, u, password, "password"); err != nil {
		return "", "", err
	}
	f, address, err := newFactor(u.Name)
	if err != nil {
		return "", "", err
	}
	u.TOTP = f.String()
	if _, err := s.store.UpdateUser(ctx, u); err != nil {
		return "", "", fromStore(err, "user "+u.Name)
	}
	return f.Secret, address, nil
}

func firstOf(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// ConfirmTOTP turns the second factor on when the code is right, ends all other
// sessions and returns recovery codes, which nobody can see again.
func (s *Service) ConfirmTOTP(ctx context.Context, p Principal, code string) ([]string, error) {
	u, err := s.own(ctx, p)
	if err != nil {
		return nil, err
	}
	if err := s.accounts.try(u.Name); err != nil {
		return nil, err
	}
	f, err := parseFactor(u.TOTP)
	switch {
	case err != nil:
		return nil, err
	case f.Secret == "" || f.Confirmed:
		return nil, refuse(http.StatusConflict, CodeConflict, "there is no second factor that waits for its first code")
	case !f.take(code, time.Now()):
		return nil, invalid("code", CodeCredentials, "the code is wrong; are the clocks right?")
	}
	f.Confirmed = true
	codes, err := f.newRecovery()
	if err != nil {
		return nil, err
	}
	u.TOTP = f.String()
	if _, err := s.store.UpdateUser(ctx, u); err != nil {
		return nil, fromStore(err, "user "+u.Name)
	}
	_, err = s.store.DeleteSessionsOf(ctx, u.ID, p.Session)
	return codes, err
}

// RemoveTOTP turns the second factor off.
func (s *Service) RemoveTOTP(ctx context.Context, p Principal, password string) error {
	u, err := s.own(ctx, p)
	if err != nil {
		return err
	}
	if err := s.proveOwn(ctx, u, password, "password"); err != nil {
		return err
	}
	u.TOTP = ""
	_, err = s.store.UpdateUser(ctx, u)
	return fromStore(err, "user "+u.Name)
}
