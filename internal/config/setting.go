package config

import (
	"fmt"
	"math"
	"net"
	"net/netip"
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
	return "BUSBAR_" + strings.ToUpper(strings.ReplaceAll(s.name, ".", "_"))
}

func settings() []setting {
	return []setting{
		{"data", "busbar-data", "`directory` of everything that is kept", func(c *Config, v string) error {
			c.Data = v
			return nonEmpty(v, "a directory")
		}},
		{"http.listen", "127.0.0.1:8080", "`address` of /livez, /readyz and /metrics, or off", setHTTPListen},
		{"plant", "", "the plant `file`", func(c *Config, v string) error {
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
		{"journal.limit", "2GiB", "most that the journal may take, `size` such as 500MiB or 2GiB", setJournalLimit},
		{"role", "all", "what this process does: all", func(_ *Config, v string) error {
			if slices.Contains([]string{"management", "connectors", "frontend"}, v) {
				return fmt.Errorf("is %q, which is not supported by this version, want all", v)
			}
			return oneOf(v, "all")
		}},
		{"secrets.dir", "", "`directory` of the secrets that the plant refers to with ${file:…}", func(c *Config, v string) error {
			c.SecretsDir = v
			return nil
		}},
	}
}

// later are settings that have a place in the format but are not supported yet.
func later() []string { return []string{"auth", "database", "http.tls"} }

func setImage(c *Config, v string) error {
	c.Image = v
	if strings.HasPrefix(v, "valkey:") || strings.HasPrefix(v, "valkeys:") {
		return fmt.Errorf("is %q, which is not supported by this version, want embedded or memory", v)
	}
	return oneOf(v, "embedded", "memory")
}

// minJournal is the smallest limit of the journal: less is no time at all.
const minJournal = 16 << 20

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

// setHTTPListen refuses addresses that other machines reach: nobody signs in yet.
func setHTTPListen(c *Config, v string) error {
	if v == "off" {
		c.HTTPListen = ""
		return nil
	}
	c.HTTPListen = v
	host, port, err := net.SplitHostPort(v)
	if err != nil || port == "" {
		return fmt.Errorf("is %q, want host:port such as 127.0.0.1:8080, or off", v)
	}
	if addr, err := netip.ParseAddr(host); host == "localhost" || err == nil && addr.IsLoopback() {
		return nil
	}
	return fmt.Errorf("is %q, want a loopback address such as 127.0.0.1:%s, or off: without sign-in other machines are not let in", v, port)
}
