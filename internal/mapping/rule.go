package mapping

import (
	"cmp"
	"math"

	"busbar/internal/plant"
	"busbar/internal/point"
)

// rule makes the value of a point of a token. What few points need is behind more.
type rule struct {
	more    *process // nil: plain conversion
	value   int32    // slots; time and quality may be noSlot
	time    int32
	quality int32
	// Of what Busbar itself has published, otherwise noSlot.
	timeInvalid, timeSubstituted, transient int32

	typ point.Type

	missingInvalid bool
}

// process holds the steps between conversion and limits. The zero value of each
// is no step.
type process struct {
	enum      *enum
	invert    bool
	scale     float64
	offset    float64
	formula   *formula
	limits    *limits
	qualities map[string]point.Quality
}

// draft is a rule whose paths have no slots yet.
type draft struct {
	rule                 rule
	value, time, quality string
	marks
}

// compileRule compiles one input and reports every fault at a path relative
// to its `from`.
func compileRule(in *Input) (draft, []plant.FieldProblem) {
	src := in.Source
	c := compiler{typ: in.Type}
	d := draft{value: cmp.Or(src.Value, whole), time: src.Time, marks: marksOf(src.Busbar, in.Type)}
	c.path("value", d.value)
	c.path("time", d.time)

	p := process{invert: src.Invert, scale: cmp.Or(src.Scale, 1), offset: src.Offset}
	if src.Invert && in.Type != point.Single && in.Type != point.Double && in.Type != point.Bits {
		c.fault("invert", "has no meaning for type "+in.Type.String()+", want single, double or bits (scale: -1 changes the sign of a number)")
	}
	c.linear(p.scale, p.offset)
	p.enum = c.enum(src.Map)
	p.formula = c.formula(src.Expr)
	p.limits = c.limits(in.Limits)
	if q := src.Quality; q != nil {
		d.quality = cmp.Or(q.Value, whole)
		c.path("quality.value", d.quality)
		p.qualities = withNumberKeys(q.Map)
	}
	d.rule = rule{typ: in.Type, missingInvalid: src.Missing == plant.MissingInvalid}
	if p.enum != nil || p.invert || p.scale != 1 || p.offset != 0 || p.formula != nil || p.limits != nil || p.qualities != nil {
		more := p // p itself stays off the heap
		d.rule.more = &more
	}
	return d, c.problems
}

// compiler collects the faults of one input.
type compiler struct {
	typ      point.Type
	problems []plant.FieldProblem
}

func (c *compiler) fault(path, text string) {
	c.problems = append(c.problems, plant.FieldProblem{Path: path, Text: text})
}

func (c *compiler) path(at, path string) {
	if path == "" || path == whole {
		return
	}
	if _, err := parsePath(path); err != nil {
		c.fault(at, err.Error())
	}
}

func (c *compiler) linear(scale, offset float64) {
	for _, step := range []struct {
		name        string
		value, none float64
	}{{"scale", scale, 1}, {"offset", offset, 0}} {
		if math.IsNaN(step.value) || math.IsInf(step.value, 0) {
			c.fault(step.name, "want a finite number")
		}
		if c.typ == point.Text && step.value != step.none {
			c.fault(step.name, "has no meaning for type text")
		}
	}
}

// convert makes a value of a token. Without a value, why says why not;
// otherwise why says why over is set.
func (r *rule) convert(t token) (v point.Value, over bool, why Reason) {
	switch t.kind {
	case absent:
		return v, false, Missing
	case null:
		if r.more == nil || !r.more.enum.knows(t) {
			return v, false, Null
		}
	}
	if r.typ == point.Text {
		return r.convertText(t)
	}
	n, why := r.number(t)
	if why == 0 && r.more != nil {
		n, why = r.more.run(n, r.typ)
	}
	if why != 0 {
		return v, false, why
	}
	var lim *limits
	if r.more != nil {
		lim = r.more.limits
	}
	return valueOf(n, r.typ, lim)
}

// number is the first step: map or numeric conversion.
func (r *rule) number(t token) (number, Reason) {
	if r.more != nil && r.more.enum != nil {
		return r.more.enum.number(t)
	}
	switch t.kind {
	case numeric:
		n, ok := parseNumber(t.text)
		if !ok {
			return n, WrongType
		}
		return n, 0
	case boolean:
		return truth(t.text == "true", r.typ), 0
	case text:
		n, ok := parseWord(t.text, r.typ)
		if !ok {
			return n, WrongType
		}
		return n, 0
	default:
		return number{}, WrongType
	}
}

// run is the steps from invert to expr.
func (p *process) run(n number, typ point.Type) (number, Reason) {
	if p.invert {
		var ok bool
		if n, ok = inverted(n, typ); !ok {
			return n, OutOfRange
		}
	}
	n = n.linear(p.scale, p.offset)
	if p.formula != nil {
		return p.formula.number(n, typ)
	}
	return n, 0
}

// inverted returns the opposite state: 0 and 1 of single points, off and on of
// double points, all 32 bits of bits. The other two states of a double point
// are their own opposite.
func inverted(n number, typ point.Type) (number, bool) {
	i, inexact := n.round()
	if inexact || !n.exact && float64(i) != n.f {
		return n, false
	}
	switch {
	case typ == point.Single && (i == 0 || i == 1):
		return integer(1 - i), true
	case typ == point.Double && (i == 1 || i == 2):
		return integer(3 - i), true
	case typ == point.Double && (i == 0 || i == 3):
		return integer(i), true
	case typ == point.Bits && i >= 0 && i <= math.MaxUint32:
		return integer(math.MaxUint32 - i), true
	default:
		return n, false
	}
}

// linear returns n·scale + offset. An integer stays exact if only a whole
// offset is added to it.
func (n number) linear(scale, offset float64) number {
	if n.exact && scale == 1 && offset == math.Trunc(offset) && math.Abs(offset) < 1<<53 {
		if sum := n.i + int64(offset); (sum > n.i) == (offset > 0) {
			return integer(sum)
		}
	}
	if scale == 1 && offset == 0 {
		return n
	}
	return fraction(float64(n.float()*scale) + offset) // no fused multiply-add: the same result on every machine
}
