package mapping

import "busbar/internal/point"

// Gate decides which changes of a target are events.
type Gate struct {
	Deadband float64 // in the unit of the point; 0: any change
	OnUpdate bool    // an event also for a new time alone
}

// GateState is what a Gate remembers of the last event of its target. The zero
// value has seen no event.
type GateState struct {
	number  uint64 // bits of the value
	quality point.Quality
	known   bool
	extra   bool // in transit, of a step position
}

// Linear is the conversion of a target: v·Scale + Offset. The range serves
// normalised types; Low == High means there is none.
type Linear struct {
	Scale, Offset float64
	Low, High     float64
}
