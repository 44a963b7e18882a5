package iec104server

import (
	"fmt"

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

// checkConnector reports addresses that occur twice at one server.
func checkConnector(_ Settings, _ []connector.End[connector.None], targets []connector.End[Target]) []connector.Problem {
	type address struct {
		ca  CommonAddress
		ioa ObjectAddress
	}
	var problems []connector.Problem
	first := make(map[address]int, len(targets))
	for i := range targets {
		a := address{targets[i].End.CA, targets[i].End.IOA}
		if other, ok := first[a]; ok {
			problems = append(problems, targets[i].Faultf("ioa", "ca %d ioa %d is the address of %s already, in line %d",
				a.ca, a.ioa, targets[other].Point, targets[other].Line()))
			continue
		}
		first[a] = i
	}
	return problems
}
