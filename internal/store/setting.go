package store

import (
	"context"
	"errors"

	"busbar/internal/store/db"
)

// Setting returns a small value that the process keeps for itself, such as the
// key of its cookies; it fails with [ErrNotFound] if it was never set.
func (s *Store) Setting(ctx context.Context, name string) (string, error) {
	r, err := db.New(s.read).Setting(ctx, name)
	if err != nil {
		return "", fault("read setting "+name, err)
	}
	if !r.Sealed {
		return string(r.Value), nil
	}
	text, err := s.keys.open(settingPlace(name), r.Value)
	return text, fault("read", err)
}

// SetSetting keeps a value, encrypted if there is a key for secrets.
func (s *Store) SetSetting(ctx context.Context, name, value string) error {
	p := db.PutSettingParams{Name: name, Value: []byte(value)}
	aead, id, err := s.keys.current(false)
	if err == nil {
		p.Value, err = sealWith(aead, id, settingPlace(name), value)
		p.Sealed = true
	}
	if err != nil && !errors.Is(err, ErrNoKey) {
		return fault("keep setting "+name, err)
	}
	return fault("keep setting "+name, s.writer().PutSetting(ctx, p))
}

// DeleteSetting removes a value, if it is there.
func (s *Store) DeleteSetting(ctx context.Context, name string) error {
	return fault("remove setting "+name, s.writer().DeleteSetting(ctx, name))
}

func settingPlace(name string) string { return "setting " + name }
