package iec104server

import (
	"time"

	"busbar/iec104/asdu"
	"busbar/internal/connector"
)

// rule is what targets have in common: of a million targets most differ in
// nothing but their address, so the table keeps each rule once.
type rule struct {
	convert connector.Linear

	as     asdu.TypeID // of spontaneous data
	answer asdu.TypeID // in answers to requests
	family family
	class  class
	place  uint8 // of the target in the point
	latest bool  // only the newest event that was not sent is kept

	groups      Groups
	total       uint8 // counter group, 0 is none
	spontaneous bool  // of an integrated total
	freeze      time.Duration
	cyclic      time.Duration
	background  time.Duration
}

// ruleOf returns the rule of targets.
func ruleOf(t *connector.Rule, tagged bool) rule {
	end := t.End.(*Target)
	f := forms[end.As.TypeID]
	r := rule{
		convert: t.Convert,
		as:      end.As.TypeID, answer: f.untagged, family: f.family,
		class: f.family.class(), latest: t.Latest,
		groups: end.Groups, cyclic: end.Cyclic, background: end.Background, spontaneous: end.Counter.Spontaneous,
		total: end.Counter.Group, freeze: end.Counter.Freeze, place: t.Place,
	}
	if tagged {
		r.answer = end.As.TypeID
	}
	return r
}
