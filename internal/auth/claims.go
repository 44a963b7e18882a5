package auth

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// claims are what a token says about its holder.
type claims map[string]any

func parseClaims(payload []byte) (claims, error) {
	var c claims
	if err := json.Unmarshal(payload, &c); err != nil {
		return nil, err
	}
	return c, nil
}

// text returns a claim that is a text, else "".
func (c claims) text(name string) string {
	s, _ := c[name].(string)
	return s
}

// has reports whether any of the claims is there.
func (c claims) has(names ...string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return c[n] != nil })
}

// at returns a claim of type NumericDate; false if there is none.
func (c claims) at(name string) (time.Time, bool) {
	f, ok := c[name].(float64)
	if !ok || math.Abs(f) > 1e12 {
		return time.Time{}, false
	}
	return time.Unix(int64(f), 0), true
}

// values returns the values of a claim: the elements of a list, the words of a
// text, the names of the members of an object. The name of the claim is taken
// as it is, else as a path whose parts are joined by dots.
func (c claims) values(name string) []string {
	v, ok := c[name]
	if !ok {
		var node any = map[string]any(c)
		for part := range strings.SplitSeq(name, ".") {
			object, _ := node.(map[string]any)
			node = object[part]
		}
		v = node
	}
	switch v := v.(type) {
	case string:
		return strings.Fields(v)
	case map[string]any:
		return slices.Sorted(maps.Keys(v))
	case []any:
		var out []string
		for _, e := range v {
			if s, ok := e.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

// audience returns whom the token is meant for.
func (c claims) audience() []string {
	if s, ok := c["aud"].(string); ok {
		return []string{s}
	}
	return c.values("aud")
}

// name returns what people and logs call the holder.
func (c claims) name() string {
	for _, n := range []string{"preferred_username", "upn", "unique_name", "email", "name", "azp", "appid", "client_id", "sub"} {
		if s := printable(c.text(n)); s != "" {
			return s
		}
	}
	return "nameless"
}

// printable returns a text without what would disturb a log or a terminal, cut
// to 200 octets.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	for len(s) > 200 {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return strings.TrimSpace(s)
}

const longestSubject = 255 // OpenID Connect Core

// id tells the holder of a token apart.
func (p *Provider) id(c claims) string { return "oidc:" + p.Name + ":" + c.text(p.SubjectClaim) }

// principal returns who the holder of a token is and what he may do.
func (p *Provider) principal(c claims) (Principal, error) {
	subject := c.text(p.SubjectClaim)
	if subject == "" || len(subject) > longestSubject || subject != printable(subject) {
		return Principal{}, unauthorized(CodeToken, "the claim %s of the token is missing or not usable", p.SubjectClaim)
	}
	out := Principal{ID: p.id(c), Name: c.name(), Roles: p.roles(c)}
	if out.Roles == 0 {
		return Principal{}, p.noRole(c)
	}
	trees, ok := p.subtrees(c)
	if !ok {
		return Principal{}, forbidden(CodeNoSubtree, "no value of the claim %s of the token gives access to any points", ruleClaims(p.Subtrees, func(r SubtreeRule) string { return r.Claim }))
	}
	out.Subtrees = trees
	return out, nil
}

func (p *Provider) roles(c claims) (set Roles) {
	for _, r := range p.Roles {
		if role, err := ParseRole(r.Role); err == nil && slices.Contains(c.values(r.Claim), r.Value) {
			set |= RolesOf(role)
		}
	}
	return set
}

// noRole says which claims were looked at. Microsoft Entra leaves out the groups
// of people who are in many.
func (p *Provider) noRole(c claims) error {
	if sources, ok := c["_claim_names"].(map[string]any); ok && sources["groups"] != nil {
		return forbidden(CodeNoRole, "the token does not hold the groups because there are too many: roles of the application are needed instead")
	}
	return forbidden(CodeNoRole, "no value of the claim %s of the token gives a role", ruleClaims(p.Roles, func(r RoleRule) string { return r.Claim }))
}

// subtrees returns the limits of the holder; false if none is given although
// some are set up.
func (p *Provider) subtrees(c claims) (trees []string, ok bool) {
	if len(p.Subtrees) == 0 {
		return nil, true
	}
	for _, r := range p.Subtrees {
		if slices.Contains(c.values(r.Claim), r.Value) {
			trees = append(trees, r.Subtrees...)
		}
	}
	if slices.Contains(trees, everything) {
		return nil, true
	}
	slices.Sort(trees)
	return slices.Compact(trees), len(trees) > 0
}

// ruleClaims lists the claims that rules look at, each once.
func ruleClaims[R any](rules []R, claim func(R) string) string {
	var names []string
	for _, r := range rules {
		if !slices.Contains(names, claim(r)) {
			names = append(names, claim(r))
		}
	}
	return strings.Join(names, " or ")
}
