package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"busbar/internal/store"
)

const (
	firstName    = "admin"
	firstSetting = "auth.first-admin"
	// FirstPasswordFile is the name of the file with the one-time password of the
	// first administrator.
	FirstPasswordFile = "initial-admin-password"
)

// FirstAdmin makes the user "admin" with a one-time password when there are no
// users at all. The password goes to the terminal, or where there is none (nil)
// into a file of mode 0600 in the data directory. While it has not been used,
// each start sees to it that there is one that is valid and can be read: it is
// made anew when it has expired, or when it is not in the file.
func (s *Service) FirstAdmin(ctx context.Context, terminal io.Writer) error {
	users, err := s.store.Users(ctx, "", 1)
	if err != nil {
		return err
	}
	if len(users) == 0 {
		if err := s.store.SetSetting(ctx, firstSetting, firstName); err != nil {
			return err
		}
		_, password, err := s.addUser(ctx, store.User{Name: firstName, Roles: []string{Admin.String()}})
		if err != nil {
			return err
		}
		return s.tellFirst(ctx, password, terminal)
	}
	switch _, err := s.store.Setting(ctx, firstSetting); {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	return s.renewFirst(ctx, terminal)
}

// renewFirst makes the one-time password anew if the one that is there is of no use.
func (s *Service) renewFirst(ctx context.Context, terminal io.Writer) error {
	u, err := s.store.UserByName(ctx, firstName)
	if errors.Is(err, store.ErrNotFound) || err == nil && !u.MustChange {
		return s.forgetFirst(ctx, firstName)
	}
	if err != nil {
		return err
	}
	if time.Since(u.Changed) < s.config.OneTime && s.fileHolds(ctx, u) {
		s.tellFile(ctx, terminal)
		return nil
	}
	_, password, err := s.reset(ctx, u, true)
	if err != nil {
		return err
	}
	return s.tellFirst(ctx, password, terminal)
}

// fileHolds reports whether the file holds the password of the account.
func (s *Service) fileHolds(ctx context.Context, u store.User) bool {
	data, err := os.ReadFile(s.firstFile())
	if err != nil {
		return false
	}
	ok, _, err := s.hashes.verify(ctx, strings.TrimSpace(string(data)), u.Password)
	return ok && err == nil
}

func (s *Service) firstFile() string { return filepath.Join(s.dir, FirstPasswordFile) }

// tellFirst gives the password to whoever started the process.
func (s *Service) tellFirst(ctx context.Context, password string, terminal io.Writer) error {
	if terminal != nil {
		_, err := fmt.Fprintf(terminal, "\nFirst sign-in: user %s, one-time password %s (valid for %v, to be changed at once)\n\n", firstName, password, s.config.OneTime)
		return errors.Join(err, s.removeFirstFile())
	}
	if err := writeSecretFile(s.firstFile(), password+"\n"); err != nil {
		return fmt.Errorf("one-time password: %w", err)
	}
	s.tellFile(ctx, nil)
	return nil
}

// tellFile says where the password is; never the password itself.
func (s *Service) tellFile(ctx context.Context, terminal io.Writer) {
	if terminal != nil {
		fmt.Fprintf(terminal, "\nFirst sign-in: user %s, one-time password in %s\n\n", firstName, s.firstFile())
	}
	s.log.InfoContext(ctx, "first sign-in with the one-time password in a file", "user", firstName, "file", s.firstFile())
}

// writeSecretFile replaces a file by one that only its owner can read.
func writeSecretFile(name, content string) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".secret-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// forgetFirst removes the one-time password of the first administrator when it
// was that user who has changed the password.
func (s *Service) forgetFirst(ctx context.Context, name string) error {
	if name != firstName {
		return nil
	}
	if err := s.removeFirstFile(); err != nil {
		return err
	}
	return s.store.DeleteSetting(ctx, firstSetting)
}

func (s *Service) removeFirstFile() error {
	if err := os.Remove(s.firstFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("one-time password: %w", err)
	}
	return nil
}
