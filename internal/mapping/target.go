package mapping

import (
	"encoding/binary"
	"hash/fnv"
	"io"
	"math"

	"busbar/internal/point"
)

// Gate decides which changes of a target are events.
type Gate struct {
	Deadband float64 // in the unit of the point; 0: any change
	OnUpdate bool    // an event also for a new time alone
	Late     bool    // a change whose source time is older than that of the state is an event too
}

// GateState is what a Gate remembers of the last event of its target. The zero
// value has seen no event.
type GateState struct {
	number  uint64 // bits of the value, of a text its hash
	quality point.Quality
	typ     point.Type
	known   bool
	extra   bool // in transit, of a step position
}

// Event reports whether a change to the value v with quality q is an event,
// and if so remembers both as the last event of the target. It is one if
//
//   - no event was seen before (see [GateState.Set]),
//   - the quality differs from that of the last event,
//   - the value differs from that of the last event by strictly more than the
//     dead band, or at all where the dead band is 0, or
//   - OnUpdate is set.
//
// The dead band applies to the types int, float, counter and step; of the
// others, and of the transit of a step position, any change is an event.
// Integers are compared exactly over their whole range. Of floating-point
// numbers a difference that exceeds the dead band by no more than the rounding
// of decimal numbers to binary does not count, so that 1.0 → 1.1 is inside a
// dead band of 0.1. 0 equals −0; a NaN equals a NaN and differs from every
// number.
func (g Gate) Event(s *GateState, v point.Value, q point.Quality) bool {
	if s.known && !g.OnUpdate && s.quality == q && !g.passed(s, v) {
		return false
	}
	s.Set(v, q)
	return true
}

// Set makes v and q the last event of the target, without any having been
// sent. It serves targets that begin with a state the peer learns otherwise,
// such as by interrogation.
func (s *GateState) Set(v point.Value, q point.Quality) {
	bits, transient := content(v)
	*s = GateState{number: bits, quality: q, typ: v.Type(), known: true, extra: transient}
}

// GateStateSize is what AppendTo appends, in octets.
const GateStateSize = 11

// AppendTo appends the state in the form in which it is kept on disk.
func (s *GateState) AppendTo(b []byte) []byte {
	flags := byte(0)
	if s.known {
		flags |= 1
	}
	if s.extra {
		flags |= 2
	}
	b = binary.LittleEndian.AppendUint64(b, s.number)
	return append(b, byte(s.quality), byte(s.typ), flags)
}

// Take takes over what AppendTo appended; b holds at least GateStateSize octets.
func (s *GateState) Take(b []byte) {
	*s = GateState{
		number: binary.LittleEndian.Uint64(b), quality: point.Quality(b[8]), typ: point.Type(b[9]),
		known: b[10]&1 != 0, extra: b[10]&2 != 0,
	}
}

// passed reports whether the value has left the dead band.
func (g Gate) passed(s *GateState, v point.Value) bool {
	bits, transient := content(v)
	if v.Type() != s.typ || transient != s.extra {
		return true
	}
	if bits == s.number {
		return false
	}
	switch v.Type() {
	case point.Float:
		return floatBeyond(math.Float64frombits(s.number), math.Float64frombits(bits), g.Deadband)
	case point.Int, point.Counter, point.Step:
		return intBeyond(int64(s.number), int64(bits), g.Deadband)
	default:
		return true
	}
}

// content returns the bits by which values of one type are compared.
func content(v point.Value) (bits uint64, transient bool) {
	if v.Type() == point.Text {
		h := fnv.New64a()
		_, _ = io.WriteString(h, v.Text()) // a hash never fails
		return h.Sum64(), false
	}
	return v.Raw()
}

// floatBeyond reports whether a and b are more than band apart.
func floatBeyond(a, b, band float64) bool {
	if a == b || math.IsNaN(a) && math.IsNaN(b) {
		return false
	}
	if !(band > 0) || math.IsNaN(a) || math.IsNaN(b) {
		return true
	}
	// Each of the three numbers may be off by half a unit in its last place
	// from the decimal number that it stands for.
	rounding := (math.Abs(a) + math.Abs(b) + band) * 0x1p-53
	if math.IsInf(rounding, 0) {
		rounding = 0
	}
	return math.Abs(a-b)-band > rounding
}

// intBeyond reports whether a and b, which differ, are more than band apart.
func intBeyond(a, b int64, band float64) bool {
	if !(band > 0) {
		return true
	}
	if band >= 0x1p64 {
		return false
	}
	diff := uint64(a) - uint64(b)
	if a < b {
		diff = -diff
	}
	return diff > uint64(band) // an integer is more than band if it is more than its floor
}

// Linear is the conversion of a target: v·Scale + Offset. The range serves
// normalised types; Low == High means there is none. The zero value changes
// nothing.
type Linear struct {
	Scale, Offset float64 // a Scale of 0 means 1
	Low, High     float64
}

// Apply returns v·Scale + Offset, for every type but the normalised ones. The
// result may be beyond what the target can carry, or not finite: the target
// rounds, clamps and sets OV.
func (l Linear) Apply(v float64) float64 {
	if l.Scale != 0 {
		v = float64(v * l.Scale) // the conversion forbids a fused multiply-add: the same result on every machine
	}
	return v + l.Offset
}

// Normalized returns v as a fraction for normalised types: the place of Apply(v)
// in the range, −1 at Low and 1 at High, that is (v−Low)/(High−Low)·2 − 1.
// Without a range it is Apply(v), which must lie in −1 … 1 by itself. The
// result may be beyond that: the target clamps and sets OV.
func (l Linear) Normalized(v float64) float64 {
	v = l.Apply(v)
	if l.Low == l.High {
		return v
	}
	return float64((v-l.Low)/(l.High-l.Low)*2) - 1
}
