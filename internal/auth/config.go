package auth

import (
	"errors"
	"fmt"
	"net/url"
	"time"
)

// Config are the settings `auth.…` of the process. The zero value of each
// means its default.
type Config struct {
	// OIDC is the YAML file of the providers of identities; empty: there are none.
	OIDC string `yaml:"oidc" json:"oidc"`
	// URL is the address that browsers reach Busbar under, https://busbar.example,
	// when it is not the one that they ask for: behind a proxy.
	URL string `yaml:"url" json:"url"`
	// SessionIdle is after how long without a request a session ends, 5 min … 24 h, default 8 h.
	SessionIdle time.Duration `yaml:"session-idle" json:"sessionIdle"`
	// SessionLongest is after how long a session ends in any case, 5 min … 7 days, default 24 h.
	SessionLongest time.Duration `yaml:"session-longest" json:"sessionLongest"`
	// TokenLongest is how long an API token may be valid, 1 h … 10 years, default 366 days.
	TokenLongest time.Duration `yaml:"token-longest" json:"tokenLongest"`
	// OneTime is how long a one-time password is valid, 1 h … 30 days, default 24 h.
	OneTime time.Duration `yaml:"one-time" json:"oneTime"`
	// LockAfter is after how many failures in a row an account is locked, 3 … 100, default 10.
	LockAfter int `yaml:"lock-after" json:"lockAfter"`
	// LockFor is how long it is locked the first time, 1 min … 24 h, default 15
	// min; it doubles each time, up to 24 h.
	LockFor time.Duration `yaml:"lock-for" json:"lockFor"`
}

const day = 24 * time.Hour

// Validate reports everything that is out of range.
func (c Config) Validate() error {
	_, err := c.withDefaults()
	return err
}

// withDefaults returns the settings with defaults filled in.
func (c Config) withDefaults() (Config, error) {
	var errs []error
	duration := func(name string, d *time.Duration, low, high, fallback time.Duration) {
		if *d == 0 {
			*d = fallback
		}
		if *d < low || *d > high {
			errs = append(errs, fmt.Errorf("auth.%s %v: want %v to %v", name, *d, low, high))
		}
	}
	duration("session-idle", &c.SessionIdle, 5*time.Minute, day, 8*time.Hour)
	duration("session-longest", &c.SessionLongest, 5*time.Minute, 7*day, day)
	duration("token-longest", &c.TokenLongest, time.Hour, 3660*day, 366*day)
	duration("one-time", &c.OneTime, time.Hour, 30*day, day)
	duration("lock-for", &c.LockFor, time.Minute, day, 15*time.Minute)
	if c.LockAfter == 0 {
		c.LockAfter = 10
	}
	if c.LockAfter < 3 || c.LockAfter > 100 {
		errs = append(errs, fmt.Errorf("auth.lock-after %d: want 3 to 100", c.LockAfter))
	}
	if c.URL != "" {
		u, err := url.Parse(c.URL)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.Path != "" && u.Path != "/" || u.User != nil || u.RawQuery != "" {
			errs = append(errs, fmt.Errorf("auth.url %q: want such as https://busbar.example", c.URL))
		}
	}
	return c, errors.Join(errs...)
}
