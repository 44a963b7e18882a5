package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"

	"busbar/internal/config"
	"busbar/internal/store"
)

// storeFlags returns the flags of a command that works on the store.
func storeFlags(name, usage string, help io.Writer) *flag.FlagSet {
	flags := newFlags(name, usage, help)
	config.AddFlags(flags, "data", "database", "secrets.key")
	return flags
}

// storeAt returns what opens the store of the settings, with the key of its secrets if there is one.
func storeAt(c config.Config, io IO) (store.Options, error) {
	key, err := store.KeySource{File: c.SecretsKey, Data: c.Data, Env: io.Env}.Load()
	return store.Options{Path: filepath.Join(c.Data, store.FileName), URL: c.Database, Key: key, Version: version}, err
}

// storeAndFile reads the settings of a command that takes one file.
func storeAndFile(flags *flag.FlagSet, args []string, io IO, missing string) (config.Config, string, error) {
	rest, err := parse(flags, args)
	switch {
	case err != nil:
		return config.Config{}, "", err
	case len(rest) == 0:
		return config.Config{}, "", errors.New(missing)
	case len(rest) > 1:
		return config.Config{}, "", fmt.Errorf("unexpected argument %q", rest[1])
	}
	c, err := config.Load(flags, io.Env)
	return c, rest[0], err
}
