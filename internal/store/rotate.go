package store

import (
	"context"
	"crypto/cipher"
	"database/sql"
	"fmt"

	"busbar/internal/store/db"
)

// sealedItem is something that is kept encrypted.
type sealedItem struct {
	place  string
	sealed []byte
	put    func(sealed []byte) error // keeps it anew
}

// eachSealed calls do with everything that is kept encrypted.
func eachSealed(ctx context.Context, q *db.Queries, do func(sealedItem) error) error {
	secrets, err := q.Secrets(ctx)
	if err != nil {
		return err
	}
	users, err := q.UsersWithTOTP(ctx)
	if err != nil {
		return err
	}
	settings, err := q.SealedSettings(ctx)
	if err != nil {
		return err
	}
	var items []sealedItem
	for _, r := range secrets {
		items = append(items, sealedItem{secretPlace(r.Name), r.Sealed, func(b []byte) error {
			return q.ResealSecret(ctx, db.ResealSecretParams{Sealed: b, Name: r.Name})
		}})
	}
	for _, r := range users {
		items = append(items, sealedItem{totpPlace(r.ID), r.Totp, func(b []byte) error {
			return q.ResealUser(ctx, db.ResealUserParams{Totp: b, ID: r.ID})
		}})
	}
	for _, r := range settings {
		items = append(items, sealedItem{settingPlace(r.Name), r.Value, func(b []byte) error {
			return q.PutSetting(ctx, db.PutSettingParams{Name: r.Name, Value: b, Sealed: true})
		}})
	}
	for _, item := range items {
		if err := do(item); err != nil {
			return err
		}
	}
	return nil
}

// Rekey encrypts everything secret with a new key, which the store then uses, and returns how
// much that was. What the present key does not open makes it fail, and nothing changes.
// Other processes must be stopped: they still have the old key.
func (s *Store) Rekey(ctx context.Context, key []byte) (items int, err error) {
	aead, err := cipherOf(key)
	if err != nil {
		return 0, err
	}
	err = s.change(ctx, "change key of secrets", func(q *db.Queries, _ *sql.Tx) error {
		return eachSealed(ctx, q, func(item sealedItem) error {
			items++
			return s.reseal(item, aead, KeyID(key))
		})
	})
	if err != nil {
		return 0, err
	}
	s.keys.mu.Lock()
	defer s.keys.mu.Unlock()
	return items, s.keys.set(key)
}

func (s *Store) reseal(item sealedItem, aead cipher.AEAD, id string) error {
	text, err := s.keys.open(item.place, item.sealed)
	if err != nil {
		return err
	}
	sealed, err := sealWith(aead, id, item.place, text)
	if err != nil {
		return fmt.Errorf("%s: %w", item.place, err)
	}
	return item.put(sealed)
}

// CheckKey reports whether the key opens everything that is secret: nil, or
// [ErrNoKey] or [ErrWrongKey] and which key is wanted.
func (s *Store) CheckKey(ctx context.Context) error {
	return s.view(ctx, "check key", func(q *db.Queries, _ *sql.Tx) error {
		return eachSealed(ctx, q, func(item sealedItem) error {
			_, err := s.keys.open(item.place, item.sealed)
			return err
		})
	})
}
