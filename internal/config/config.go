// Package config holds the settings of the process, as opposed to the plant:
// where data lies, what is listened on, what is logged. A setting comes from a
// flag, else from an environment variable, else from the file busbar.yaml,
// else it has its default.
package config

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"
)

// Config are the settings of the process. Paths are relative to the working
// directory.
type Config struct {
	Data       string // directory of everything that is kept, default "busbar-data"
	HTTPListen string // host:port of the API, /livez, /readyz and /metrics, default 127.0.0.1:8080; empty: off
	HTTPCert   string // file of the certificate of HTTPS; empty: HTTP
	HTTPKey    string // file of its key
	HTTPPlain  bool   // HTTP also on addresses that other machines reach
	// MetricsOpen lets who has not signed in read /metrics.
	MetricsOpen bool
	Plant       string // the plant file, the only writer; empty: the store is
	Database    string // postgres:// URL of the store; empty: SQLite in the data directory
	LogLevel    string // trace, debug, info (the default), warn or error
	LogFormat   string // text (the default) or json
	Image       string // embedded (the default), or memory
	// TraceLimit is the memory of the last frames of all links, in octets, default 64 MiB.
	TraceLimit int64
	// JournalLimit is the most that the journal may take, in octets, default 2 GiB.
	JournalLimit int64
	// FilesDirs are directories, with commas between, of the files that a plant names which does not
	// come from a file; empty: files in the data directory.
	FilesDirs  string
	SecretsDir string // directory of the secrets that a plant refers to with ${file:…}; empty: none
	SecretsKey string // file of the key of the secrets in the store; empty: see package store
	Auth       Auth
}

// Auth are the settings of sign-in. What they mean, and the defaults of what is zero, is up to package auth.
type Auth struct {
	OIDC, URL                                                   string
	SessionIdle, SessionLongest, TokenLongest, OneTime, LockFor time.Duration
	LockAfter                                                   int
}

// flagConfig is the flag that names the file; BUSBAR_CONFIG names it too.
const flagConfig = "config"

// AddFlags adds a flag for each setting to fs, or for those with the given names, and
// the flag --config that names the file.
func AddFlags(fs *flag.FlagSet, only ...string) {
	fs.String(flagConfig, "", "`file` with settings, in YAML; environment variable BUSBAR_CONFIG")
	for _, s := range settings() {
		if len(only) > 0 && !slices.Contains(only, s.name) {
			continue
		}
		fs.String(s.flag(), s.value, s.doc+"; environment variable "+s.env())
	}
}

// Load reads the settings: those flags of AddFlags that were given, the
// environment and the file. The error names every setting that is wrong,
// where it comes from, and what is wanted.
func Load(flags *flag.FlagSet, env func(name string) (value string, found bool)) (Config, error) {
	given := make(map[string]string)
	flags.Visit(func(f *flag.Flag) { given[f.Name] = f.Value.String() })
	file, err := readFile(fileName(given, env))
	if err != nil {
		return Config{}, err
	}
	var c Config
	var errs []error
	for _, s := range settings() {
		value, source := s.value, "default"
		if v, ok := file.values[s.name]; ok {
			value, source = v.text, v.place
		}
		if v, ok := env(s.env()); ok {
			value, source = v, "environment variable "+s.env()
		}
		if v, ok := given[s.flag()]; ok {
			value, source = v, "flag --"+s.flag()
		}
		if err := s.set(&c, value); err != nil {
			errs = append(errs, fmt.Errorf("%s: %s %w", source, s.name, err))
		}
	}
	return c, errors.Join(append(append(file.errs, errs...), c.check())...)
}

func fileName(given map[string]string, env func(string) (string, bool)) string {
	if name, ok := given[flagConfig]; ok {
		return name
	}
	name, _ := env("BUSBAR_CONFIG")
	return name
}

// readFile reads the file with the given name; without a name it has no
// settings.
func readFile(name string) (*file, error) {
	if name == "" {
		return &file{}, nil
	}
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("settings: there is no file %s", name)
	}
	if err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	return parse(name, data), nil
}
