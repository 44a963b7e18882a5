package plant

import (
	"cmp"
	"slices"
)

// decoding is the work on one plant file.
type decoding struct {
	name    string
	kinds   Kinds
	exposed bool // everybody may write the file
	secrets *secretReader

	structs structs
	halves  arena // of split
	keys    struct {
		point  pointKeys
		source sourceKeys
		target targetKeys
	}
	plant      *Plant
	connectors map[string]*connectorEntry
	expected   []string // ids of connectors, in order of the file
	passed     int      // points of the file that were looked at
	numbers    []uint32 // number in the file of each point of the plant
	commands   []*Field // as in the plant
	problems   Problems
	warnings   Problems
}

// connectorEntry is what points need to know of a connector.
type connectorEntry struct {
	field     *Field
	kind      Kind // nil: not known
	connector Connector
	sound     bool // decoded without a fault
	used      bool // an end names it
}

func newDecoding(f *file) *decoding {
	return &decoding{
		name: f.name, kinds: f.kinds, exposed: f.exposed, secrets: newSecretReader(f.options.Secrets),
		plant: &Plant{}, connectors: map[string]*connectorEntry{},
	}
}

// finish puts everything in order.
func (d *decoding) finish() (*Plant, Problems) {
	for _, list := range []Problems{d.problems, d.warnings} {
		for i := range list {
			list[i].File = d.name
		}
		list.sort()
	}
	if len(d.problems) > 0 {
		return nil, d.problems
	}
	d.plant.Warnings = d.warnings
	return d.plant, nil
}

// fileKeys are the keys of the outermost map.
type fileKeys struct {
	Version    version `json:"version" required:"true" doc:"version: 1"`
	Connectors *Node   `json:"connectors"`
	Points     *Node   `json:"points"`
	Commands   *Node   `json:"commands"`
	Templates  Later   `json:"templates"`
}

type version int

// UnmarshalNode implements [NodeDecoder].
func (v *version) UnmarshalNode(n *Node) error {
	if n.Kind != Scalar || n.Quoted || n.Text != "1" {
		return n.wrong("1")
	}
	*v = 1
	return nil
}

// file decodes everything. It returns faults of syntax, which it cannot tell
// from others before it comes to them.
func (d *decoding) file(o *outline) Problems {
	if err := d.structs.plan(); err != nil {
		return Problems{{Text: err.Error()}}
	}
	root := o.root
	d.outermost(root)
	if f := root.field("connectors"); f != nil {
		d.each(f, d.connector)
	}
	if f := root.field("points"); f != nil {
		if broken := d.decodePoints(f, o); len(broken) > 0 {
			return broken
		}
	}
	d.sort()
	if twice := d.twice(o); len(twice) > 0 {
		return twice
	}
	if f := root.field("commands"); f != nil {
		d.each(f, d.command)
	}
	d.references()
	d.check(o)
	slices.SortFunc(d.plant.Commands, func(a, b Command) int { return cmp.Compare(a.ID, b.ID) })
	return nil
}

// outermost checks the keys of the outermost map. It returns whether there are any.
func (d *decoding) outermost(root *Node) bool {
	var keys fileKeys
	whole := &Field{Line: root.Line, Col: root.Col, Value: root}
	d.report("", whole, d.structs.file.Decode(root, &keys)...)
	return root.Kind == Map
}

// each calls decode for every entry of a map that may be left empty.
func (d *decoding) each(f *Field, decode func(*Field)) {
	if f.Value.IsNull() {
		return
	}
	if f.Value.Kind != Map {
		d.report(f.Key, f, FieldProblem{Text: f.Value.wrong("a map of ids").Error()})
		return
	}
	for i := range f.Value.Fields {
		decode(&f.Value.Fields[i])
	}
}

// sort puts connectors and points in order of their id.
func (d *decoding) sort() {
	for _, c := range d.connectors {
		if c.sound {
			d.plant.Connectors = append(d.plant.Connectors, c.connector)
		}
	}
	slices.SortFunc(d.plant.Connectors, func(a, b Connector) int { return cmp.Compare(a.ID, b.ID) })
	d.sortPoints()
}

// report adds faults at paths relative to the value of f, whose own path is
// given.
func (d *decoding) report(path string, f *Field, faults ...FieldProblem) {
	for _, fault := range faults {
		d.problems = append(d.problems, fault.at(path, f))
	}
}

// warn adds a warning about f.
func (d *decoding) warn(path string, f *Field, text string) {
	d.warnings = append(d.warnings, FieldProblem{Text: text, line: f.Line, col: f.Col}.at(path, f))
}

// at turns a fault relative to the value of f into a problem.
func (p FieldProblem) at(path string, f *Field) Problem {
	line, col := p.line, p.col
	if line == 0 {
		line, col = f.find(parsePath(p.Path))
	}
	return Problem{Line: int(line), Col: int(col), Path: join(path, p.Path), Text: p.Text}
}

// generic are the names of keys that the plant decodes itself, and of those
// that it will in later versions.
type generic struct {
	keys, later []string
}

// split returns the keys of a map that are generic, and the others, which
// belong to the kind. Keys of later versions are reported. What it returns is
// valid until the next point is decoded.
func (d *decoding) split(path string, f *Field, g generic) (common, own *Node) {
	n := f.Value
	common, own = d.halves.node(Map, n.Line, n.Col), d.halves.node(Map, n.Line, n.Col)
	for i := range n.Fields {
		switch key := n.Fields[i].Key; {
		case slices.Contains(g.keys, key):
			common.Fields = append(common.Fields, n.Fields[i])
		case slices.Contains(g.later, key):
			d.report(path, f, FieldProblem{Path: Key("", key), Text: errLater.Error(), line: n.Fields[i].Line, col: n.Fields[i].Col})
		default:
			own.Fields = append(own.Fields, n.Fields[i])
		}
	}
	return common, own
}

// slips reports the keys that are nearly a generic one, where the kind, which
// knows the others, is not known.
func (d *decoding) slips(path string, f *Field, own *Node, g generic) {
	for i := range own.Fields {
		if k := &own.Fields[i]; suggest(k.Key, g.keys) != "" {
			d.report(path, f, FieldProblem{Path: Key("", k.Key), Text: unknownKey(k.Key, g.keys), line: k.Line, col: k.Col})
		}
	}
}

// fromKind reports what a kind found; a key that it does not know may be a
// slip in a generic one.
func (d *decoding) fromKind(path string, f *Field, faults []FieldProblem, g generic) {
	for _, p := range faults {
		if p.unknown != "" && p.Path == Key("", p.unknown) {
			p.Text = unknownKey(p.unknown, slices.Concat(g.keys, p.known))
		}
		d.report(path, f, p)
	}
}
