package store

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
)

// keyEnv holds the key of secrets, in base64.
const keyEnv = "BUSBAR_SECRETS_KEY_BASE64"

// KeySource says where the key of secrets is. The first of these has it: File,
// the environment variable BUSBAR_SECRETS_KEY_BASE64, the file busbar-secrets-key
// in the directory that CREDENTIALS_DIRECTORY names (as service managers do), and
// secrets.key in the folder busbar of the configuration directory of the user.
//
// A file holds 32 octets in base64. It is refused inside the data directory,
// whose copy would hold both secrets and key, and if others may read it.
type KeySource struct {
	File string // a file that must be there; empty: none is named
	Data string // the data directory
	Env  func(name string) (value string, found bool)
}

// Load returns the key, or nil if none was ever made.
func (k KeySource) Load() ([]byte, error) {
	if text, ok := k.Env(keyEnv); k.File == "" && ok {
		key, err := parseKey([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("key for secrets: environment variable %s %w", keyEnv, err)
		}
		return key, nil
	}
	name, must, err := k.file()
	if err != nil {
		return nil, nil // there is no place for a key: Make says why when one is needed
	}
	key, err := k.read(name)
	if errors.Is(err, fs.ErrNotExist) && !must {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("key for secrets: %w", err)
	}
	return key, nil
}

// file returns the name of the file with the key, and whether it must be there.
func (k KeySource) file() (name string, must bool, err error) {
	if k.File != "" {
		return k.File, true, nil
	}
	if dir, ok := k.Env("CREDENTIALS_DIRECTORY"); ok {
		name := filepath.Join(dir, "busbar-secrets-key")
		if _, err := os.Stat(name); err == nil {
			return name, true, nil
		}
	}
	name, err = k.usual()
	return name, false, err
}

// usual returns the file in the configuration directory of the user.
func (k KeySource) usual() (string, error) {
	if dir, ok := k.Env("XDG_CONFIG_HOME"); ok && filepath.IsAbs(dir) {
		return filepath.Join(dir, "busbar", "secrets.key"), nil
	}
	if home, ok := k.Env("HOME"); ok && filepath.IsAbs(home) {
		return filepath.Join(home, ".config", "busbar", "secrets.key"), nil
	}
	return "", fmt.Errorf("there is no configuration directory, as HOME is not set: name a file with secrets.key, or set %s", keyEnv)
}

func (k KeySource) read(name string) ([]byte, error) {
	if err := k.outside(name); err != nil {
		return nil, err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o027 != 0 {
		return nil, fmt.Errorf("%s has mode %04o, so that others may read or change it; chmod 600 %s", name, mode, name)
	}
	text := make([]byte, 1024)
	n, err := f.Read(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	key, err := parseKey(text[:n])
	if err != nil {
		return nil, fmt.Errorf("%s %w", name, err)
	}
	return key, nil
}

// outside refuses a file in the data directory.
func (k KeySource) outside(name string) error {
	data, err := resolved(k.Data)
	if err != nil {
		return err
	}
	file, err := resolved(name)
	if err != nil {
		return err
	}
	rel, err := filepath.Rel(data, file)
	if err == nil && rel != ".." && !strings.HasPrefix(rel, "../") {
		return fmt.Errorf("%s lies in the data directory %s: keep the key where copies of the data do not take it along", name, k.Data)
	}
	return nil
}

// resolved returns the absolute path of a file without symbolic links, as far as there are files.
func resolved(name string) (string, error) {
	abs, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	rest := ""
	for dir := abs; ; dir = filepath.Dir(dir) {
		if there, err := filepath.EvalSymlinks(dir); err == nil {
			return filepath.Join(there, rest), nil
		}
		if dir == filepath.Dir(dir) {
			return abs, nil
		}
		rest = filepath.Join(filepath.Base(dir), rest)
	}
}

func parseKey(text []byte) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil || len(key) != KeySize {
		return nil, fmt.Errorf("holds no key, want %d octets in base64, such as from: openssl rand -base64 %d", KeySize, KeySize)
	}
	return key, nil
}

// Make makes a new key in the configuration directory of the user, where Load
// finds it, or returns the one that is there. It fails if another place is named.
func (k KeySource) Make() ([]byte, error) {
	name, err := k.usual()
	if err != nil {
		return nil, err
	}
	if err := k.outside(name); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return nil, err
	}
	key := make([]byte, KeySize)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	if err := writeNew(name, []byte(base64.StdEncoding.EncodeToString(key)+"\n")); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return k.read(name) // of whoever was first
}

// writeNew writes a file that is not there yet: as a whole, or not at all.
func writeNew(name string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".secrets-key-*") // of mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), name); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
