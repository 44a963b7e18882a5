package api

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"busbar/internal/store"
)

// minScrubbed is the shortest secret that is looked for in texts: shorter ones are
// in every text by chance.
const minScrubbed = 4

// scrub cuts the secrets of the store out of texts, wherever they got there.
type scrub struct{ secrets *strings.Replacer }

// newScrub reads the secrets of the store.
func (a *api) newScrub(ctx context.Context) (scrub, error) {
	var pairs []string
	if a.deps.Store != nil {
		list, err := a.deps.Store.Secrets(ctx)
		if err != nil {
			return scrub{}, err
		}
		for _, s := range list {
			secret, err := a.deps.Store.Secret(ctx, s.Name)
			if errors.Is(err, store.ErrNoKey) || errors.Is(err, store.ErrWrongKey) || errors.Is(err, store.ErrNotFound) {
				continue // nor can this process have used it
			}
			if err != nil {
				return scrub{}, err
			}
			if len(secret) >= minScrubbed {
				pairs = append(pairs, secret, "***", url.QueryEscape(secret), "***")
			}
		}
	}
	return scrub{strings.NewReplacer(pairs...)}, nil
}

func (s scrub) clean(text string) string { return s.secrets.Replace(text) }

// withoutPassword returns a text without the password, if it is a URL with one.
func withoutPassword(text string) string {
	if !strings.Contains(text, "://") {
		return text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil && strings.Contains(text, "@"):
		return "***" // it may be there
	case err != nil:
		return text
	}
	query := u.Query()
	for name := range query {
		if secretWord(name) {
			query.Set(name, "***")
		}
	}
	if password, ok := u.User.Password(); !ok && len(query) == 0 || ok && password == "***" {
		return text
	}
	if len(query) > 0 {
		u.RawQuery = query.Encode()
	}
	if _, ok := u.User.Password(); ok {
		u.User = url.UserPassword(u.User.Username(), "***")
	}
	return u.String()
}
