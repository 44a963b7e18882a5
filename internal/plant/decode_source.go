package plant

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"busbar/internal/point"
)

// sourceKeys are the generic keys of a `from`.
type sourceKeys struct {
	Connector string            `json:"connector" required:"true" doc:"the id of a connector"`
	Value     string            `json:"value" required:"true" min:"1" doc:"a dot path, or @ for the whole payload"`
	Time      string            `json:"time" min:"1"`
	Quality   *qualityKeys      `json:"quality"`
	Map       map[string]string `json:"map" min:"1"`
	Invert    bool              `json:"invert"`
	Scale     float64           `json:"scale"`
	Offset    float64           `json:"offset"`
	Expr      string            `json:"expr" min:"1"`
	Missing   string            `json:"missing" enum:"ignore,invalid"`
}

// qualityKeys are the keys of `quality`.
type qualityKeys struct {
	Value string                  `json:"value" required:"true" min:"1"`
	Map   map[string]qualityWords `json:"map"`
}

type qualityWords point.Quality

// UnmarshalNode implements [NodeDecoder]: a list of quality words, or good.
func (q *qualityWords) UnmarshalNode(n *Node) error {
	const want = "a list of good, invalid, not-topical, substituted, blocked, overflow, elapsed-time-invalid, carry, adjusted"
	items := n.Items
	if n.Kind == Scalar {
		items = []*Node{n}
	} else if n.Kind != List {
		return n.wrong(want)
	}
	var all point.Quality
	for _, item := range items {
		bit, ok := point.ParseQuality(item.Text)
		if item.Kind != Scalar || !ok {
			return item.wrong(want)
		}
		all |= bit
	}
	*q = qualityWords(all)
	return nil
}

func sourceGeneric() generic {
	return generic{
		keys:  []string{"connector", "value", "time", "quality", "map", "invert", "scale", "offset", "expr", "missing"},
		later: []string{"jsonata"},
	}
}

// source decodes the `from` of a point. It returns nil if there is nothing to
// go on with.
func (d *decoding) source(path string, f *Field, p *Point) *Source {
	if f.Value.Kind != Map {
		d.report(path, f, FieldProblem{Text: f.Value.wrong("a map with the key connector").Error()})
		return nil
	}
	common, own := d.split(path, f, d.structs.sourceGeneric)
	keys := sourceKeys{Scale: 1}
	d.report(path, f, d.structs.source.Decode(common, &keys)...)
	s := &Source{
		Connector: keys.Connector, Value: keys.Value, Time: keys.Time, Map: keys.Map,
		Invert: keys.Invert, Scale: keys.Scale, Offset: keys.Offset, Expr: keys.Expr,
	}
	if keys.Missing == "invalid" {
		s.Missing = MissingInvalid
	}
	if keys.Quality != nil {
		s.Quality = keys.Quality.qualityMap()
	}
	d.report(path, f, d.sourceFaults(common, s, p.Type)...)
	entry := d.end(path, f, keys.Connector, true)
	if entry == nil {
		d.slips(path, f, own, d.structs.sourceGeneric)
		return s
	}
	end, faults := entry.kind.Source(own, p)
	d.fromKind(path, f, faults, d.structs.sourceGeneric)
	if len(faults) == 0 {
		s.End = end
	}
	return s
}

func (k *qualityKeys) qualityMap() *QualityMap {
	m := &QualityMap{Value: k.Value}
	if k.Map != nil {
		m.Map = make(map[string]point.Quality, len(k.Map))
	}
	for raw, q := range k.Map {
		m.Map[raw] = point.Quality(q)
	}
	return m
}

// sourceFaults returns what is wrong among the generic keys of a source.
func (d *decoding) sourceFaults(n *Node, s *Source, t point.Type) []FieldProblem {
	var faults []FieldProblem
	fault := func(key, format string, args ...any) {
		faults = append(faults, FieldProblem{Path: key, Text: fmt.Sprintf(format, args...)})
	}
	paths := []struct{ key, path string }{{"value", s.Value}, {"time", s.Time}, {"quality.value", ""}}
	if s.Quality != nil {
		paths[2].path = s.Quality.Value
	}
	for _, p := range paths {
		if text := pathFault(p.path); text != "" {
			fault(p.key, "is %s, %s", shorten(p.path), text)
		}
	}
	if s.Scale == 0 {
		fault("scale", "is 0, want another number")
	}
	if t != 0 && !Numeric(t) {
		faults = append(faults, onlyNumeric(n, t, "scale", "offset", "expr")...)
	} else if text := d.exprFault(s.Expr); text != "" {
		fault("expr", "%s, want an expression over value such as value * 2 + 1", text)
	}
	if t == 0 {
		return faults
	}
	if t != point.Single && t != point.Double && n.Get("invert") != nil {
		fault("invert", "has no meaning for the type %s, want it only with single and double", t)
	}
	return append(faults, s.mapFaults(t)...)
}

// mapFaults checks the results of `map` and gives states their names.
func (s *Source) mapFaults(t point.Type) []FieldProblem {
	var faults []FieldProblem
	for _, raw := range slices.Sorted(maps.Keys(s.Map)) {
		result, want := mapResult(t, s.Map[raw])
		if want != "" {
			faults = append(faults, FieldProblem{Path: Key("map", raw), Text: fmt.Sprintf("is %s, want %s for the type %s", shorten(s.Map[raw]), want, t)})
			continue
		}
		s.Map[raw] = result
	}
	return faults
}

// pathFault returns what is wrong with a dot path; "" if nothing is, or if
// there is no path.
func pathFault(path string) string {
	if path == "" || path == "@" {
		return ""
	}
	const want = `want a path such as data.list.0.value, with \. for a dot within a key, or @ for the whole payload`
	segment := 0 // characters so far
	for i := 0; i < len(path); i++ {
		switch {
		case path[i] == '.' && segment == 0:
			return "which has an empty segment, " + want
		case path[i] == '.':
			segment = 0
			continue
		case path[i] == '\\':
			i++
			if i == len(path) || !strings.ContainsRune(`.\@`, rune(path[i])) {
				return `which has a \ that escapes nothing, ` + want
			}
		}
		segment++
	}
	if segment == 0 {
		return "which has an empty segment, " + want
	}
	return ""
}

// exprFault returns what is wrong with an expression; each is compiled once.
func (d *decoding) exprFault(source string) string {
	if source == "" {
		return ""
	}
	text, known := d.compiled[source]
	if !known {
		if _, err := CompileExpr(source); err != nil {
			text = err.Error()
		}
		d.compiled[source] = text
	}
	return text
}
