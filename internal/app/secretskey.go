package app

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"busbar/internal/config"
)

// The key of the secrets in the store.
const (
	keyLength     = 32 // octets
	keyVariable   = "BUSBAR_SECRETS_KEY_BASE64"
	keyCredential = "busbar-secrets-key"
)

// secretsKey finds the key of the secrets: the setting, else an environment variable, else a credential of the
// service manager, else a file of the user. If there is no key yet, make makes it in the file; it is
// called when the first secret is stored. The key must lie outside of the data directory, so that a copy of that is of no use.
func secretsKey(c config.Config, env func(string) (string, bool)) (key []byte, make func() ([]byte, error), err error) {
	if text, ok := env(keyVariable); ok && c.SecretsKey == "" {
		key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
		if err != nil || len(key) != keyLength {
			return nil, nil, fmt.Errorf("environment variable %s: want %d octets in base64", keyVariable, keyLength)
		}
		return key, nil, nil
	}
	name, err := keyFile(c, env)
	if err != nil {
		return nil, nil, err
	}
	inside, err := within(c.Data, name)
	if err != nil {
		return nil, nil, err
	}
	if inside {
		return nil, nil, fmt.Errorf("secrets.key: %s is in the data directory, want a file elsewhere: a copy of the directory must not hold the key", name)
	}
	key, err = readKey(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, func() ([]byte, error) { return makeKey(name) }, nil
	}
	return key, nil, err
}

// keyFile returns the file of the key, which may not be there yet.
func keyFile(c config.Config, env func(string) (string, bool)) (string, error) {
	if c.SecretsKey != "" {
		return c.SecretsKey, nil
	}
	if dir, ok := env("CREDENTIALS_DIRECTORY"); ok && dir != "" {
		name := filepath.Join(dir, keyCredential)
		if _, err := os.Stat(name); err == nil {
			return name, nil
		}
	}
	dir, ok := env("XDG_CONFIG_HOME")
	if !ok || dir == "" {
		home, ok := env("HOME")
		if !ok || home == "" {
			return filepath.Join("/etc", "busbar", "secrets.key"), nil // a service without a home
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "busbar", "secrets.key"), nil
}

// within reports whether a file lies in a directory, through links as well.
func within(dir, name string) (bool, error) {
	real := func(p string) (string, error) {
		p, err := filepath.Abs(p)
		if err != nil {
			return "", err
		}
		for rest := ""; ; { // of what is there
			resolved, err := filepath.EvalSymlinks(p)
			if err == nil {
				return filepath.Join(resolved, rest), nil
			}
			if !errors.Is(err, fs.ErrNotExist) || filepath.Dir(p) == p {
				return "", fmt.Errorf("secrets.key: %w", err)
			}
			p, rest = filepath.Dir(p), filepath.Join(filepath.Base(p), rest)
		}
	}
	d, err1 := real(dir)
	n, err2 := real(name)
	if err := errors.Join(err1, err2); err != nil {
		return false, err
	}
	rel, err := filepath.Rel(d, n)
	return err == nil && filepath.IsLocal(rel), nil
}

// readKey reads a key: 32 octets as they are, or in base64.
func readKey(name string) ([]byte, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("secrets.key: %w", err)
	}
	if len(data) == keyLength {
		return data, nil
	}
	key, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(data)))
	if err != nil || len(key) != keyLength {
		return nil, fmt.Errorf("secrets.key: %s holds no key, want %d octets, or these in base64", name, keyLength)
	}
	return key, nil
}

// makeKey makes a key that only the user of this process may read.
func makeKey(name string) ([]byte, error) {
	key := make([]byte, keyLength)
	rand.Read(key)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return nil, fmt.Errorf("secrets.key: %w", err)
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("secrets.key: %w", err)
	}
	_, err = f.WriteString(base64.StdEncoding.EncodeToString(key) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, fmt.Errorf("secrets.key: %w", errors.Join(err, os.Remove(name)))
	}
	return key, nil
}
