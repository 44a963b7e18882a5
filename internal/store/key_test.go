package store_test

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"busbar/internal/store"
)

// env returns a lookup in a map.
func env(m map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := m[name]; return v, ok }
}

// keyFile writes key n in base64.
func keyFile(t *testing.T, name string, n byte, mode os.FileMode) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(base64.StdEncoding.EncodeToString(key(n))+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestKeyIsTakenFromTheFirstPlaceThatHasIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	named := keyFile(t, filepath.Join(dir, "named.key"), 1, 0o400)
	keyFile(t, filepath.Join(dir, "credentials", "busbar-secrets-key"), 3, 0o440)
	keyFile(t, filepath.Join(dir, "home", ".config", "busbar", "secrets.key"), 4, 0o600)
	keyFile(t, filepath.Join(dir, "xdg", "busbar", "secrets.key"), 5, 0o600)
	text := base64.StdEncoding.EncodeToString(key(2))
	home, credentials := filepath.Join(dir, "home"), filepath.Join(dir, "credentials")
	tests := []struct {
		name, file string
		env        map[string]string
		want       []byte
	}{
		{"the setting", named, map[string]string{"BUSBAR_SECRETS_KEY_BASE64": text, "HOME": home}, key(1)},
		{"the environment", "", map[string]string{"BUSBAR_SECRETS_KEY_BASE64": text, "CREDENTIALS_DIRECTORY": credentials}, key(2)},
		{"a credential", "", map[string]string{"CREDENTIALS_DIRECTORY": credentials, "HOME": home}, key(3)},
		{"the home directory", "", map[string]string{"HOME": home}, key(4)},
		{"credentials without ours", "", map[string]string{"CREDENTIALS_DIRECTORY": home, "HOME": home}, key(4)},
		{"the configuration directory", "", map[string]string{"HOME": home, "XDG_CONFIG_HOME": filepath.Join(dir, "xdg")}, key(5)},
		{"nowhere", "", map[string]string{"HOME": filepath.Join(dir, "empty")}, nil},
		{"no home", "", nil, nil},
	}
	for _, tt := range tests {
		got, err := store.KeySource{File: tt.file, Data: filepath.Join(dir, "data"), Env: env(tt.env)}.Load()
		if err != nil || !bytes.Equal(got, tt.want) {
			t.Errorf("%s: key %x, %v, want %x", tt.name, got, err, tt.want)
		}
	}
}

func TestKeyIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	inside := keyFile(t, filepath.Join(data, "secrets.key"), 1, 0o600)
	link := filepath.Join(dir, "link.key")
	if err := os.Symlink(inside, link); err != nil {
		t.Fatal(err)
	}
	short := filepath.Join(dir, "short.key")
	if err := os.WriteFile(short, []byte("c2hvcnQ=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, file string
		env        map[string]string
		want       string
	}{
		{"in the data directory", inside, nil, "lies in the data directory"},
		{"a link into the data directory", link, nil, "lies in the data directory"},
		{"the usual place is in the data directory", "", map[string]string{"XDG_CONFIG_HOME": data}, ""},
		{"readable by all", keyFile(t, filepath.Join(dir, "open.key"), 1, 0o644), nil, "chmod 600"},
		{"writable by the group", keyFile(t, filepath.Join(dir, "group.key"), 1, 0o660), nil, "chmod 600"},
		{"named and not there", filepath.Join(dir, "missing.key"), nil, "no such file"},
		{"too short", short, nil, "32 octets"},
		{"too short in the environment", "", map[string]string{"BUSBAR_SECRETS_KEY_BASE64": "c2hvcnQ="}, "BUSBAR_SECRETS_KEY_BASE64"},
	}
	for _, tt := range tests {
		source := store.KeySource{File: tt.file, Data: data, Env: env(tt.env)}
		got, err := source.Load()
		if tt.want == "" { // there is none yet, and none is made there
			_, err = source.Make()
			tt.want = "lies in the data directory"
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: key %x, error %v, want %q", tt.name, got, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "c2hvcnQ") {
			t.Errorf("%s: the error holds the key: %v", tt.name, err)
		}
	}
}

func TestKeyIsMadeOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	source := store.KeySource{Data: filepath.Join(dir, "data"), Env: env(map[string]string{"HOME": dir})}
	keys := make([][]byte, 8)
	var wait sync.WaitGroup
	for i := range keys {
		wait.Go(func() {
			var err error
			if keys[i], err = source.Make(); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	loaded, err := source.Load()
	if err != nil || len(loaded) != store.KeySize {
		t.Fatalf("Load = %x, %v", loaded, err)
	}
	for _, k := range keys {
		if !bytes.Equal(k, loaded) {
			t.Errorf("Make = %x, but the file holds %x", k, loaded)
		}
	}
	folder := filepath.Join(dir, ".config", "busbar")
	if info, err := os.Stat(filepath.Join(folder, "secrets.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("file of the key: %v, %v, want mode 0600", info, err)
	}
	if names, err := os.ReadDir(folder); err != nil || len(names) != 1 {
		t.Errorf("folder of the key holds %v, %v, want one file", names, err)
	}
	if _, err := (store.KeySource{Data: dir, Env: env(nil)}).Make(); err == nil || !strings.Contains(err.Error(), "secrets.key") {
		t.Errorf("Make without a home = %v, want what to do", err)
	}
}
