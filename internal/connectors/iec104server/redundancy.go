package iec104server

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"busbar/internal/connector"
	"busbar/internal/tlsconf"
)

// Group is an entry of the key groups: a redundancy group.
type Group struct {
	Clients Allow  `json:"clients" required:"true" doc:"addresses, CIDR ranges and with tls names of certificates of its connections; any: those that no other group has"`
	Active  string `json:"active" enum:"one,all" doc:"connections that may be started at a time: one, or all of them with every event on each"`
}

// names returns the names of the groups in order.
func (s *Settings) names() []string {
	names := make([]string, 0, len(s.Groups))
	for name := range s.Groups {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// group returns the group that a connection belongs to, by its certificate, which
// may be nil, and then by its address; false: to none. Without named groups each
// address is one.
func (s *Settings) group(peer netip.Addr, cert *tlsconf.Identity) (key groupKey, shared, ok bool) {
	if len(s.Groups) == 0 {
		return groupKey{peer: peer}, false, true
	}
	name, ok := s.member(func(a *Allow) bool { return cert != nil && a.Names.Match(cert) })
	if !ok {
		name, ok = s.member(func(a *Allow) bool { return a.Has(peer) })
	}
	if !ok {
		name, ok = s.member((*Allow).Any)
	}
	if !ok {
		return groupKey{}, false, false
	}
	if g := s.Groups[name]; g.Active == "all" {
		return groupKey{name: name, peer: peer}, false, true
	}
	return groupKey{name: name}, true, true
}

// member returns the group whose clients are meant, the first by name if a
// certificate is in several by different names.
func (s *Settings) member(meant func(*Allow) bool) (name string, ok bool) {
	for candidate, g := range s.Groups {
		if meant(&g.Clients) && (!ok || candidate < name) {
			name, ok = candidate, true
		}
	}
	return name, ok
}

// checkGroups reports addresses and names that are in two groups, names without
// TLS, and addresses that may not connect.
func (s *Settings) checkGroups() (problems []connector.Problem) {
	names := s.names()
	for i, name := range names {
		g, path := s.Groups[name], "groups."+name+".clients"
		if !groupName(name) {
			problems = append(problems, connector.Faultf("groups", "has the name %q, want 1 to 63 of the characters A-Z a-z 0-9 . _ -", name))
		}
		problems = append(problems, g.Clients.NeedsTLS(path, s.TLS.Enabled())...)
		for _, other := range names[:i] {
			if p := shared(&g.Clients, s.Groups[other].Clients); p != "" {
				problems = append(problems, connector.Faultf(path, "%s is in group %s too, want each client in one group", p, other))
			}
		}
		for _, p := range g.Clients.Prefixes {
			if len(s.Allow.Prefixes) > 0 && len(s.Dial) == 0 && !slices.ContainsFunc(s.Allow.Prefixes, p.Overlaps) {
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
	if a.Any() && b.Any() {
		return "any"
	}
	for _, n := range a.Names {
		if slices.ContainsFunc(b.Names, n.Overlaps) {
			return n.String()
		}
	}
	for _, p := range a.Prefixes {
		if slices.ContainsFunc(b.Prefixes, p.Overlaps) {
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

// JSONSchema implements plant.Describer.
func (Replay) JSONSchema() connector.Schema {
	return connector.Schema{"anyOf": []connector.Schema{connector.EnumSchema("all", "latest", "none"), connector.DurationSchema()}}
}
