package cli_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"busbar/internal/app"
	"busbar/internal/cli"
	"busbar/internal/store"
)

// storeRig is a machine with a data directory and a key.
type storeRig struct {
	t         *testing.T
	data, key string
}

func newStoreRig(t *testing.T) storeRig {
	t.Helper()
	r := storeRig{t: t, data: filepath.Join(t.TempDir(), "data"), key: filepath.Join(t.TempDir(), "secrets.key")}
	if err := os.Mkdir(r.data, 0o700); err != nil {
		t.Fatal(err)
	}
	newKeyFile(t, r.key)
	return r
}

// newKeyFile writes a key as openssl rand -base64 32 does.
func newKeyFile(t *testing.T, name string) {
	t.Helper()
	key := make([]byte, store.KeySize)
	_, _ = rand.Read(key)
	if err := os.WriteFile(name, []byte(base64.StdEncoding.EncodeToString(key)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// open opens the store as busbar run does.
func (r storeRig) open() *store.Store {
	r.t.Helper()
	key, err := store.KeySource{File: r.key, Data: r.data, Env: noEnv}.Load()
	if err != nil {
		r.t.Fatal(err)
	}
	s, err := store.Open(r.t.Context(), store.Options{Path: filepath.Join(r.data, store.FileName), Key: key})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			r.t.Error(err)
		}
	})
	return s
}

// run runs a command with the data directory and the key.
func (r storeRig) run(args ...string) (code int, said string) {
	var out bytes.Buffer
	code = cli.Main(r.t.Context(), append(args, "--data", r.data, "--secrets-key", r.key), cli.IO{In: strings.NewReader(""), Out: &out, Err: &out, Env: noEnv})
	return code, out.String()
}

func noEnv(string) (string, bool) { return "", false }

// want checks the exit code of a command and what it says.
func want(t *testing.T, code int, said string, wantCode int, words ...string) {
	t.Helper()
	if code != wantCode {
		t.Errorf("exit code %d, want %d; it said:\n%s", code, wantCode, said)
	}
	for _, word := range words {
		if !strings.Contains(said, word) {
			t.Errorf("it does not say %q:\n%s", word, said)
		}
	}
}

func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	r := newStoreRig(t)
	lock, err := app.LockData(r.data) // busbar runs
	if err != nil {
		t.Fatal(err)
	}
	if err := r.open().SetSecret(t.Context(), "mqtt.password", "sesame", "alice"); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "busbar.backup")
	code, said := r.run("backup", "--out", file)
	want(t, code, said, 0, "revision 0", "key ")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("backup: %v, %v, want mode 0600", info, err)
	}
	code, said = r.run("restore", file)
	want(t, code, said, 1, "in use by another busbar")
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	code, said = r.run("restore", file)
	want(t, code, said, 1, "is not empty", "--force")
	code, said = r.run("restore", "--force", file)
	want(t, code, said, 0, "restored", "the key that is here")

	other := newStoreRig(t)
	code, said = other.run("restore", file)
	want(t, code, said, 0, "restored", "put the right one in place")
	if _, err := other.open().Secret(t.Context(), "mqtt.password"); err == nil {
		t.Error("a secret opens with another key")
	}
	moved := storeRig{t: t, data: other.data, key: r.key}
	if text, err := moved.open().Secret(t.Context(), "mqtt.password"); err != nil || text != "sesame" {
		t.Errorf("with the right key the secret is %q, %v", text, err)
	}
}

func TestBackupRefuses(t *testing.T) {
	t.Parallel()
	r := newStoreRig(t)
	code, said := r.run("backup")
	want(t, code, said, 2, "--out")
	code, said = r.run("backup", "--out", filepath.Join(t.TempDir(), "b"))
	want(t, code, said, 1, "there is no store in "+r.data)
	if names, err := os.ReadDir(r.data); err != nil || len(names) > 0 {
		t.Errorf("a backup of nothing leaves %v, %v in the data directory", names, err)
	}
	_ = r.open()
	code, said = r.run("backup", "--out", filepath.Join(t.TempDir(), "no", "folder"))
	want(t, code, said, 1, "no such file or directory")
	code, said = r.run("restore", filepath.Join(t.TempDir(), "missing"))
	want(t, code, said, 1, "no such file")
}

func TestRekey(t *testing.T) {
	t.Parallel()
	r := newStoreRig(t)
	if err := r.open().SetSecret(t.Context(), "mqtt.password", "sesame", "alice"); err != nil {
		t.Fatal(err)
	}
	next := filepath.Join(t.TempDir(), "next.key")
	newKeyFile(t, next)
	code, said := r.run("rekey", next)
	want(t, code, said, 0, "1 secret encrypted", "--secrets-key "+next)
	if _, err := r.open().Secret(t.Context(), "mqtt.password"); err == nil {
		t.Error("the old key still opens the secret")
	}
	r.key = next
	if text, err := r.open().Secret(t.Context(), "mqtt.password"); err != nil || text != "sesame" {
		t.Errorf("with the new key the secret is %q, %v", text, err)
	}
}
