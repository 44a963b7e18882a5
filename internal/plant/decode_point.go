package plant

import (
	"fmt"
	"math"
	"strings"
	"time"

	"busbar/internal/point"
)

// pointKeys are the keys of a point.
type pointKeys struct {
	Type        typeName       `json:"type" required:"true" doc:"one of single, double, step, bits, int, float, counter, text"`
	Name        string         `json:"name" max:"200"`
	Description string         `json:"description" max:"4000"`
	Unit        string         `json:"unit" max:"50"`
	Range       *Range         `json:"range"`
	Limits      *limitKeys     `json:"limits"`
	Deadband    Deadband       `json:"deadband"`
	Validity    time.Duration  `json:"validity" min:"1s"`
	Since       string         `json:"since" enum:"arrival,source"`
	Hold        *time.Duration `json:"hold"`
	From        *Node          `json:"from"`
	To          *Node          `json:"to"`
}

func pointGeneric() generic {
	return generic{keys: []string{"type", "name", "description", "unit", "range", "limits", "deadband", "validity", "since", "hold", "from", "to"}}
}

// limitKeys are the keys of `limits`.
type limitKeys struct {
	Low   *float64 `json:"low"`
	High  *float64 `json:"high"`
	Clamp *bool    `json:"clamp"`
}

type typeName point.Type

// UnmarshalNode implements [NodeDecoder].
func (t *typeName) UnmarshalNode(n *Node) error {
	if n.Kind == Scalar {
		if parsed, ok := point.ParseType(n.Text); ok {
			*t = typeName(parsed)
			return nil
		}
	}
	return n.wrong(oneOf(typeNames()) + suggest(n.printable(), typeNames()))
}

func typeNames() []string {
	var names []string
	for t := point.Single; t <= point.Text; t++ {
		names = append(names, t.String())
	}
	return names
}

// UnmarshalNode implements [NodeDecoder]: a number, or a percentage such as "5%".
func (b *Deadband) UnmarshalNode(n *Node) error {
	const want = "a number of 0 or more, or a percentage from 0% to 100%"
	if n.Kind != Scalar {
		return n.wrong(want)
	}
	text, percent := strings.CutSuffix(n.Text, "%")
	number := Node{Kind: Scalar, Text: strings.TrimSpace(text), Quoted: n.Quoted && !percent}
	v, err := number.Float()
	if err != nil || v < 0 || percent && v > 100 {
		return n.wrong(want)
	}
	*b = Deadband{Value: v, Percent: percent}
	return nil
}

const wantPointID = "segments of the characters A-Z a-z 0-9 . _ - joined by /, at most 200 characters in all"

// WantID says what the ids of points and commands are made of.
const WantID = wantPointID

// IsID reports whether an id is one of a point or command.
func IsID(id string) bool { return isPointID(id) }

func isPointID(id string) bool {
	if len(id) > 200 {
		return false
	}
	for segment := range strings.SplitSeq(id, "/") {
		if segment == "" || strings.IndexFunc(segment, func(r rune) bool { return r == '/' || r != '.' && !isPlain(r) }) >= 0 {
			return false
		}
	}
	return true
}

// Numeric reports whether values of the type are numbers that can be limited
// and compared with a dead band: step, int, float and counter.
func Numeric(t point.Type) bool {
	return t == point.Step || t == point.Int || t == point.Float || t == point.Counter
}

func (d *decoding) point(f *Field) {
	d.passed++
	d.halves.reset()
	path := Key("points", f.Key)
	if !isPointID(f.Key) {
		d.report(path, f, FieldProblem{Text: "is no id of a point, want " + wantPointID, line: f.Line, col: f.Col})
	}
	if IsSystem(f.Key) {
		d.systemPoint(path, f)
		return
	}
	if f.Value.Kind != Map {
		d.report(path, f, FieldProblem{Text: f.Value.wrong("a map with the key type").Error()})
		return
	}
	keys := &d.keys.point
	*keys = pointKeys{}
	d.report(path, f, d.structs.point.Decode(f.Value, keys)...)
	d.plant.Points = append(d.plant.Points, Point{
		ID: f.Key, Type: point.Type(keys.Type), Name: keys.Name, Description: keys.Description, Unit: keys.Unit,
		Range: rangeOf(keys.Range, f.Value), Limits: keys.Limits.limits(), Deadband: keys.Deadband,
		Validity: keys.Validity, SinceSource: keys.Since == "source", Hold: -1,
	})
	d.numbers = append(d.numbers, uint32(d.passed-1))
	p := &d.plant.Points[len(d.plant.Points)-1]
	if keys.Hold != nil {
		p.Hold = *keys.Hold
	}
	d.report(path, f, p.faults(f.Value)...)
	if keys.From != nil {
		p.From = d.source(path+".from", f.Value.field("from"), p)
	}
	if keys.To != nil {
		d.targets(path+".to", f.Value.field("to"), p)
	}
	d.endless(path, f)
}

// endless warns about a point that leads nowhere or comes from nowhere.
func (d *decoding) endless(path string, f *Field) {
	from, to := f.Value.Get("from") != nil, f.Value.Get("to") != nil
	switch {
	case !from && !to:
		d.warn(path, f, "has no source and no target")
	case !from:
		d.warn(path, f, "has no source, so it will never have a value")
	case !to:
		d.warn(path, f, "has no target, so it is seen only inside")
	}
}

// limits returns the limits with what is absent at infinity.
func (k *limitKeys) limits() *Limits {
	if k == nil {
		return nil
	}
	l := &Limits{Low: math.Inf(-1), High: math.Inf(1), Clamp: true}
	if k.Low != nil {
		l.Low = *k.Low
	}
	if k.High != nil {
		l.High = *k.High
	}
	if k.Clamp != nil {
		l.Clamp = *k.Clamp
	}
	return l
}

// faults returns what is wrong among the keys of the point itself.
func (p *Point) faults(n *Node) []FieldProblem {
	var faults []FieldProblem
	fault := func(key, format string, args ...any) {
		faults = append(faults, FieldProblem{Path: key, Text: fmt.Sprintf(format, args...)})
	}
	if p.SinceSource && p.Validity == 0 && n.Get("validity") == nil {
		fault("since", "has no meaning without validity, want validity: 10m or the like")
	}
	if p.Type != 0 && !Numeric(p.Type) {
		return append(faults, noMeaning(n, p.Type, "range", "limits", "deadband")...)
	}
	if p.Range != nil && p.Range.Low >= p.Range.High {
		fault("range", "low %v is not below high %v, want low < high", p.Range.Low, p.Range.High)
	}
	if l := p.Limits; l != nil {
		if n.Get("limits").Get("low") == nil && n.Get("limits").Get("high") == nil {
			fault("limits", "has neither low nor high, want one of them or both")
		} else if l.Low >= l.High {
			fault("limits", "low %v is not below high %v, want low < high", l.Low, l.High)
		}
	}
	if p.Deadband.Percent && p.Range == nil {
		fault("deadband", "is a percentage, but the point has no range, want range: {low, high}")
	}
	return faults
}

// noMeaning returns a fault for each of the keys that is given, though it has no
// meaning for the type of the point.
func noMeaning(n *Node, t point.Type, keys ...string) []FieldProblem {
	var faults []FieldProblem
	for _, key := range keys {
		if n.Get(key) != nil {
			faults = append(faults, FieldProblem{Path: key, Text: "has no meaning for the type " + t.String() + ", want another type or no " + key})
		}
	}
	return faults
}

// rangeOf returns r. Where the range is given but could not be decoded, it is any
// other, so that no further fault is reported because of it.
func rangeOf(r *Range, n *Node) *Range {
	if r == nil && n.Get("range") != nil {
		return &Range{Low: 0, High: 1}
	}
	return r
}
