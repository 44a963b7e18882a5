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
	latest bool // only the newest event that was not sent is kept

	groups      Groups
	total       uint8 // counter group, 0 is none
	spontaneous bool  // of an integrated total
	freeze      time.Duration
	cyclic      time.Duration
	background  time.Duration
}

// ruleOf returns the rule of a target.
func ruleOf(t *connector.Target, tagged bool) rule {
	end := t.End.(*Target)
	f := forms[end.As.TypeID]
	r := rule{
		convert: t.Convert,
		as:      end.As.TypeID, answer: f.untagged, family: f.family,
		class: f.family.class(), latest: t.Latest,
		groups: end.Groups, cyclic: end.Cyclic, background: end.Background, spontaneous: true,
	}
	if tagged {
		r.answer = end.As.TypeID
	}
	if c := end.Counter; c != nil {
		r.total, r.freeze, r.spontaneous = c.Group, c.Freeze, c.Spontaneous
	}
	return r
}
