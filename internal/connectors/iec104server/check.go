package iec104server

import (
	"cmp"
	"fmt"
	"slices"

	"busbar/internal/connector"
	"busbar/internal/point"
)

// checkTarget reports a point that cannot be sent as the type of its target.
func checkTarget(t Target, p *connector.PointKeys, keys *connector.TargetKeys) []connector.Problem {
	f := forms[t.As.TypeID].family
	way := conversions[p.Type][f]
	switch {
	case p.Type == point.Text:
		return []connector.Problem{connector.Faultf("", "a text cannot be sent by IEC 60870-5-104")}
	case way == refused:
		return []connector.Problem{connector.Faultf("as", "%s cannot carry a point of type %s%s", t.As, p.Type, hint(p.Type, f))}
	case way == fraction && keys.Range == nil && p.Range == nil && keys.Scale == 1 && keys.Offset == 0:
		return []connector.Problem{connector.Warnf("as", "%s has the values −1 to 1 and neither the point nor the target has a range", t.As)}
	case way != fraction && way != scaledNumber && way != shortFloat && way != position && way != moduloCount &&
		(keys.Scale != 1 || keys.Offset != 0):
		return []connector.Problem{connector.Warnf("", "scale and offset have no effect on %s", t.As)}
	}
	return nil
}

// hint names what would be right.
func hint(t point.Type, f family) string {
	switch {
	case f == total:
		return ", want a point of type counter"
	case t == point.Float && (f == single || f == double):
		return ", want a point of type " + f.String()
	case f == packed || f == bitstring || f == start || f == output:
		return ", want a point of type bits"
	}
	names := ""
	for i := range forms {
		if c := conversions[t][forms[i].family]; c != refused && forms[i].tagged {
			names += fmt.Sprintf(", %s", asType(i))
		}
	}
	if names == "" {
		return ""
	}
	return ", want one of " + names[2:]
}

// checkFiles reports files whose common address the server does not serve.
func checkFiles(f *FileSettings, targets []connector.End[Target]) []connector.Problem {
	served := func(t connector.End[Target]) bool { return t.End.CA == f.CA }
	if f.Dir == "" || slices.ContainsFunc(targets, served) {
		return nil
	}
	return []connector.Problem{connector.Warnf("files.ca", "is %d, which no target has: nobody can ask for the files", f.CA)}
}

// checkConnector reports addresses that occur twice at one server, or that its
// octets cannot hold, and files that nobody can ask for.
func checkConnector(settings Settings, _ []connector.End[connector.None], targets []connector.End[Target]) []connector.Problem {
	type place struct {
		address uint64
		target  int
	}
	order := make([]place, len(targets))
	for i := range targets {
		address, _ := targets[i].End.address()
		order[i] = place{address, i}
	}
	slices.SortFunc(order, func(a, b place) int { return cmp.Or(cmp.Compare(a.address, b.address), a.target-b.target) })
	problems := checkFiles(&settings.Files, targets)
	for _, t := range targets {
		if key, text := settings.Octets.Fault(uint16(t.End.CA), uint32(t.End.IOA)); key != "" {
			problems = append(problems, t.Faultf(key, "%s", text))
		}
	}
	first := 0
	for n := 1; n < len(order); n++ {
		if order[n].address != order[first].address {
			first = n
			continue
		}
		t, other := &targets[order[n].target], &targets[order[first].target]
		problems = append(problems, t.Faultf("ioa", "ca %d ioa %d is the address of %s already, in line %d",
			t.End.CA, t.End.IOA, other.Point, other.Line()))
	}
	return problems
}
