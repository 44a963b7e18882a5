package iec104server

import (
	"slices"
	"strings"

	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/iec104keys"
)

// checkRequester reports a command that cannot be requested as the type of its
// end.
func checkRequester(r Requester, c *connector.CommandKeys) []connector.Problem {
	types := iec104keys.Carries(r.As.TypeID)
	if slices.Contains(types, c.Type) {
		if r.As.Untagged() == asdu.C_BO_NA_1 && !slices.Contains(c.Qualifiers, 0) {
			return []connector.Problem{connector.Faultf("as", "%s has no qualifier, want 0 among the qualifiers of the command", r.As)}
		}
		return nil
	}
	var names []string
	for _, t := range types {
		names = append(names, t.String())
	}
	return []connector.Problem{connector.Faultf("as", "%s cannot carry a command of type %s, want a command of type %s",
		r.As, c.Type, strings.Join(names, " or "))}
}

// checkCommands reports what shows only when the commands of a server are seen
// together.
func checkCommands(s Settings, _ []connector.End[Target], ends []connector.OrderEnd) []connector.Problem {
	var problems []connector.Problem
	// Who is dialled is listed.
	listed := s.Listen == "" || iec104keys.Loopback(iec104keys.HostOf(s.Listen))
	first := make(map[objectKey]int, len(ends))
	for i, e := range ends {
		r, ok := e.End.(*Requester)
		if !ok {
			continue
		}
		if s.Allow.Any() && len(s.TLS.Allow) == 0 && !listed {
			problems = append(problems, e.Faultf("", "commands are accepted from listed addresses only, or from certificates that tls.allow lists, but allow of the connector is any"))
		}
		if r.As.Untagged() == asdu.C_BO_NA_1 && selectable(e) {
			problems = append(problems, e.Faultf("mode", "%s cannot be selected, want direct", r.As))
		}
		if key, text := s.Octets.Fault(uint16(r.CA), uint32(r.IOA)); key != "" {
			problems = append(problems, e.Faultf(key, "%s", text))
		}
		a := keyOfEnd(r)
		if other, ok := first[a]; ok {
			problems = append(problems, e.Faultf("ioa", "ca %d ioa %d is the address of %s already, in line %d",
				r.CA, r.IOA, ends[other].Command.ID, ends[other].Line()))
			continue
		}
		first[a] = i
	}
	return problems
}

// selectable reports whether the mode of an end permits to select.
func selectable(e connector.OrderEnd) bool {
	return slices.ContainsFunc(e.Command.From, func(r connector.RequestKeys) bool { return r.End == e.End && r.Select })
}
