package mapping

import (
	"sync"

	"busbar/internal/plant"
	"busbar/internal/point"
)

// DefaultNesting is how deep objects and arrays of a payload may be nested.
const DefaultNesting = 64

// DefaultPayload is how long a payload may be, in octets.
const DefaultPayload = 1 << 20

// Input is one point whose source is the connector that is compiled for.
type Input struct {
	Index    point.Index
	Type     point.Type
	Selector string // what messages are matched with: a topic, or an MQTT topic filter
	Keyed    bool   // readings, see Take, are matched instead, with Key
	Key      uint64
	Source   *plant.Source // not changed, and not kept
	Limits   *plant.Limits // nil: none
}

// Options of Compile. The zero value is the default.
type Options struct {
	Source  point.Source // the connector, set in every update
	Payload int          // how long a payload may be, in octets; 0: DefaultPayload
	Nesting int          // how deep objects and arrays may be nested; 0: DefaultNesting
}

// Problem is a fault in one of the inputs of Compile.
type Problem struct {
	Input              int // index of the input
	plant.FieldProblem     // Path is relative to the `from` of the point
}

// Sources makes point updates of the messages of one connector. It does not
// change and may be used by many goroutines.
type Sources struct {
	source  point.Source
	payload int
	nesting int
	exact   selectors         // groups of selectors without wildcards
	filters level             // groups of the others
	keys    map[uint64]uint32 // groups of keys
	groups  []group
	shapes  []shape
	points  []point.Index // of all groups, one after the other
	scratch sync.Pool     // of *message
}

// group holds the points of one selector. There may be one of each point, so it
// is kept small.
type group struct {
	selector string
	shape    uint32
	first    uint32 // of its points in Sources.points
}

// shape is what groups have in common whose points are made alike: in a plant of
// many like devices there are few.
type shape struct {
	layout *layout
	rules  []rule // by point
}

// Map makes updates of one message, appends them to dst and returns it. Points
// are taken in the order of the inputs of Compile, those of the exact selector
// before those of filters. Neither the updates nor the outcome refer to
// payload. arrival is when the message was received; retained marks a message
// that the source had stored for late subscribers.
//
// A message that is of no use is not an error: what it does to the quality of
// its points is in the updates, and why is in the outcome.
func (s *Sources) Map(dst []point.Update, selector string, payload []byte, arrival point.Instant, retained bool) ([]point.Update, Outcome) {
	m := s.scratch.Get().(*message)
	defer s.release(m)
	if g, ok := s.exact.find(s.groups, selector); ok {
		m.groups = append(m.groups, g)
	}
	m.groups = s.filters.match(m.groups, selector)
	if len(m.groups) == 0 {
		m.out.note(NoSelector, point.None, "", selector)
		return dst, m.out
	}
	m.template = point.Update{Arrival: arrival, Source: s.source}
	if retained {
		m.template.Flags = point.Retained
	}
	if !m.read(payload, s.payload, s.nesting) {
		return dst, m.out
	}
	for _, g := range m.groups {
		dst = s.apply(dst, m, &s.groups[g])
	}
	return dst, m.out
}

// apply appends the updates of the points of one group.
func (s *Sources) apply(dst []point.Update, m *message, g *group) []point.Update {
	sh := &s.shapes[g.shape]
	m.begin(sh.layout)
	for i := range sh.rules {
		u := m.template
		u.Point = s.points[g.first+uint32(i)]
		if m.update(&u, sh.layout, &sh.rules[i]) {
			dst = append(dst, u)
		}
	}
	m.end()
	return dst
}

func (s *Sources) release(m *message) {
	clear(m.values[:cap(m.values)]) // the strings are parts of the payload
	*m = message{groups: m.groups[:0], values: m.values}
	s.scratch.Put(m)
}
