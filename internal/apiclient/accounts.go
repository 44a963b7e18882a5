package apiclient

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Token is an API token, without its secret.
type Token struct {
	ID       string     `json:"id"`
	Name     string     `json:"name"`
	Prefix   string     `json:"prefix"`
	Roles    []string   `json:"roles"`
	Subtrees []string   `json:"subtrees"`
	Author   string     `json:"author"`
	Created  time.Time  `json:"created"`
	Expires  *time.Time `json:"expires"`
	LastUsed *time.Time `json:"lastUsed"`
}

// User is a local account.
type User struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Roles      []string   `json:"roles"`
	Subtrees   []string   `json:"subtrees"`
	Disabled   bool       `json:"disabled"`
	MustChange bool       `json:"mustChangePassword"`
	TOTP       bool       `json:"totp"`
	Locked     *time.Time `json:"lockedUntil"`
	LastLogin  *time.Time `json:"lastLogin"`
}

// Grant is what an account or a token may do.
type Grant struct {
	Name     string     `json:"name,omitempty"`
	Roles    []string   `json:"roles"`
	Subtrees []string   `json:"subtrees,omitempty"`
	Expires  *time.Time `json:"expires,omitempty"`
	Disabled bool       `json:"disabled,omitempty"`
}

// all reads a list to its end.
func all[T any](ctx context.Context, c *Client, path string) (items []T, err error) {
	query := url.Values{"limit": {"1000"}}
	for {
		var part struct {
			Items []T    `json:"items"`
			Next  string `json:"next"`
		}
		if _, err := c.ask(ctx, http.MethodGet, path, query, nil, &part); err != nil {
			return nil, err
		}
		items = append(items, part.Items...)
		if part.Next == "" {
			return items, nil
		}
		query.Set("cursor", part.Next)
	}
}

// Tokens returns the API tokens, by name.
func (c *Client) Tokens(ctx context.Context) ([]Token, error) { return all[Token](ctx, c, "/tokens") }

// CreateToken makes an API token and returns its secret, which cannot be had again.
func (c *Client) CreateToken(ctx context.Context, g Grant) (t Token, secret string, err error) {
	var out struct {
		Token  Token  `json:"token"`
		Secret string `json:"secret"`
	}
	_, err = c.ask(ctx, http.MethodPost, "/tokens", nil, g, &out)
	return out.Token, out.Secret, err
}

// DeleteToken removes an API token.
func (c *Client) DeleteToken(ctx context.Context, id string) error {
	_, err := c.ask(ctx, http.MethodDelete, Path("tokens", id), nil, nil, nil)
	return err
}

// Users returns the local accounts, by name.
func (c *Client) Users(ctx context.Context) ([]User, error) { return all[User](ctx, c, "/users") }

// CreateUser adds a local account and returns its one-time password.
func (c *Client) CreateUser(ctx context.Context, g Grant) (u User, password string, err error) {
	var out struct {
		User     User   `json:"user"`
		Password string `json:"oneTimePassword"`
	}
	_, err = c.ask(ctx, http.MethodPost, "/users", nil, g, &out)
	return out.User, out.Password, err
}

// PutUser changes what an account may do.
func (c *Client) PutUser(ctx context.Context, id string, g Grant) error {
	in := struct {
		Roles    []string `json:"roles"`
		Subtrees []string `json:"subtrees"`
		Disabled bool     `json:"disabled"`
	}{g.Roles, append([]string{}, g.Subtrees...), g.Disabled}
	_, err := c.ask(ctx, http.MethodPut, Path("users", id), nil, in, nil)
	return err
}

// DeleteUser removes an account and ends its sessions.
func (c *Client) DeleteUser(ctx context.Context, id string) error {
	_, err := c.ask(ctx, http.MethodDelete, Path("users", id), nil, nil, nil)
	return err
}

// ResetPassword gives an account a one-time password and returns it.
func (c *Client) ResetPassword(ctx context.Context, id string) (password string, err error) {
	var out struct {
		Password string `json:"oneTimePassword"`
	}
	_, err = c.ask(ctx, http.MethodPost, Path("users", id, "reset-password"), nil, nil, &out)
	return out.Password, err
}

// SignIn signs in as a user until [Client.SignOut], for a client without a token. code is that of the
// second factor; empty: there is none.
func (c *Client) SignIn(ctx context.Context, name, password, code string) error {
	in := struct {
		Name     string `json:"name"`
		Password string `json:"password"`
		Code     string `json:"code,omitempty"`
	}{name, password, code}
	_, err := c.ask(ctx, http.MethodPost, "/auth/login", nil, in, nil)
	return err
}

// SignOut ends the session.
func (c *Client) SignOut(ctx context.Context) error {
	_, err := c.ask(ctx, http.MethodPost, "/auth/logout", nil, nil, nil)
	return err
}

// ChangePassword changes the password of who has signed in.
func (c *Client) ChangePassword(ctx context.Context, present, password string) error {
	in := struct {
		Present  string `json:"currentPassword"`
		Password string `json:"newPassword"`
	}{present, password}
	_, err := c.ask(ctx, http.MethodPost, "/auth/password", nil, in, nil)
	return err
}
