package app

import (
	"context"
	"fmt"

	"busbar/internal/auth"
)

// openAuth makes the service by which people and programs sign in.
func (a *app) openAuth() (*auth.Service, error) {
	c := a.config.Auth
	o := auth.Options{
		Config: auth.Config{
			OIDC: c.OIDC, URL: c.URL, SessionIdle: c.SessionIdle, SessionLongest: c.SessionLongest, TokenLongest: c.TokenLongest,
			OneTime: c.OneTime, LockAfter: c.LockAfter, LockFor: c.LockFor,
		},
		Dir: a.config.Data, Log: a.log.Logger,
	}
	if c.OIDC != "" {
		var err error
		if o.Providers, err = auth.LoadProviders(c.OIDC, a.config.SecretsDir); err != nil {
			return nil, fmt.Errorf("auth.oidc: %w", err)
		}
	}
	return auth.New(a.store, o)
}

// firstAdmin sees to it that somebody can sign in, while the plant is loaded: it takes a moment to hash a password.
// wait returns when that is so.
func (a *app) firstAdmin(ctx context.Context) (wait func() error) {
	if a.config.HTTPListen == "" {
		return func() error { return nil }
	}
	done := make(chan error, 1)
	go func() { done <- a.auth.FirstAdmin(ctx, a.options.Terminal) }()
	return func() error { return <-done }
}
