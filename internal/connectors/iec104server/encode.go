package iec104server

import (
	"time"

	"busbar/iec104/asdu"
	"busbar/internal/point"
)

// qualities says what becomes of the quality bits of a point in an information
// element. Those without a place that make the value doubtful become IV, so that
// nothing looks better than it is.
type qualities struct {
	kept    asdu.Quality // have a place in the element
	doubt   asdu.Quality // have none and become IV
	adjust  asdu.Quality // have none and become CA
	always  asdu.Quality // set in any case
	withNot asdu.Quality // of an element without quality: it is not sent while one of these is set
}

const (
	state = asdu.IV | asdu.NT | asdu.SB | asdu.BL
	qds   = state | asdu.OV
)

var descriptors = [families]qualities{
	single:     {kept: state, doubt: asdu.OV},
	double:     {kept: state, doubt: asdu.OV},
	step:       {kept: qds},
	bitstring:  {kept: qds},
	normalized: {kept: qds},
	bare:       {withNot: asdu.IV | asdu.NT | asdu.OV},
	scaled:     {kept: qds},
	float:      {kept: qds},
	total:      {kept: asdu.IV | asdu.CY | asdu.CA, doubt: asdu.NT | asdu.OV | asdu.BL, adjust: asdu.SB},
	packed:     {kept: qds},
	// How long a protection event lasted is not known to a point.
	protection: {kept: state, doubt: asdu.OV, always: asdu.EI},
	start:      {kept: state, doubt: asdu.OV, always: asdu.EI},
	output:     {kept: state, doubt: asdu.OV, always: asdu.EI},
}

// of returns the bits that are sent for q; false if the value must not be sent.
func (d *qualities) of(q asdu.Quality) (asdu.Quality, bool) {
	out := q&d.kept | d.always
	if q&d.doubt != 0 {
		out |= asdu.IV
	}
	if q&d.adjust != 0 {
		out |= asdu.CA
	}
	return out, q&d.withNot == 0
}

// encoder makes information objects of samples. Every object that the server
// sends, for whatever cause, is made by it. It belongs to one session.
type encoder struct {
	stamper *asdu.Stamper
	unused  asdu.Time // bits of time tags that are not sent
}

func newEncoder(zone *time.Location) encoder { return encoder{stamper: asdu.NewStamper(zone)} }

// encode fills o with a sample as the given type of its rule's family. It is
// false if there is nothing to send: a bad value of a type without quality, or a
// value of a type that the target cannot carry.
func (e *encoder) encode(o *asdu.Object, as asdu.TypeID, ioa uint32, s *sample, r *rule) bool {
	var raw uint32
	q := asdu.Quality(s.quality)
	if typ := s.kind.typ(); typ != 0 {
		way := conversions[typ][r.family]
		if way == refused {
			return false
		}
		var added asdu.Quality
		raw, added = way.apply(typ, s.bits, &r.convert)
		q |= added
	} else {
		q |= asdu.IV // never received
	}
	q, ok := descriptors[r.family].of(q)
	*o = asdu.Object{
		IOA: ioa, Value: raw, Quality: q,
		Sequence: s.sequence, Transient: s.kind&transient != 0,
	}
	if forms[as].tagged {
		o.Time = e.stamp(s)
	}
	return ok
}

// stamp returns the source time of a sample, with its quality.
func (e *encoder) stamp(s *sample) asdu.Time {
	if s.time == 0 {
		return e.stamper.Stamp(0)&^e.unused | asdu.TimeInvalid
	}
	t := e.stamper.Stamp(int64(s.time)) &^ e.unused
	if s.timeQ&point.TimeInvalid != 0 {
		t |= asdu.TimeInvalid
	}
	if s.timeQ&point.TimeSubstituted != 0 {
		t |= asdu.TimeSubstituted
	}
	return t
}
