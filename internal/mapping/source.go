package mapping

import (
	"strconv"
	"strings"
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
	Selector string        // what messages are matched with: a topic, or an MQTT topic filter
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

// Check returns every fault of one input that Compile would report.
func Check(in Input) []plant.FieldProblem {
	_, problems := compileRule(in)
	return append(checkFilter(in.Selector), problems...)
}

// Sources makes point updates of the messages of one connector. It does not
// change and may be used by many goroutines.
type Sources struct {
	source  point.Source
	payload int
	nesting int
	exact   map[string]group
	filters level
	scratch sync.Pool // of *message
}

// group holds the points of one selector.
type group struct {
	layout *layout
	rules  []rule
}

// Compile makes Sources of all points of one source connector. If there is any
// problem it returns them all, and no Sources.
func Compile(inputs []Input, opts Options) (*Sources, []Problem) {
	var problems []Problem
	bySelector := make(map[string][]draft)
	var order []string
	for i, in := range inputs {
		d, faults := compileRule(in)
		for _, f := range append(checkFilter(in.Selector), faults...) {
			problems = append(problems, Problem{Input: i, FieldProblem: f})
		}
		if _, known := bySelector[in.Selector]; !known {
			order = append(order, in.Selector)
		}
		bySelector[in.Selector] = append(bySelector[in.Selector], d)
	}
	if len(problems) > 0 {
		return nil, problems
	}

	s := &Sources{source: opts.Source, payload: opts.Payload, nesting: opts.Nesting, exact: make(map[string]group)}
	if s.payload == 0 {
		s.payload = DefaultPayload
	}
	if s.nesting == 0 {
		s.nesting = DefaultNesting
	}
	s.scratch.New = func() any { return new(message) }
	layouts := make(map[string]*layout)
	for _, selector := range order {
		g := newGroup(bySelector[selector], layouts)
		if strings.ContainsAny(selector, "+#") {
			s.filters.add(selector, g)
		} else {
			s.exact[selector] = g
		}
	}
	return s, nil
}

// newGroup lays out the paths of the points of one selector. Groups with the
// same paths share a layout: in a plant of many like devices there are few.
func newGroup(drafts []draft, layouts map[string]*layout) group {
	var paths []string
	slots := make(map[string]int32)
	slot := func(path string) int32 {
		if path == "" {
			return noSlot
		}
		n, known := slots[path]
		if !known {
			n = int32(len(paths))
			slots[path] = n
			paths = append(paths, path)
		}
		return n
	}
	rules := make([]rule, len(drafts))
	for i, d := range drafts {
		d.rule.value, d.rule.time, d.rule.quality = slot(d.value), slot(d.time), slot(d.quality)
		rules[i] = d.rule
	}
	var key strings.Builder
	for _, p := range paths {
		key.WriteString(strconv.Itoa(len(p)))
		key.WriteByte(':')
		key.WriteString(p)
	}
	l := layouts[key.String()]
	if l == nil {
		l = newLayout(paths)
		layouts[key.String()] = l
	}
	return group{layout: l, rules: rules}
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
	if g, ok := s.exact[selector]; ok {
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
	for i := range m.groups {
		dst = m.apply(dst, &m.groups[i])
	}
	return dst, m.out
}

func (s *Sources) release(m *message) {
	clear(m.groups)
	clear(m.values[:cap(m.values)]) // the strings are parts of the payload
	*m = message{groups: m.groups[:0], values: m.values}
	s.scratch.Put(m)
}
