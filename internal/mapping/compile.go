package mapping

import (
	"encoding/binary"
	"maps"
	"slices"
	"strconv"
	"strings"

	"busbar/internal/plant"
	"busbar/internal/point"
)

// Check returns every fault of one input that Compile would report.
func Check(in Input) []plant.FieldProblem {
	_, problems := compileRule(&in)
	return append(checkSelector(&in), problems...)
}

// Compile makes Sources of all points of one source connector. If there is any
// problem it returns them all, and no Sources.
func Compile(inputs []Input, opts Options) (*Sources, []Problem) {
	c := compilation{
		sources: newSources(opts), filters: make(map[string]uint32), known: make(map[recipe]uint32),
		groups: make([]uint32, len(inputs)), drafts: make([]uint32, len(inputs)),
	}
	for i := range inputs {
		c.add(i, &inputs[i])
	}
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	c.fill(inputs)
	c.form()
	c.sources.groups = slices.Clip(c.sources.groups)
	return c.sources, nil
}

func newSources(opts Options) *Sources {
	s := &Sources{source: opts.Source, payload: opts.Payload, nesting: opts.Nesting}
	if s.payload == 0 {
		s.payload = DefaultPayload
	}
	if s.nesting == 0 {
		s.nesting = DefaultNesting
	}
	s.scratch.New = func() any { return new(message) }
	return s
}

// compilation is the work on the points of one connector. In a large plant most
// points are made like others, so that each way is compiled once.
type compilation struct {
	sources  *Sources
	filters  map[string]uint32 // groups of selectors with wildcards
	known    map[recipe]uint32 // drafts by what they were made of
	made     []madeDraft
	groups   []uint32 // by input
	drafts   []uint32 // by input, then by point of the groups
	problems []Problem
}

type madeDraft struct {
	draft
	faults []plant.FieldProblem
}

// recipe is all that a draft is made of. A part that is absent is empty.
type recipe struct {
	typ                     point.Type
	value, time, expr, enum string
	quality                 string
	missing                 plant.Missing
	invert, limited, busbar bool
	scale, offset           float64
	limits                  plant.Limits
}

func recipeOf(in *Input) recipe {
	src := in.Source
	r := recipe{
		typ: in.Type, value: src.Value, time: src.Time, expr: src.Expr, enum: textOf(src.Map), missing: src.Missing,
		invert: src.Invert, limited: in.Limits != nil, busbar: src.Busbar, scale: src.Scale, offset: src.Offset,
	}
	if in.Limits != nil {
		r.limits = *in.Limits
	}
	if q := src.Quality; q != nil {
		words := make(map[string]string, len(q.Map)+1)
		for raw, bits := range q.Map {
			words[raw] = strconv.Itoa(int(bits))
		}
		r.quality = strconv.Quote(q.Value) + textOf(words)
	}
	return r
}

// textOf returns a text that is the same for equal maps only.
func textOf(m map[string]string) string {
	if len(m) == 0 {
		return ""
	}
	var b []byte
	for _, key := range slices.Sorted(maps.Keys(m)) {
		b = append(strconv.AppendQuote(b, key), ':')
		b = append(strconv.AppendQuote(b, m[key]), ',')
	}
	return string(b)
}

// add finds the group and the draft of an input.
func (c *compilation) add(i int, in *Input) {
	key := recipeOf(in)
	n, ok := c.known[key]
	if !ok {
		d, faults := compileRule(in)
		n = uint32(len(c.made))
		c.made = append(c.made, madeDraft{d, faults})
		c.known[key] = n
	}
	for _, f := range append(checkSelector(in), c.made[n].faults...) {
		c.problems = append(c.problems, Problem{Input: i, FieldProblem: f})
	}
	c.drafts[i] = n
	if in.Keyed {
		c.groups[i] = c.keyGroup(in.Key)
	} else {
		c.groups[i] = c.group(in.Selector)
	}
}

// checkSelector reports what is wrong with what the readings of a point are found by.
func checkSelector(in *Input) []plant.FieldProblem {
	if !in.Keyed {
		return checkFilter(in.Selector)
	}
	var faults []plant.FieldProblem
	for _, key := range []struct {
		name  string
		given bool
	}{{"value", in.Source.Value != ""}, {"time", in.Source.Time != ""}, {"quality", in.Source.Quality != nil}, {"missing", in.Source.Missing != plant.MissingIgnore}} {
		if key.given {
			faults = append(faults, plant.FieldProblem{Path: key.name, Text: "has no meaning here: value, time and quality come decoded from the source"})
		}
	}
	return faults
}

// keyGroup returns the number of the group of a key, which it makes if needed.
func (c *compilation) keyGroup(key uint64) uint32 {
	s := c.sources
	g, ok := s.keys[key]
	if !ok {
		if s.keys == nil {
			s.keys = make(map[uint64]uint32)
		}
		g = uint32(len(s.groups))
		s.groups = append(s.groups, group{})
		s.keys[key] = g
	}
	return g
}

// group returns the number of the group of a selector, which it makes if needed.
func (c *compilation) group(selector string) uint32 {
	s := c.sources
	wild := strings.ContainsAny(selector, "+#")
	g, ok := c.filters[selector]
	if !wild {
		g, ok = s.exact.find(s.groups, selector)
	}
	if ok {
		return g
	}
	g = uint32(len(s.groups))
	s.groups = append(s.groups, group{selector: selector})
	if wild {
		c.filters[selector] = g
		s.filters.add(selector, g)
	} else {
		s.exact.add(s.groups, g)
	}
	return g
}

// fill puts the points of each group together, in the order of the inputs.
func (c *compilation) fill(inputs []Input) {
	s := c.sources
	for _, g := range c.groups {
		s.groups[g].first++ // how many there are, for now
	}
	end := uint32(0)
	for g := range s.groups {
		s.groups[g].first, end = end, end+s.groups[g].first
	}
	s.points = make([]point.Index, len(inputs))
	drafts := make([]uint32, len(inputs))
	next := make([]uint32, len(s.groups)) // points of a group so far
	for i, g := range c.groups {
		at := s.groups[g].first + next[g]
		next[g]++
		s.points[at], drafts[at] = inputs[i].Index, c.drafts[i]
	}
	c.drafts = drafts
}

// form gives every group its shape.
func (c *compilation) form() {
	s := c.sources
	shapes, layouts := make(map[string]uint32), make(map[string]*layout)
	var key []byte
	for g := range s.groups {
		end := len(s.points)
		if g+1 < len(s.groups) {
			end = int(s.groups[g+1].first)
		}
		drafts := c.drafts[s.groups[g].first:end]
		key = key[:0]
		for _, d := range drafts {
			key = binary.LittleEndian.AppendUint32(key, d)
		}
		n, ok := shapes[string(key)]
		if !ok {
			n = uint32(len(s.shapes))
			s.shapes = append(s.shapes, c.shape(drafts, layouts))
			shapes[string(key)] = n
		}
		s.groups[g].shape = n
	}
}

// shape lays out the paths of points. Shapes with the same paths share a layout.
func (c *compilation) shape(drafts []uint32, layouts map[string]*layout) shape {
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
	for i, n := range drafts {
		d := &c.made[n].draft
		rules[i] = d.rule
		rules[i].value, rules[i].time, rules[i].quality = slot(d.value), slot(d.time), slot(d.quality)
		rules[i].timeInvalid, rules[i].timeSubstituted, rules[i].transient = slot(d.timeInvalid), slot(d.timeSubstituted), slot(d.transient)
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
	return shape{layout: l, rules: rules}
}
