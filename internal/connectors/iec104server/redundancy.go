package iec104server

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"busbar/internal/connector"
)

// Group is an entry of the key groups: a redundancy group.
type Group struct {
	Clients Allow  `json:"clients" required:"true" doc:"addresses and CIDR ranges of its connections; any: those that no other group has"`
	Active  string `json:"active" enum:"one,all" doc:"connections that may be started at a time: one, or all of them with every event on each"`
}

// any reports whether the group takes the addresses that no other group has.
func (g *Group) any() bool { return g.Clients.prefixes == nil }

// names returns the names of the groups in order.
func (s *Settings) names() []string {
	names := make([]string, 0, len(s.Groups))
	for name := range s.Groups {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// group returns the group that an address belongs to; false: to none. Without
// named groups each address is one.
func (s *Settings) group(peer netip.Addr) (key groupKey, shared, ok bool) {
	if len(s.Groups) == 0 {
		return groupKey{peer: peer}, false, true
	}
	found := ""
	for name, g := range s.Groups {
		if g.any() && found == "" || g.Clients.has(peer) {
			found, ok = name, true
			if !g.any() {
				break
			}
		}
	}
	if !ok {
		return groupKey{}, false, false
	}
	if g := s.Groups[found]; g.Active == "all" {
		return groupKey{name: found, peer: peer}, false, true
	}
	return groupKey{name: found}, true, true
}

// has reports whether an address is in one of the ranges.
func (a *Allow) has(addr netip.Addr) bool {
	return slices.ContainsFunc(a.prefixes, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// checkGroups reports addresses that are in two groups, and those that may not
// connect.
func (s *Settings) checkGroups() (problems []connector.Problem) {
	names := s.names()
	for i, name := range names {
		g, path := s.Groups[name], "groups."+name+".clients"
		if !groupName(name) {
			problems = append(problems, connector.Faultf("groups", "has the name %q, want 1 to 63 of the characters A-Z a-z 0-9 . _ -", name))
		}
		for _, other := range names[:i] {
			if p := shared(&g.Clients, s.Groups[other].Clients); p != "" {
				problems = append(problems, connector.Faultf(path, "%s is in group %s too, want each address in one group", p, other))
			}
		}
		for _, p := range g.Clients.prefixes {
			if s.Allow.prefixes != nil && !slices.ContainsFunc(s.Allow.prefixes, p.Overlaps) {
				problems = append(problems, connector.Warnf(path, "%s is not in allow: it cannot connect", p))
			}
		}
	}
	return problems
}

// groupName reports whether a group may have a name, which is part of the ids of
// its system points.
func groupName(name string) bool {
	return name != "" && len(name) <= 63 && strings.Trim(name,
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == ""
}

// shared returns what two lists of clients have in common, "" if nothing.
func shared(a *Allow, b Allow) string {
	if a.prefixes == nil && b.prefixes == nil {
		return "any"
	}
	for _, p := range a.prefixes {
		if slices.ContainsFunc(b.prefixes, p.Overlaps) {
			return p.String()
		}
	}
	return ""
}

// Replay is the key replay: which of the events that waited are sent after a
// break. The zero value sends all.
type Replay struct {
	none, latest bool
	age          time.Duration // 0: any
}

// UnmarshalNode implements plant.NodeDecoder.
func (r *Replay) UnmarshalNode(n *connector.Node) error {
	const want = "want all, latest, none or the age of the oldest event such as 15m"
	*r = Replay{}
	text, err := n.Str()
	if err != nil {
		return fmt.Errorf("%s", want)
	}
	switch text {
	case "all":
	case "latest":
		r.latest = true
	case "none":
		r.none = true
	default:
		if r.age, err = n.Duration(); err != nil || r.age < time.Second {
			return fmt.Errorf("is %s, %s", text, want)
		}
	}
	return nil
}
