package iec104server

import (
	"busbar/internal/connector"
	"busbar/internal/point"
)

// kind is the type of a value, and bits that go with it.
type kind uint8

const (
	typeMask  kind = 0x0f
	classMask kind = 0x30 // of an event, its class
	restored  kind = 0x40 // set without an event to a quality that is not good
	transient kind = 0x80
)

// classShift is the place of the class of an event in its kind.
const classShift = 4

func (k kind) typ() point.Type { return point.Type(k & typeMask) }

// sample is a value of a target with its quality and time: what the table holds
// as the current one, and in an event. It has no pointers, so that a
// million of them are nothing to the garbage collector.
type sample struct {
	bits     uint64 // as of point.Value.Raw; of an event of Bits, the high half tells which changed
	time     point.Instant
	target   connector.TargetID
	quality  point.Quality
	timeQ    point.TimeQuality
	kind     kind
	sequence uint8 // of an integrated total
}

// sampleOf returns the state that an update brings for a target.
func sampleOf(t connector.TargetID, u *point.Update) sample {
	bits, transit := u.Value.Raw()
	k := kind(u.Value.Type())
	if transit {
		k |= transient
	}
	return sample{bits: bits, time: u.Time, target: t, quality: u.Quality, timeQ: u.TimeQuality, kind: k}
}

// same reports whether a sample shows the value and quality of another.
func (s *sample) same(o *sample) bool {
	return s.bits == o.bits && s.quality == o.quality && (s.kind^o.kind)&(typeMask|transient) == 0
}

// returned is a bit of the timeQ of an event, beside those of the time: it is
// return information, caused by a command.
const returned point.TimeQuality = 0x80
