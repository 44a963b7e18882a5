package store_test

import (
	"database/sql"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"busbar/internal/store"
)

// raw opens the database of a store behind its back.
func raw(t *testing.T, o store.Options) *sql.DB {
	t.Helper()
	driver, place := "sqlite", o.Path
	if o.URL != "" {
		driver, place = "pgx", o.URL
	}
	pool, err := sql.Open(driver, place)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pool.Close() })
	return pool
}

func execute(t *testing.T, o store.Options, statement string) {
	t.Helper()
	if _, err := raw(t, o).ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func TestSecrets(t *testing.T) {
	each(t, func(t *testing.T, o store.Options) {
		o.Key = key(1)
		s, ctx := open(t, o), t.Context()
		for _, text := range []string{"first", "", "open\x00 sesame \xff"} {
			if err := s.SetSecret(ctx, "mqtt.password", text, "alice"); err != nil {
				t.Fatal(err)
			}
			if got, err := s.Secret(ctx, "mqtt.password"); err != nil || got != text {
				t.Errorf("Secret = %q, %v, want %q", got, err, text)
			}
		}
		want := []store.SecretInfo{{Name: "mqtt.password", Author: "alice"}}
		if got, err := s.Secrets(ctx); err != nil || !cmp.Equal(got, want, cmpopts.IgnoreFields(store.SecretInfo{}, "At")) {
			t.Errorf("Secrets = %+v, %v, want %+v", got, err, want)
		}
		if err := s.DeleteSecret(ctx, "mqtt.password"); err != nil {
			t.Fatal(err)
		}
		_, read := s.Secret(ctx, "mqtt.password")
		for _, err := range []error{read, s.DeleteSecret(ctx, "mqtt.password")} {
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("on a secret that is gone: %v, want %v", err, store.ErrNotFound)
			}
		}
	})
}

func TestSecretsAreEncrypted(t *testing.T) {
	each(t, func(t *testing.T, o store.Options) {
		o.Key = key(1)
		s, ctx := open(t, o), t.Context()
		fill(t, s)
		for _, column := range []string{"sealed FROM secrets", "totp FROM users", "value FROM settings"} {
			var data []byte
			if err := raw(t, o).QueryRowContext(ctx, "SELECT "+column).Scan(&data); err != nil {
				t.Fatal(err)
			}
			for _, word := range []string{"sesame", "SEED", "key"} {
				if strings.Contains(string(data), word) {
					t.Errorf("%s holds %q", column, word)
				}
			}
		}
		// What is sealed for one name does not open under another.
		execute(t, o, "UPDATE secrets SET name = 'other'")
		if text, err := s.Secret(ctx, "other"); !errors.Is(err, store.ErrDamaged) {
			t.Errorf("a secret that was moved = %q, %v, want %v", text, err, store.ErrDamaged)
		}
	})
}

func TestSecretsNeedTheirKey(t *testing.T) {
	each(t, func(t *testing.T, o store.Options) {
		o.Key = key(1)
		fill(t, open(t, o))
		tests := []struct {
			name string
			key  []byte
			want error
		}{
			{"another key", key(2), store.ErrWrongKey},
			{"no key", nil, store.ErrNoKey},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				o := o
				o.Key = tt.key
				s, ctx := open(t, o), t.Context()
				_, secret := s.Secret(ctx, "mqtt.password")
				_, user := s.UserByName(ctx, "alice")
				_, setting := s.Setting(ctx, "cookie")
				for _, err := range []error{secret, user, setting, s.CheckKey(ctx)} {
					if !errors.Is(err, tt.want) {
						t.Errorf("error %v, want %v", err, tt.want)
					}
					if tt.key != nil && !strings.Contains(err.Error(), store.KeyID(key(1))) {
						t.Errorf("error %v, want the id of the right key, %s", err, store.KeyID(key(1)))
					}
				}
			})
		}
	})
}

func TestKeyIsMadeWhenItIsFirstNeeded(t *testing.T) {
	each(t, func(t *testing.T, o store.Options) {
		made := 0
		o.NewKey = func() ([]byte, error) { made++; return key(3), nil }
		s, ctx := open(t, o), t.Context()
		if err := s.SetSetting(ctx, "cookie", "x"); err != nil || made != 0 {
			t.Fatalf("SetSetting: %v, %d keys made, want none: a setting does without", err, made)
		}
		for range 2 {
			if err := s.SetSecret(ctx, "a", "b", "c"); err != nil {
				t.Fatal(err)
			}
		}
		if text, err := s.Setting(ctx, "cookie"); made != 1 || err != nil || text != "x" {
			t.Errorf("%d keys made, setting %q, %v, want 1 key and the setting of before", made, text, err)
		}
	})
}

func TestRekey(t *testing.T) {
	each(t, func(t *testing.T, o store.Options) {
		o.Key = key(1)
		s, ctx := open(t, o), t.Context()
		fill(t, s)
		want := contentsOf(t, s)
		if n, err := s.Rekey(ctx, key(2)); n != 3 || err != nil {
			t.Fatalf("Rekey = %d, %v, want 3: a secret, a seed, a setting", n, err)
		}
		if diff := cmp.Diff(want, contentsOf(t, s)); diff != "" {
			t.Errorf("contents with the new key (-want +got):\n%s", diff)
		}
		if err := open(t, o).CheckKey(ctx); !errors.Is(err, store.ErrWrongKey) {
			t.Errorf("with the old key: %v, want %v", err, store.ErrWrongKey)
		}
		o.Key = key(3)
		if _, err := open(t, o).Rekey(ctx, key(4)); !errors.Is(err, store.ErrWrongKey) {
			t.Errorf("Rekey without the right key: %v, want %v", err, store.ErrWrongKey)
		}
		if _, err := s.Rekey(ctx, []byte("short")); err == nil {
			t.Error("Rekey takes a key of 5 octets")
		}
		if err := s.CheckKey(ctx); err != nil {
			t.Errorf("after changes of the key that failed: %v", err)
		}
	})
}
