package auth

import (
	"context"
	"errors"
	"time"

	"busbar/internal/store"
)

// Credentials are what somebody signs in with.
type Credentials struct {
	Name     string
	Password string
	Code     string // of the second factor, or a recovery code; empty: none
}

// errCredentials is the one answer to everything that is wrong, so that it does not
// tell which names there are.
var errCredentials = unauthorized(CodeCredentials, "name, password or code is wrong, or the account is locked or disabled")

const (
	longestCredential = 1024 // octets
	longestLock       = day
)

// SignIn begins a session of a local account. It refuses with CodeCredentials,
// CodeSecondFactor when the password is right and a code is missing, CodeTooMany
// and CodeBusy. Every attempt but those beyond the limits is audited.
func (s *Service) SignIn(ctx context.Context, in Credentials, from Client) (Opened, error) {
	if len(in.Name) > longestCredential || len(in.Password) > longestCredential || len(in.Code) > longestCredential {
		return Opened{}, errCredentials
	}
	in.Name = normalName(in.Name)
	if err := s.addresses.try(LimitedAddress(from.Address)); err != nil {
		return Opened{}, err
	}
	if err := s.accounts.try(in.Name); err != nil {
		return Opened{}, err
	}
	entry := store.AuditEntry{Actor: printable(in.Name), Address: from.Address, Action: "auth.login", Result: resultRefused}
	u, reason, err := s.proveAccount(ctx, in)
	if err != nil {
		return Opened{}, err
	}
	entry.Detail = reason
	if reason == "" {
		entry.ActorID, entry.Result = userStart+u.ID, resultOK
	}
	if err := s.audit(ctx, entry); err != nil {
		return Opened{}, err
	}
	switch reason {
	case "":
		return s.open(ctx, userPrincipal(u), from)
	case reasonNoCode:
		return Opened{}, unauthorized(CodeSecondFactor, "a code of the second factor is needed too")
	case reasonLockOut:
		entry.Action, entry.Object = "auth.lockout", "users/"+u.ID
		if err := s.audit(ctx, entry); err != nil {
			return Opened{}, err
		}
	}
	return Opened{}, errCredentials
}

// Why a sign-in was refused, for the audit log alone.
const (
	reasonUnknown  = "there is no such user"
	reasonDisabled = "the account is disabled"
	reasonLocked   = "the account is locked"
	reasonWrong    = "wrong password"
	reasonWrongTwo = "wrong code"
	reasonNoCode   = "no code"
	reasonExpired  = "the one-time password has expired"
	reasonLockOut  = "too many failures, the account is locked from now on"
)

// proveAccount finds out whether the credentials are those of an account, and
// if not, why. It does the same work whether there is one or not.
func (s *Service) proveAccount(ctx context.Context, in Credentials) (u store.User, reason string, err error) {
	u, err = s.store.UserByName(ctx, in.Name)
	if errors.Is(err, store.ErrNotFound) {
		_, reason, err = s.provePassword(ctx, store.User{Password: s.decoy}, in.Password)
		if reason != "" {
			reason = reasonUnknown
		}
		return store.User{}, reason, err
	}
	if err != nil {
		return u, "", err
	}
	rehash, reason, err := s.provePassword(ctx, u, in.Password)
	if err != nil || reason != "" {
		return u, reason, err
	}
	if u.MustChange && time.Since(u.Changed) > s.config.OneTime {
		return u, reasonExpired, nil
	}
	u, reason, err = s.proveSecond(ctx, u, in.Code)
	if err != nil || reason != "" {
		return u, reason, err
	}
	if rehash {
		if u, err = s.rehash(ctx, u, in.Password); err != nil {
			return u, "", err
		}
	}
	return u, "", s.store.UpdateLogin(ctx, u.ID, 0, time.Time{}, time.Now())
}

// provePassword counts a failure before it looks, so that many attempts at the
// same time are no more than as many one after the other.
func (s *Service) provePassword(ctx context.Context, u store.User, password string) (rehash bool, reason string, err error) {
	locked, lockOut, err := s.countFailure(ctx, u.ID)
	if err != nil {
		return false, "", err
	}
	ok, rehash, err := s.hashes.verify(ctx, password, u.Password)
	switch {
	case err != nil:
		return false, "", err
	case u.ID == "":
		return false, reasonUnknown, nil
	case locked:
		return false, reasonLocked, nil
	case !ok && lockOut:
		return false, reasonLockOut, nil
	case !ok:
		return false, reasonWrong, nil
	case u.Disabled:
		return false, reasonDisabled, s.forgiveFailure(ctx, u.ID)
	}
	return rehash, "", nil
}

// decoySetting is written where there is no account to write to: the time of
// the answer does not tell either.
const decoySetting = "auth.decoy"

// countFailure counts a failure of an account that is not locked. It reports
// whether it was locked before, and whether it is from now on.
func (s *Service) countFailure(ctx context.Context, id string) (locked, lockOut bool, err error) {
	s.counting.Lock()
	defer s.counting.Unlock()
	now := time.Now()
	u := store.User{}
	if id != "" {
		if u, err = s.store.User(ctx, id); err != nil {
			return false, false, err
		}
		locked = now.Before(u.LockedUntil)
	}
	if id == "" || locked {
		return locked, false, s.store.SetSetting(ctx, decoySetting, now.String())
	}
	failures, until := u.Failures+1, time.Time{}
	if failures%s.config.LockAfter == 0 {
		until = now.Add(s.lockFor(failures / s.config.LockAfter))
	}
	return false, !until.IsZero(), s.store.UpdateLogin(ctx, id, failures, until, u.LastLogin)
}

// lockFor returns how long an account is locked the nth time in a row.
func (s *Service) lockFor(n int) time.Duration {
	return min(s.config.LockFor<<min(n-1, 16), longestLock)
}

// forgiveFailure takes back what countFailure counted.
func (s *Service) forgiveFailure(ctx context.Context, id string) error {
	s.counting.Lock()
	defer s.counting.Unlock()
	u, err := s.store.User(ctx, id)
	if err != nil {
		return err
	}
	return s.store.UpdateLogin(ctx, id, max(u.Failures-1, 0), time.Time{}, u.LastLogin)
}

// proveSecond checks the code of the second factor of an account that has one.
func (s *Service) proveSecond(ctx context.Context, u store.User, code string) (store.User, string, error) {
	f, err := parseFactor(u.TOTP)
	if err != nil || !f.Confirmed {
		return u, "", err
	}
	if code == "" {
		return u, reasonNoCode, s.forgiveFailure(ctx, u.ID)
	}
	if !f.take(code, time.Now()) {
		return u, reasonWrongTwo, nil
	}
	u.TOTP = f.String()
	changed, err := s.store.UpdateUser(ctx, u)
	if errors.Is(err, store.ErrConflict) { // somebody has used a code at the same time
		return u, reasonWrongTwo, nil
	}
	return changed, "", err
}

// rehash keeps the password hashed at today's cost.
func (s *Service) rehash(ctx context.Context, u store.User, password string) (store.User, error) {
	hashed, err := s.hashes.hash(ctx, password)
	if err != nil {
		return u, err
	}
	u.Password = hashed
	changed, err := s.store.UpdateUser(ctx, u)
	if errors.Is(err, store.ErrConflict) { // next time, then
		return u, nil
	}
	return changed, err
}
