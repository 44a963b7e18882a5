package auth

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Provider is a provider of identities by OpenID Connect: whose tokens are
// accepted, and what their holders may do.
type Provider struct {
	// Name is part of addresses and of the ids of principals: [a-z0-9-]{1,63}.
	Name string `yaml:"name" json:"name"`
	// Title is what the button of the sign-in page says; default Name.
	Title string `yaml:"title" json:"title"`
	// Issuer is the address of the provider, exactly as its discovery document
	// and its tokens have it. It is https, except on the loopback interface.
	Issuer string `yaml:"issuer" json:"issuer"`
	// ExtraIssuers are accepted as well, each with its own discovery document:
	// Microsoft Entra issues tokens of version 1 under another name.
	ExtraIssuers []string `yaml:"extraIssuers" json:"extraIssuers"`
	// Audiences are who an access token may be meant for; one must be in `aud`.
	Audiences []string `yaml:"audiences" json:"audiences"`
	// ClientID and ClientSecret are for the sign-in of people with a browser;
	// without ClientID the provider only issues tokens. A client without a
	// secret is a public one.
	ClientID     string `yaml:"clientId" json:"clientId"`
	ClientSecret string `yaml:"clientSecret" json:"-"`
	// Scopes are asked for at the sign-in of people; default openid, profile.
	Scopes []string `yaml:"scopes" json:"scopes"`
	// Tenant must be equal to the claim `tid`; empty: it is not looked at.
	Tenant string `yaml:"tenant" json:"tenant"`
	// Skew is how far the clocks may be apart, 0 … 5 min, default 60 s.
	Skew time.Duration `yaml:"-" json:"skew"`
	// Algorithms of signatures that are accepted, of RS256, PS256, ES256 and
	// EdDSA; default all of them.
	Algorithms []string `yaml:"algorithms" json:"algorithms"`
	// SubjectClaim tells principals apart, default sub. With Microsoft Entra oid
	// is the same in all applications.
	SubjectClaim string `yaml:"subject" json:"subject"`
	// Roles say which claims give which roles. Default: the values viewer,
	// operator, engineer and admin of the claim `roles`.
	Roles []RoleRule `yaml:"roles" json:"roles"`
	// Subtrees say which claims limit to which points. When there are any, one
	// must apply, else the principal is refused.
	Subtrees []SubtreeRule `yaml:"subtrees" json:"subtrees"`
	// CA is a file of certificates in PEM that the provider's own is checked
	// with; empty: those of the operating system.
	CA string `yaml:"ca" json:"ca"`

	SkewText string `yaml:"skew" json:"-"` // what Skew is parsed from
}

// RoleRule gives a role to whoever has a value in a claim.
type RoleRule struct {
	Claim string `yaml:"claim" json:"claim"` // default roles; a path such as realm_access.roles
	Value string `yaml:"value" json:"value"`
	Role  string `yaml:"role" json:"role"`
}

// SubtreeRule limits whoever has a value in a claim to subtrees of points.
type SubtreeRule struct {
	Claim    string   `yaml:"claim" json:"claim"` // default roles
	Value    string   `yaml:"value" json:"value"`
	Subtrees []string `yaml:"subtrees" json:"subtrees"` // "*" is no limit
}

// everything is the subtree that is no limit.
const everything = "*"

var (
	providerName = regexp.MustCompile(`^[a-z0-9-]{1,63}$`)
	algorithms   = []string{"RS256", "ES256", "PS256", "EdDSA"}
)

const (
	defaultSkew = time.Minute
	longestSkew = 5 * time.Minute
)

// prepare fills in what is not given and reports everything that is wrong.
func (p *Provider) prepare() error {
	p.Skew = defaultSkew
	var errs []error
	if p.SkewText != "" {
		d, err := time.ParseDuration(p.SkewText)
		if err != nil || d < 0 || d > longestSkew {
			errs = append(errs, fmt.Errorf("skew %q: want a duration of 0s to %v", p.SkewText, longestSkew))
		}
		p.Skew = d
	}
	p.Title = cmp.Or(p.Title, p.Name)
	p.SubjectClaim = cmp.Or(p.SubjectClaim, "sub")
	if len(p.Algorithms) == 0 {
		p.Algorithms = slices.Clone(algorithms)
	}
	if len(p.Scopes) == 0 {
		p.Scopes = []string{"openid", "profile"}
	}
	if len(p.Roles) == 0 {
		for _, name := range roleNames {
			p.Roles = append(p.Roles, RoleRule{Value: name, Role: name})
		}
	}
	for i := range p.Roles {
		p.Roles[i].Claim = cmp.Or(p.Roles[i].Claim, "roles")
	}
	for i := range p.Subtrees {
		p.Subtrees[i].Claim = cmp.Or(p.Subtrees[i].Claim, "roles")
	}
	return errors.Join(append(errs, p.check()...)...)
}

func (p *Provider) check() (errs []error) {
	add := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !providerName.MatchString(p.Name) {
		add("name %q: want 1 to 63 of a-z, 0-9 and -", p.Name)
	}
	for _, u := range append([]string{p.Issuer}, p.ExtraIssuers...) {
		if err := checkIssuer(u); err != nil {
			errs = append(errs, err)
		}
	}
	if len(p.Audiences) == 0 || slices.Contains(p.Audiences, "") {
		add("audiences: want one or more, none of them empty: what the claim aud of access tokens for Busbar holds")
	}
	if p.ClientSecret != "" && p.ClientID == "" {
		add("clientSecret: want clientId too")
	}
	if !slices.Contains(p.Scopes, "openid") {
		add("scopes: want openid among them")
	}
	for _, a := range p.Algorithms {
		if !slices.Contains(algorithms, a) {
			add("algorithms: %q is not permitted, want of %s", a, strings.Join(algorithms, ", "))
		}
	}
	for i, r := range p.Roles {
		if _, err := ParseRole(r.Role); err != nil {
			add("roles[%d]: %w", i, err)
		}
		if r.Value == "" {
			add("roles[%d]: want a value", i)
		}
	}
	for i, r := range p.Subtrees {
		if r.Value == "" || len(r.Subtrees) == 0 {
			add("subtrees[%d]: want a value and one or more subtrees", i)
		}
		for _, s := range r.Subtrees {
			if s != everything && checkSubtree(s) != nil {
				add("subtrees[%d]: %w", i, checkSubtree(s))
			}
		}
	}
	return errs
}

func checkIssuer(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("issuer %q: want the address of a provider, https://…", text)
	case u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("issuer %q: want https, anything else could be tampered with on its way", text)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

var segment = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// checkSubtree returns what is wrong with the id of a subtree of points.
func checkSubtree(id string) error {
	if len(id) > 200 {
		return fmt.Errorf("subtree %.20q… has more than 200 characters", id)
	}
	for s := range strings.SplitSeq(id, "/") {
		if !segment.MatchString(s) {
			return fmt.Errorf("subtree %q: want segments of A-Z, a-z, 0-9, '.', '_' and '-' joined by /", id)
		}
	}
	return nil
}
