// Package auth knows who asks and what he may do: accounts, sessions, tokens and
// OpenID Connect, and the roles that they come to.
package auth

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Role is what somebody may do. Roles are sets; see [Roles].
type Role uint8

// The roles. Every role may see; admin may do everything.
const (
	Viewer   Role = 1 << iota // sees points, links, the plant and logs
	Operator                  // issues commands, substitutes and blocks values
	Engineer                  // changes the plant
	Admin                     // manages users, tokens and the system
)

// roleNames are the names of the roles, in order of their bits.
var roleNames = [...]string{"viewer", "operator", "engineer", "admin"}

// String returns the name of a single role.
func (r Role) String() string {
	for i, name := range roleNames {
		if r == 1<<i {
			return name
		}
	}
	return fmt.Sprintf("role(%d)", uint8(r))
}

// ParseRole returns the role with the given name.
func ParseRole(name string) (Role, error) {
	for i, known := range roleNames {
		if name == known {
			return 1 << i, nil
		}
	}
	return 0, fmt.Errorf("there is no role %q, want %s", name, strings.Join(roleNames[:], ", "))
}

// Roles is a set of roles.
type Roles uint8

// RolesOf returns the set of the given roles.
func RolesOf(roles ...Role) (s Roles) {
	for _, r := range roles {
		s |= Roles(r)
	}
	return s
}

// Has reports whether the set permits what role r may do: it has r, or admin, or
// r is viewer and it has any.
func (s Roles) Has(r Role) bool {
	switch {
	case s&Roles(Admin) != 0:
		return true
	case r == Viewer:
		return s != 0
	default:
		return s&Roles(r) != 0
	}
}

// Names returns the names of the roles in the set, viewer first.
func (s Roles) Names() []string {
	names := []string{}
	for i, name := range roleNames {
		if s&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// Principal is somebody who has signed in: a person, or a program with a token.
type Principal struct {
	// ID tells principals apart: "user:<id>", "token:<id>", or "oidc:<provider>:<subject>".
	ID string
	// Name is what people and the audit log call the principal: "alice", "token ci".
	Name  string
	Roles Roles
	// Subtrees limit the principal to the points and commands at or below these
	// ids; empty: there is no limit.
	Subtrees []string
	// MustChange is set while the principal may do nothing but change the own password.
	MustChange bool
	// Session is the id of the session, empty for tokens and OpenID Connect.
	Session string
	// Expires is when what was presented ends by itself; zero: it does not.
	Expires time.Time
}

// May reports whether the principal may do what needs role r.
func (p Principal) May(r Role) bool { return !p.MustChange && p.Roles.Has(r) }

// Limited reports whether the principal is limited to subtrees of points.
func (p Principal) Limited() bool { return len(p.Subtrees) > 0 }

// Sees reports whether a point or command lies within the limits of the principal.
func (p Principal) Sees(id string) bool {
	if !p.Limited() {
		return true
	}
	for _, tree := range p.Subtrees {
		if rest, ok := strings.CutPrefix(id, tree); ok && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}

type principalKey struct{}

// With returns a context that carries the principal of a request.
func With(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// From returns the principal of a request; false if nobody has signed in.
func From(ctx context.Context) (Principal, bool) {
	p, ok := ctx.Value(principalKey{}).(Principal)
	return p, ok
}
