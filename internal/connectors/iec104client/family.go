package iec104client

import (
	"busbar/iec104/asdu"
	"busbar/internal/point"
)

// family is what monitor types with and without time tag have in common.
type family uint8

const (
	noFamily family = iota
	single
	double
	step
	bitstring
	normalized // with and without quality
	scaled
	float
	total
	packed
	protection
	start
	output
	families
)

// familyOf is the family of each monitor type; the others have none.
var familyOf = [256]family{
	asdu.M_SP_NA_1: single, asdu.M_SP_TA_1: single, asdu.M_SP_TB_1: single,
	asdu.M_DP_NA_1: double, asdu.M_DP_TA_1: double, asdu.M_DP_TB_1: double,
	asdu.M_ST_NA_1: step, asdu.M_ST_TA_1: step, asdu.M_ST_TB_1: step,
	asdu.M_BO_NA_1: bitstring, asdu.M_BO_TA_1: bitstring, asdu.M_BO_TB_1: bitstring,
	asdu.M_ME_NA_1: normalized, asdu.M_ME_TA_1: normalized, asdu.M_ME_TD_1: normalized, asdu.M_ME_ND_1: normalized,
	asdu.M_ME_NB_1: scaled, asdu.M_ME_TB_1: scaled, asdu.M_ME_TE_1: scaled,
	asdu.M_ME_NC_1: float, asdu.M_ME_TC_1: float, asdu.M_ME_TF_1: float,
	asdu.M_IT_NA_1: total, asdu.M_IT_TA_1: total, asdu.M_IT_TB_1: total,
	asdu.M_PS_NA_1: packed,
	asdu.M_EP_TA_1: protection, asdu.M_EP_TD_1: protection,
	asdu.M_EP_TB_1: start, asdu.M_EP_TE_1: start,
	asdu.M_EP_TC_1: output, asdu.M_EP_TF_1: output,
}

// interrogated reports whether the family belongs in the answer to a general
// interrogation. Integrated totals have their own interrogation; events of protection
// equipment are events only.
func (f family) interrogated() bool { return f != noFamily && f != total && f < protection }

// elapses reports whether the family has an elapsed time.
func (f family) elapses() bool { return f >= protection && f < families }

// value returns the value of an information object of the family.
func (f family) value(o *asdu.Object) point.Value {
	switch f {
	case single:
		return point.SingleValue(o.On())
	case double, protection:
		return point.DoubleValue(point.DoubleState(o.Value))
	case step:
		return point.StepValue(int(o.Int()), o.Transient)
	case bitstring, start, output:
		return point.BitsValue(o.Value)
	case packed:
		return point.BitsValue(o.Value & 0xFFFF)
	case normalized:
		return point.FloatValue(o.Normalized())
	case scaled:
		return point.IntValue(int64(o.Int()))
	case float:
		return point.FloatValue(float64(o.Float()))
	case total:
		return point.CounterValue(int64(o.Int()))
	default:
		return point.Value{}
	}
}

// part is what of an information object a point has.
type part uint8

const (
	whole   part = iota
	elapsed      // elapsed time of events of protection equipment, in milliseconds
	changes      // change detection of 16 single points
	parts
)

// value returns the part of an information object and its quality.
func (p part) value(f family, o *asdu.Object) (point.Value, point.Quality) {
	q := point.Quality(o.Quality) // the bits have the same places
	switch p {
	case elapsed:
		if o.Quality&asdu.EI != 0 {
			q |= point.Invalid
		}
		return point.IntValue(int64(o.Elapsed)), q
	case changes:
		return point.BitsValue(o.Value >> 16), q
	default:
		return f.value(o), q
	}
}

// has reports whether the family has the part.
func (f family) has(p part) bool {
	switch p {
	case elapsed:
		return f.elapses()
	case changes:
		return f == packed
	default:
		return true
	}
}

var familyNames = [families]string{
	"", "single", "double", "step", "bits", "normalised", "scaled", "float", "counter", "16 single points", "protection event", "start events", "output circuits",
}

// String returns what the family carries.
func (f family) String() string { return familyNames[f] }
