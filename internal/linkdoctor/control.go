package linkdoctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"busbar/iec104/asdu"
)

// control is what is known of requests and their answers.
type control struct {
	interrogations uint64 // asked by the other side
	toldNoGI       bool
}

// exchanged looks at an ASDU that is not of the great number.
func (l *link) exchanged(b []byte, sent bool, now time.Time) {
	a, err := asdu.Parse(b, l.doctor.p.Sizes)
	if err != nil && !sent {
		l.malformed(err, now)
	}
	if err != nil && a.Count() == 0 {
		return
	}
	fromStation := sent == (l.doctor.role == Controlled)
	switch {
	case fromStation && a.Cause.Unknown():
		l.unknown(&a, now)
	case fromStation && a.Negative && a.Type.Command():
		l.refused(&a, now)
	case fromStation && !sent:
		l.fromStation(&a, now)
	case !fromStation && sent:
		l.asked(&a, now)
	case !fromStation:
		l.request(&a, now)
	}
}

func (l *link) malformed(err error, now time.Time) {
	l.note(Malformed, 1, now, func(n uint64) words {
		s := l.doctor.p.Sizes
		return words{
			seen:    fmt.Sprintf("malformed ASDUs were received %s", times(n)),
			wanted:  fmt.Sprintf("the same octets at both sides: cause %d, common address %d, object address %d here", s.COT, s.CA, s.IOA),
			example: err.Error(),
		}
	})
}

// request looks at what a controlling station asks of this side.
func (l *link) request(a *asdu.ASDU, now time.Time) {
	var objs [1]asdu.Object
	if a.Count() != 1 {
		return
	}
	o := a.AppendObjects(objs[:0])[0]
	switch {
	case a.Type == asdu.C_IC_NA_1 && a.Cause == asdu.Activation:
		l.control.interrogations++
	case a.Cause == asdu.Activation && (a.Type == asdu.C_CS_NA_1 || a.Type.Command() && a.Type.Time() == asdu.CP56):
		l.stated(o.Time, a.Type, now)
	}
}

// unknown looks at a refusal with cause 44 to 47.
func (l *link) unknown(a *asdu.ASDU, now time.Time) {
	if !a.Negative && l.doctor.role == Controlling {
		l.note(UnsignedRefusal, 1, now, func(n uint64) words {
			return words{seen: "refusals with cause 44 to 47 came " + times(n) + " without P/N; they are taken as refusals all the same"}
		})
	}
	ioa := uint32(0)
	var objs [1]asdu.Object
	if a.Count() == 1 {
		o := a.AppendObjects(objs[:0])[0]
		ioa = o.IOA
		l.settle(a, o.Qualifier)
	}
	id, what, wanted := UnknownObject, fmt.Sprintf("common address %d, object address %d", a.CA, ioa), "the same list of addresses at both sides"
	of := uint32(a.CA)<<16 ^ ioa
	switch a.Cause {
	case asdu.UnknownType:
		id, what, of = UnknownType, "type "+a.Type.String(), uint32(a.Type)
		wanted = "that type in the list of both sides, or the controlling station not to use it"
	case asdu.UnknownCause:
		id, what, of = UnknownCause, "a cause that "+a.Type.String()+" does not permit", uint32(a.Type)
		wanted = "a cause that the standard has for the type"
	case asdu.UnknownCA:
		id, what, of = UnknownCA, fmt.Sprintf("common address %d", a.CA), uint32(a.CA)
		wanted = "the same common addresses at both sides"
	}
	different := l.doctor.distinct(l.peer, id, of)
	header := a.Header
	l.note(id, 1, now, func(n uint64) words {
		seen := fmt.Sprintf("%s %s %s, %s", l.asker(), what, times(n), "which is not there")
		if different > 1 {
			seen += fmt.Sprintf("; %d different ones in all", different)
		}
		return words{seen: seen, wanted: wanted, example: fmt.Sprintf("%s to common address %d, object address %d", header.Type, header.CA, ioa)}
	})
}

// asker says who asks.
func (l *link) asker() string {
	if l.doctor.role == Controlled {
		return "the controlling station asks for"
	}
	return "this side asks for"
}

// maxDistinct is how many different addresses of one kind are told apart.
const maxDistinct = 1000

// distinct notes one of a kind and returns how many different ones there were.
func (d *Doctor) distinct(p *peer, id ID, what uint32) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	known := p.addresses[id]
	if known == nil {
		known = map[uint32]bool{}
		p.addresses[id] = known
	}
	if len(known) < maxDistinct {
		known[what] = true
	}
	return len(known)
}

// refused looks at a negative confirmation or termination.
func (l *link) refused(a *asdu.ASDU, now time.Time) {
	id, what := CommandRefused, "commands were refused"
	wanted := "what the reasons say; see the log of commands of the station"
	switch a.Type {
	case asdu.C_IC_NA_1, asdu.C_CI_NA_1:
		id, what = InterrogationRefused, "interrogations were refused"
		wanted = "the groups of the list of both sides; and no second interrogation while one runs"
	case asdu.C_CS_NA_1:
		id, what = ClockRefused, "clock synchronisation was refused"
		wanted = "a possible date that is not marked invalid, or no synchronisation over this link"
	case asdu.C_RP_NA_1:
		wanted = "no reset process, or the station to permit it"
	}
	example := a.Type.String()
	var objs [1]asdu.Object
	if a.Count() == 1 {
		o := a.AppendObjects(objs[:0])[0]
		l.settle(a, o.Qualifier)
		example = fmt.Sprintf("%s to common address %d, object address %d, qualifier %d, %s", a.Type, a.CA, o.IOA, o.Qualifier, a.Cause)
		if o.Select {
			example += ", select"
		}
	}
	l.note(id, 1, now, func(n uint64) words {
		seen := what + " " + times(n)
		if reasons := l.peer.reasons(); id == CommandRefused && reasons != "" {
			seen += ": " + reasons
		}
		return words{seen: seen, wanted: wanted, example: example}
	})
}

// settle forgets an interrogation that was refused.
func (l *link) settle(a *asdu.ASDU, qoi uint8) {
	if a.Type == asdu.C_IC_NA_1 {
		delete(l.station.gis, giKey{a.CA, qoi})
	}
}

// maxReasons is how many reasons of refusals are told apart.
const maxReasons = 16

// Refused tells why this side has refused a command of a connection, before it
// answers; discarded: it gives no answer.
func (d *Doctor) Refused(conn uint64, reason string, discarded bool) {
	l := (*d.links.Load())[conn]
	if l == nil {
		return
	}
	l.mu.Lock()
	p := l.peer
	l.mu.Unlock()
	d.mu.Lock()
	if _, known := p.refusals[reason]; known || len(p.refusals) < maxReasons {
		p.refusals[reason]++
	}
	d.mu.Unlock()
	if discarded {
		d.note(p, CommandDiscarded, 1, time.Now(), func(n uint64) words {
			return words{
				seen:    "commands with time tag were discarded without an answer " + times(n),
				wanted:  "both clocks synchronised and time tags of the same zone; lateCommands: refuse answers them",
				example: reason,
			}
		})
	}
}

// reasons lists why commands were refused, the most frequent first. The caller
// holds the lock of the doctor.
func (p *peer) reasons() string {
	var list []string
	for _, reason := range slices.SortedFunc(maps.Keys(p.refusals), func(a, b string) int {
		if n := int(p.refusals[b]) - int(p.refusals[a]); n != 0 {
			return n
		}
		return strings.Compare(a, b)
	}) {
		list = append(list, fmt.Sprintf("%s (%d)", reason, p.refusals[reason]))
	}
	return strings.Join(list, ", ")
}
