package auth

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var printedPassword = regexp.MustCompile(`[a-z2-7]{5}(-[a-z2-7]{5}){3}`)

func firstFile(t *testing.T, s *Service) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(s.dir, FirstPasswordFile))
	if os.IsNotExist(err) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}

func TestFirstAdminWithAFile(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := newService(t, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err := s.FirstAdmin(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	password := firstFile(t, s)
	info, err := os.Stat(filepath.Join(s.dir, FirstPasswordFile))
	if err != nil || info.Mode().Perm() != 0o600 || !printedPassword.MatchString(password) {
		t.Fatalf("%v, %q, %v, want a file of mode 0600", info.Mode(), password, err)
	}
	if strings.Contains(log.String(), password) || !strings.Contains(log.String(), FirstPasswordFile) {
		t.Errorf("the log names the password, or not the file: %s", &log)
	}
	if err := s.FirstAdmin(t.Context(), nil); err != nil || firstFile(t, s) != password {
		t.Errorf("a second start makes another password, %v", err)
	}
	o := mustSignIn(t, s, "admin", password)
	if !o.Principal.MustChange || o.Principal.May(Viewer) {
		t.Errorf("principal %+v may do something before the change", o.Principal)
	}
	if firstFile(t, s) != password {
		t.Error("the file is gone before the password was changed")
	}
	if err := s.ChangePassword(t.Context(), o.Principal, password, goodPassword); err != nil {
		t.Fatal(err)
	}
	if got := firstFile(t, s); got != "" {
		t.Errorf("the file holds %q after the change", got)
	}
	if err := s.FirstAdmin(t.Context(), nil); err != nil || firstFile(t, s) != "" {
		t.Errorf("a later start makes a password, %v", err)
	}
	if p := mustSignIn(t, s, "admin", goodPassword).Principal; !p.May(Admin) {
		t.Errorf("principal %+v", p)
	}
}

func TestFirstAdminOnATerminal(t *testing.T) {
	t.Parallel()
	s := newService(t, Options{})
	start := func() string {
		t.Helper()
		var terminal strings.Builder
		if err := s.FirstAdmin(t.Context(), &terminal); err != nil {
			t.Fatal(err)
		}
		if firstFile(t, s) != "" {
			t.Error("there is a file too")
		}
		return printedPassword.FindString(terminal.String())
	}
	one := start()
	two := start() // whoever starts it again has lost the first
	if one == "" || two == "" || one == two {
		t.Fatalf("%q, then %q, want two passwords", one, two)
	}
	_, err := signIn(t, s, "admin", one, "")
	wantCode(t, "the first password after a second start", err, CodeCredentials)
	mustSignIn(t, s, "admin", two)
}

func TestFirstPasswordIsMadeAnewWhenItHasExpired(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, Options{})
		if err := s.FirstAdmin(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		old := firstFile(t, s)
		time.Sleep(24*time.Hour + time.Minute)
		_, err := signIn(t, s, "admin", old, "")
		wantCode(t, "after a day", err, CodeCredentials)
		if err := s.FirstAdmin(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		anew := firstFile(t, s)
		if anew == old {
			t.Fatal("the password is the same")
		}
		mustSignIn(t, s, "admin", anew)
		if err := os.Remove(filepath.Join(s.dir, FirstPasswordFile)); err != nil {
			t.Fatal(err)
		}
		if err := s.FirstAdmin(t.Context(), nil); err != nil || firstFile(t, s) == "" {
			t.Errorf("the file was lost: %q, %v, want another", firstFile(t, s), err)
		}
		if err := s.store.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestFirstAdminLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	s := newService(t, Options{})
	addAccount(t, s, "root", "admin")
	if err := s.FirstAdmin(t.Context(), nil); err != nil || firstFile(t, s) != "" {
		t.Errorf("%q, %v, want nothing where there is a user", firstFile(t, s), err)
	}
	if _, err := s.store.UserByName(t.Context(), "admin"); err == nil {
		t.Error("there is a user admin")
	}
}
