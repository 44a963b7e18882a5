package config

import (
	"fmt"
	"strconv"
	"time"
)

// authSettings are the settings of sign-in. Their ranges are checked by package auth.
func authSettings() []setting {
	return []setting{
		{"auth.oidc", "", "`file` of the providers of identities by OpenID Connect", setText(func(c *Config) *string { return &c.Auth.OIDC })},
		{"auth.url", "", "`address` that browsers reach Busbar under, where a proxy is in front: https://busbar.example", setText(func(c *Config) *string { return &c.Auth.URL })},
		{"auth.session-idle", "8h", "`time` without a request after which a session ends", setDuration(func(c *Config) *time.Duration { return &c.Auth.SessionIdle })},
		{"auth.session-longest", "24h", "`time` after which a session ends in any case", setDuration(func(c *Config) *time.Duration { return &c.Auth.SessionLongest })},
		{"auth.token-longest", "8784h", "`time` that an API token may be valid", setDuration(func(c *Config) *time.Duration { return &c.Auth.TokenLongest })},
		{"auth.one-time", "24h", "`time` that a one-time password is valid", setDuration(func(c *Config) *time.Duration { return &c.Auth.OneTime })},
		{"auth.lock-after", "10", "`number` of failures in a row after which an account is locked", func(c *Config, v string) (err error) {
			if c.Auth.LockAfter, err = strconv.Atoi(v); err != nil {
				return fmt.Errorf("is %q, want a whole number", v)
			}
			return nil
		}},
		{"auth.lock-for", "15m", "`time` that it is locked the first time", setDuration(func(c *Config) *time.Duration { return &c.Auth.LockFor })},
	}
}

func setDuration(field func(*Config) *time.Duration) func(*Config, string) error {
	return func(c *Config, v string) (err error) {
		if *field(c), err = time.ParseDuration(v); err != nil {
			return fmt.Errorf("is %q, want a duration such as 90s, 15m or 8h", v)
		}
		return nil
	}
}
