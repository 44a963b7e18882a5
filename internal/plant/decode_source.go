package plant

import (
	"busbar/internal/point"
)

// sourceKeys are the generic keys of a `from`.
type sourceKeys struct {
	Connector string            `json:"connector" required:"true" doc:"the id of a connector"`
	Format    string            `json:"format" enum:"busbar"`
	Value     string            `json:"value" min:"1"`
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
		keys:  []string{"connector", "format", "value", "time", "quality", "map", "invert", "scale", "offset", "expr", "missing"},
		later: []string{"jsonata"},
	}
}

// source decodes the `from` of a point. It returns nil if there is nothing to
// go on with. What depends on the type of the point is checked by the host of the
// connectors, which makes values of messages.
func (d *decoding) source(path string, f *Field, p *Point) *Source {
	if f.Value.Kind != Map {
		d.report(path, f, FieldProblem{Text: f.Value.wrong("a map with the key connector").Error()})
		return nil
	}
	before := len(d.problems)
	common, own := d.split(path, f, d.structs.sourceGeneric)
	keys := &d.keys.source
	*keys = sourceKeys{Scale: 1}
	d.report(path, f, d.structs.source.Decode(common, keys)...)
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
	if keys.Format != "" {
		d.report(path, f, s.published(common)...)
	}
	if keys.Scale == 0 {
		d.report(path, f, FieldProblem{Path: "scale", Text: "is 0, want another number"})
	}
	p.From = s
	entry := d.end(path, f, keys.Connector, true)
	if s.Value == "" && common.Get("value") == nil && (entry == nil || !entry.kind.Decodes()) {
		d.report(path, f, FieldProblem{Path: "value", Text: "is missing, want a dot path, or @ for the whole payload"})
	}
	if entry == nil {
		d.slips(path, f, own, d.structs.sourceGeneric)
		return s
	}
	end, faults := entry.kind.Source(own, p)
	d.fromKind(path, f, faults, d.structs.sourceGeneric)
	if len(d.problems) == before && p.Type != 0 {
		s.End = end
	}
	return s
}

// published makes s the source of a message that Busbar itself has published, and
// returns the keys that say otherwise.
func (s *Source) published(n *Node) []FieldProblem {
	var faults []FieldProblem
	for _, key := range []string{"value", "time", "quality"} {
		if n.Get(key) != nil {
			faults = append(faults, FieldProblem{Path: key, Text: "is given by format: busbar, want one of them"})
		}
	}
	s.Busbar, s.Value, s.Time, s.Quality = true, "value", "time", &QualityMap{Value: "quality"}
	return faults
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
