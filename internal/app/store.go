package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"busbar/internal/config"
	"busbar/internal/store"
)

// StoreFile is the SQLite database in the data directory.
const StoreFile = store.FileName

// openStore opens the database that holds plant, users and audit log.
func openStore(ctx context.Context, log *Log, c config.Config, env func(string) (string, bool), version string) (*store.Store, error) {
	if env == nil {
		env = os.LookupEnv
	}
	source := store.KeySource{File: c.SecretsKey, Data: c.Data, Env: env}
	key, err := source.Load()
	if err != nil {
		return nil, err
	}
	o := store.Options{
		Path: filepath.Join(c.Data, StoreFile), URL: c.Database, Alone: true, Key: key, NewKey: source.Make, Version: version, Log: log.Logger,
	}
	st, err := store.Open(ctx, o)
	if err != nil && c.Database != "" {
		return nil, fmt.Errorf("database: %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("database %s: %w", o.Path, err)
	}
	return st, nil
}
