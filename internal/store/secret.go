package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"busbar/internal/store/db"
)

// SecretInfo is what may be seen of a secret.
type SecretInfo struct {
	Name   string
	Author string
	At     time.Time
}

// SetSecret keeps a secret, encrypted, in place of the one of that name. It
// fails with [ErrNoKey] if there is no key and none can be made.
func (s *Store) SetSecret(ctx context.Context, name, plaintext, author string) error {
	sealed, err := s.keys.seal(secretPlace(name), plaintext)
	if err != nil {
		return fault("keep secret", err)
	}
	err = s.writer().PutSecret(ctx, db.PutSecretParams{Name: name, Sealed: sealed, Author: clean(author), At: millis(now())})
	return fault("keep secret "+name, err)
}

// seal encrypts secrets, by name.
func (s *Store) seal(secrets map[string]string) (map[string][]byte, error) {
	sealed := make(map[string][]byte, len(secrets))
	for name, text := range secrets {
		var err error
		if sealed[name], err = s.keys.seal(secretPlace(name), text); err != nil {
			return nil, fmt.Errorf("secret %s: %w", name, err)
		}
	}
	return sealed, nil
}

// putSecrets keeps what seal has encrypted, in the order of the names.
func putSecrets(ctx context.Context, q *db.Queries, sealed map[string][]byte, author string) error {
	for _, name := range slices.Sorted(maps.Keys(sealed)) {
		err := q.PutSecret(ctx, db.PutSecretParams{Name: name, Sealed: sealed[name], Author: author, At: millis(now())})
		if err != nil {
			return fmt.Errorf("keep secret %s: %w", name, err)
		}
	}
	return nil
}

// Secret returns a secret in plain text. It fails with [ErrNotFound], with
// [ErrNoKey] without a key and with [ErrWrongKey] if it was encrypted with another.
func (s *Store) Secret(ctx context.Context, name string) (string, error) {
	sealed, err := db.New(s.read).Secret(ctx, name)
	if err != nil {
		return "", fault("read secret "+name, err)
	}
	text, err := s.keys.open(secretPlace(name), sealed)
	return text, fault("read", err)
}

// Secrets returns what may be seen of all secrets, by name.
func (s *Store) Secrets(ctx context.Context) ([]SecretInfo, error) {
	rows, err := db.New(s.read).Secrets(ctx)
	if err != nil {
		return nil, fault("read secrets", err)
	}
	list := make([]SecretInfo, len(rows))
	for i, r := range rows {
		list[i] = SecretInfo{Name: r.Name, Author: r.Author, At: instant(r.At)}
	}
	return list, nil
}

// DeleteSecret removes a secret.
func (s *Store) DeleteSecret(ctx context.Context, name string) error {
	n, err := s.writer().DeleteSecret(ctx, name)
	return touched("remove secret "+name, n, err)
}

func secretPlace(name string) string { return "secret " + name }
