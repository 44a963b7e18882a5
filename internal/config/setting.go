package config

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
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
func later() []string { return []string{"auth", "database", "http.tls", "image"} }

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
