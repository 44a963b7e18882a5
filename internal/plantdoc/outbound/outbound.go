// Package outbound reads the configuration of points that is written as outboundConfiguration: a list
// of connectors, each with the address, type and limits that a point has there.
//
//	{"outboundConfiguration":[{"connectorId":"scada","config":{"ca":256,"ioa":65537,"type":13,"db":0}}]}
package outbound

import (
	"slices"
	"strconv"
	"time"

	"busbar/iec104/asdu"
	"busbar/internal/plant"
	"busbar/internal/plantdoc"
	"busbar/internal/plantdoc/address"
)

// Configuration is what is to become of a point at some connectors.
type Configuration struct {
	entries []entry
}

// document is the keys of a configuration.
type document struct {
	Entries []entryKeys `json:"outboundConfiguration" required:"true" max:"64" doc:"a list of entries with connectorId and config"`
}

type entryKeys struct {
	ConnectorID string      `json:"connectorId" required:"true" min:"1" doc:"the id of a connector"`
	Config      *plant.Node `json:"config" required:"true" doc:"a map with ca, ioa and type, or null for none"`
}

// configKeys are the keys of `config`.
type configKeys struct {
	CA       string      `json:"ca"`
	IOA      string      `json:"ioa"`
	IO       string      `json:"io"` // the same
	Type     string      `json:"type"`
	DB       *float64    `json:"db" min:"0"`
	Deadband *float64    `json:"deadband" min:"0"` // the same
	Lower    *plant.Node `json:"lowerLimit"`
	Upper    *plant.Node `json:"upperLimit"`
	Validity *plant.Node `json:"validityPeriod"`
}

// entry is what an entry means.
type entry struct {
	path      string
	connector string
	none      bool // no target at the connector
	ca, ioa   string
	as        string
	deadband  float64 // negative: none is given
	lower     *limit  // nil: as it is
	upper     *limit
	validity  *limit // seconds
}

// limit is a number, or none.
type limit struct {
	none  bool
	value float64
}

// Parse reads a configuration from a node of JSON. Problems have paths within it.
func Parse(n *plant.Node) (Configuration, []plant.FieldProblem) {
	var doc document
	faults := plant.DecodeStruct(n, &doc)
	if len(faults) > 0 {
		return Configuration{}, faults
	}
	c := Configuration{entries: make([]entry, len(doc.Entries))}
	for i, keys := range doc.Entries {
		path := plant.Item("outboundConfiguration", i)
		e := &c.entries[i]
		e.path, e.connector, e.deadband = path, keys.ConnectorID, -1
		if keys.Config.IsNull() {
			e.none = true
			continue
		}
		for _, f := range e.config(keys.Config) {
			f.Path = path + ".config" + dotted(f.Path)
			faults = append(faults, f)
		}
	}
	return c, faults
}

func dotted(path string) string {
	if path == "" {
		return ""
	}
	return "." + path
}

// config reads the keys of `config`.
func (e *entry) config(n *plant.Node) []plant.FieldProblem {
	var keys configKeys
	faults := plant.DecodeStruct(n, &keys)
	if len(faults) > 0 {
		return faults
	}
	fault := func(key, text string) { faults = append(faults, plant.FieldProblem{Path: key, Text: text}) }
	if keys.IOA == "" {
		keys.IOA = keys.IO
	}
	if keys.DB == nil {
		keys.DB = keys.Deadband
	}
	if ca, ok := address.ParseCA(keys.CA); ok {
		e.ca = strconv.Itoa(int(ca))
	} else {
		fault("ca", wrong(keys.CA, `a number from 1 to 65534, or structured such as "0.225"`))
	}
	if ioa, ok := address.ParseIOA(keys.IOA); ok {
		e.ioa = strconv.Itoa(int(ioa))
	} else {
		fault("ioa", wrong(keys.IOA, `a number from 1 to 16777215, or structured such as "0.0.100"`))
	}
	t, ok := asdu.ParseTypeID(keys.Type)
	if !ok || !t.Known() {
		fault("type", wrong(keys.Type, "a type identification such as 13 or M_ME_NC_1"))
	}
	e.as = t.String()
	if keys.DB != nil {
		e.deadband = *keys.DB
	}
	if class := address.ClassOf(e.as); class != address.Measured && class != address.Counter && class != address.Step {
		if e.deadband > 0 {
			fault("db", "has no meaning for the type "+e.as+", want 0 or none")
		}
		e.deadband = -1
	}
	e.lower = number(keys.Lower, "lowerLimit", fault)
	e.upper = number(keys.Upper, "upperLimit", fault)
	e.validity = number(keys.Validity, "validityPeriod", fault)
	const longest = 1e9 // seconds
	if v := e.validity; v != nil && (v.value < 0 || v.value > longest) {
		fault("validityPeriod", "is "+keys.Validity.Text+", want 0 to 1000000000 seconds")
	}
	return faults
}

func wrong(text, want string) string {
	if text == "" {
		return "is missing, want " + want
	}
	return "is " + text + ", want " + want
}

// number reads a number, or null.
func number(n *plant.Node, key string, fault func(key, text string)) *limit {
	switch {
	case n == nil:
		return nil
	case n.IsNull():
		return &limit{none: true}
	}
	v, err := n.Float()
	if err != nil {
		fault(key, err.Error()+" or null")
	}
	return &limit{value: v}
}

// Apply returns the body of a point with its targets at the connectors of the configuration replaced by
// those of the configuration, in place of the first or at the end. Limits and validity of the point are set where an entry has them, and
// removed where they are null, a validity also where it is 0; they cannot differ between entries. It reports what does
// not fit together.
func (c Configuration) Apply(body []byte) ([]byte, []plant.FieldProblem) {
	n, problems := plant.Tree("point.json", body)
	if len(problems) > 0 || n.Kind != plant.Map {
		return nil, []plant.FieldProblem{{Text: "the point is no map of keys"}}
	}
	low, high, validity, faults := c.common()
	if len(faults) > 0 {
		return nil, faults
	}
	setTargets(n, c.targets(n.Get("to")))
	setLimits(n, low, high)
	if validity != nil {
		var v *plant.Node
		if !validity.none && validity.value > 0 {
			v = textNode(time.Duration(validity.value * float64(time.Second)).String())
		}
		set(n, "validity", v)
	}
	return plantdoc.AppendNode(nil, n), nil
}

// common returns what the entries say of the point itself.
func (c Configuration) common() (low, high, validity *limit, faults []plant.FieldProblem) {
	take := func(e *entry, key string, all **limit, one *limit) {
		switch {
		case one == nil:
		case *all == nil:
			*all = one
		case **all != *one:
			faults = append(faults, plant.FieldProblem{Path: e.path + ".config." + key, Text: "is not the same as in another entry: a point has one"})
		}
	}
	for i := range c.entries {
		e := &c.entries[i]
		take(e, "lowerLimit", &low, e.lower)
		take(e, "upperLimit", &high, e.upper)
		take(e, "validityPeriod", &validity, e.validity)
	}
	return low, high, validity, faults
}

// targets returns the targets of the point, given those that it has.
func (c Configuration) targets(to *plant.Node) []*plant.Node {
	var kept []*plant.Node
	at := -1
	if to != nil {
		for _, item := range to.Items {
			if connector := item.Get("connector"); connector != nil && slices.ContainsFunc(c.entries, func(e entry) bool { return e.connector == connector.Text }) {
				if at < 0 {
					at = len(kept)
				}
				continue
			}
			kept = append(kept, item)
		}
	}
	if at < 0 {
		at = len(kept)
	}
	var own []*plant.Node
	for i := range c.entries {
		if e := &c.entries[i]; !e.none {
			own = append(own, e.target())
		}
	}
	return slices.Insert(kept, at, own...)
}

// target returns the target that an entry means.
func (e *entry) target() *plant.Node {
	n := &plant.Node{Kind: plant.Map}
	set(n, "connector", textNode(e.connector))
	set(n, "ca", numberNode(e.ca))
	set(n, "ioa", numberNode(e.ioa))
	set(n, "as", textNode(e.as))
	if e.deadband >= 0 {
		set(n, "deadband", floatNode(e.deadband))
	}
	return n
}

func setTargets(n *plant.Node, targets []*plant.Node) {
	if len(targets) == 0 {
		set(n, "to", nil)
		return
	}
	set(n, "to", &plant.Node{Kind: plant.List, Items: targets})
}

func setLimits(n *plant.Node, low, high *limit) {
	if low == nil && high == nil {
		return
	}
	limits := n.Get("limits")
	if limits == nil || limits.Kind != plant.Map {
		limits = &plant.Node{Kind: plant.Map}
	}
	for key, l := range map[string]*limit{"low": low, "high": high} {
		switch {
		case l == nil:
		case l.none:
			set(limits, key, nil)
		default:
			set(limits, key, floatNode(l.value))
		}
	}
	if limits.Get("low") == nil && limits.Get("high") == nil {
		limits = nil
	}
	set(n, "limits", limits)
}

// set gives a key of a map its value; nil removes it.
func set(n *plant.Node, key string, value *plant.Node) {
	n.Fields = slices.DeleteFunc(n.Fields, func(f plant.Field) bool { return f.Key == key })
	if value != nil {
		n.Fields = append(n.Fields, plant.Field{Key: key, Value: value})
	}
}

func textNode(s string) *plant.Node   { return &plant.Node{Kind: plant.Scalar, Quoted: true, Text: s} }
func numberNode(s string) *plant.Node { return &plant.Node{Kind: plant.Scalar, Text: s} }

func floatNode(v float64) *plant.Node {
	return numberNode(strconv.FormatFloat(v, 'g', -1, 64))
}
