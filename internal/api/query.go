package api

import (
	"net/url"
	"slices"
)

// withQuery returns a copy of u with only the parameters of the given names.
func withQuery(u *url.URL, names []string) *url.URL {
	known := url.Values{}
	for name, values := range u.Query() {
		if slices.Contains(names, name) {
			known[name] = values
		}
	}
	out := *u
	out.RawQuery = known.Encode()
	return &out
}
