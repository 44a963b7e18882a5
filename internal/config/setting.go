package config

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// setting is one setting: its name in the file, from which those of the flag
// and of the environment variable follow.
type setting struct {
	name  string
	value string // default
	doc   string
	set   func(c *Config, value string) error
}

func (s setting) flag() string { return strings.ReplaceAll(s.name, ".", "-") }

func (s setting) env() string {
	return "BUSBAR_" + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(s.name))
}

func settings() []setting { return append(processSettings(), authSettings()...) }

func processSettings() []setting {
	return []setting{
		{"data", "busbar-data", "`directory` of everything that is kept", func(c *Config, v string) error {
			c.Data = v
			return nonEmpty(v, "a directory")
		}},
		{"http.listen", "127.0.0.1:8080", "`address` of the API, /livez, /readyz and /metrics, or off", setHTTPListen},
		{"http.tls.cert", "", "`file` of the certificate of HTTPS, with its chain", setText(func(c *Config) *string { return &c.HTTPCert })},
		{"http.tls.key", "", "`file` of the key of the certificate", setText(func(c *Config) *string { return &c.HTTPKey })},
		{"http.plain", "false", "true: HTTP without TLS also on addresses that other machines reach, where a proxy does it", func(c *Config, v string) error {
			c.HTTPPlain = v == "true"
			return oneOf(v, "true", "false")
		}},
		{"http.metrics", "signed-in", "who reads /metrics: signed-in, or open", func(c *Config, v string) error {
			c.MetricsOpen = v == "open"
			return oneOf(v, "signed-in", "open")
		}},
		{"database", "sqlite", "where plant, users and audit log are kept: sqlite (in the data directory) or postgres://…", setDatabase},
		{"plant", "", "the plant `file`, which is the only writer of the plant then", func(c *Config, v string) error {
			c.Plant = v
			return nil
		}},
		{"log.level", "info", "trace, debug, info, warn or error", func(c *Config, v string) error {
			c.LogLevel = v
			return oneOf(v, "trace", "debug", "info", "warn", "error")
		}},
		{"log.format", "text", "text or json", func(c *Config, v string) error {
			c.LogFormat = v
			return oneOf(v, "text", "json")
		}},
		{"image", "embedded", "where the process image is kept: embedded (in the data directory) or memory (nowhere)", setImage},
		{"trace.limit", "64MiB", "memory of the last frames of all links, `size`; a link takes at most 256KiB of it", setTraceLimit},
		{"journal.limit", "2GiB", "most that the journal may take, `size` such as 500MiB or 2GiB", setJournalLimit},
		{"role", "all", "what this process does: all", func(_ *Config, v string) error {
			if slices.Contains([]string{"management", "connectors", "frontend"}, v) {
				return fmt.Errorf("is %q, which is not supported by this version, want all", v)
			}
			return oneOf(v, "all")
		}},
		{"files.dirs", "", "`directories`, with commas between, of the files that the plant names (tls, files) when it does not come from a file; default files in the data directory", setText(func(c *Config) *string { return &c.FilesDirs })},
		{"secrets.dir", "", "`directory` of the secrets that the plant refers to with ${file:…}", setText(func(c *Config) *string { return &c.SecretsDir })},
		{"secrets.key", "", "`file` of the key by which secrets are encrypted, outside of the data directory", setText(func(c *Config) *string { return &c.SecretsKey })},
	}
}

func setImage(c *Config, v string) error {
	c.Image = v
	if strings.HasPrefix(v, "valkey:") || strings.HasPrefix(v, "valkeys:") {
		return fmt.Errorf("is %q, which is not supported by this version, want embedded or memory", v)
	}
	return oneOf(v, "embedded", "memory")
}

// minJournal is the smallest limit of the journal: less is no time at all.
const minJournal = 16 << 20

// Limits of the memory of traces.
const (
	minTrace = 1 << 20
	maxTrace = 4 << 30
)

func setTraceLimit(c *Config, v string) (err error) {
	if c.TraceLimit, err = parseSize(v); err != nil {
		return err
	}
	if c.TraceLimit < minTrace || c.TraceLimit > maxTrace {
		return fmt.Errorf("is %q, want 1MiB to 4GiB", v)
	}
	return nil
}

func setJournalLimit(c *Config, v string) (err error) {
	if c.JournalLimit, err = parseSize(v); err != nil {
		return err
	}
	if c.JournalLimit < minJournal {
		return fmt.Errorf("is %q, want at least 16MiB", v)
	}
	return nil
}

// parseSize reads a number of octets with a unit.
func parseSize(v string) (int64, error) {
	for _, unit := range []struct {
		name   string
		octets int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}} {
		digits, ok := strings.CutSuffix(v, unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 32)
		if err != nil || int64(n) > math.MaxInt64/unit.octets {
			break
		}
		return int64(n) * unit.octets, nil
	}
	return 0, fmt.Errorf("is %q, want a whole number and a unit, KiB, MiB, GiB or TiB, such as 2GiB", v)
}

func nonEmpty(v, want string) error {
	if v == "" {
		return fmt.Errorf("is empty, want %s", want)
	}
	return nil
}

func oneOf(v string, words ...string) error {
	if slices.Contains(words, v) {
		return nil
	}
	want := words[0]
	if n := len(words); n > 1 {
		want = strings.Join(words[:n-1], ", ") + " or " + words[n-1]
	}
	return fmt.Errorf("is %q, want %s", v, want)
}

func setHTTPListen(c *Config, v string) error {
	if v == "off" {
		c.HTTPListen = ""
		return nil
	}
	c.HTTPListen = v
	if _, port, err := net.SplitHostPort(v); err != nil || port == "" {
		return fmt.Errorf("is %q, want host:port such as 127.0.0.1:8080, or off", v)
	}
	return nil
}

// setDatabase takes a URL, which may hold a password: it is not repeated in the error.
func setDatabase(c *Config, v string) error {
	if v == "sqlite" {
		c.Database = ""
		return nil
	}
	c.Database = v
	if u, err := url.Parse(v); err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" || u.Host == "" && u.RawQuery == "" {
		return errors.New("is neither sqlite nor a URL such as postgres://user@host/database")
	}
	return nil
}

// setText takes any text.
func setText(field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, v string) error {
		*field(c) = v
		return nil
	}
}

// check returns what is wrong between settings. It refuses to talk without TLS to other
// machines, since passwords go over the line.
func (c *Config) check() error {
	if (c.HTTPCert == "") != (c.HTTPKey == "") {
		return errors.New("http.tls.cert and http.tls.key: want both or none")
	}
	host, port, err := net.SplitHostPort(c.HTTPListen)
	if err != nil || c.HTTPCert != "" || c.HTTPPlain {
		return nil
	}
	if addr, err := netip.ParseAddr(host); host == "localhost" || err == nil && addr.IsLoopback() {
		return nil
	}
	return fmt.Errorf("http.listen is %q, which other machines reach: want http.tls.cert and http.tls.key, or 127.0.0.1:%s, or http.plain: true "+
		"if a proxy in front does TLS", c.HTTPListen, port)
}
