package plant

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

var errLater = errors.New("not supported by this version")

// value is how a node becomes a value of one type.
type value struct {
	want   string // what is wanted, for problems
	decode func(r *report, n *Node, into reflect.Value)
	// schema returns what nodes fit, given the default, which is invalid where there is none.
	schema func(def reflect.Value) Schema
}

// scalar makes a value of a function that returns what is wrong, and of what fits.
func scalar(want string, fits Schema, set func(n *Node, into reflect.Value) error) *value {
	return &value{want: want, decode: func(r *report, n *Node, into reflect.Value) {
		if err := set(n, into); err != nil {
			r.add(err.Error())
		}
	}, schema: fits.withDefault}
}

// planner makes the plan of one decoder.
type planner struct {
	open []reflect.Type // structs under way, to refuse types that contain themselves
}

func planStruct(t reflect.Type) (*value, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("decoder of %s: want a struct", t)
	}
	v, err := (&planner{}).structOf(t)
	if err != nil {
		return nil, fmt.Errorf("decoder of %s: %w", t, err)
	}
	return v, nil
}

func (pl *planner) structOf(t reflect.Type) (*value, error) {
	if slices.Contains(pl.open, t) {
		return nil, fmt.Errorf("%s contains itself", t)
	}
	pl.open = append(pl.open, t)
	defer func() { pl.open = pl.open[:len(pl.open)-1] }()
	p := &structPlan{}
	if err := pl.fields(p, t, nil); err != nil {
		return nil, err
	}
	for _, f := range p.fields {
		if slices.Contains(p.names, f.name) {
			return nil, fmt.Errorf("key %s occurs twice", f.name)
		}
		p.names = append(p.names, f.name)
		if t.FieldByIndex(f.index).Type != reflect.TypeFor[Later]() {
			p.known = append(p.known, f.name)
		}
	}
	return &value{want: "a map", decode: p.decode, schema: p.schema}, nil
}

// fields adds the fields of t, which lies at index in the outermost struct.
func (pl *planner) fields(p *structPlan, t reflect.Type, index []int) error {
	for i := range t.NumField() {
		f := t.Field(i)
		at := append(slices.Clip(index), i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct {
			if err := pl.fields(p, f.Type, at); err != nil {
				return err
			}
			continue
		}
		if name == "" || name == "-" {
			continue
		}
		if !f.IsExported() {
			return fmt.Errorf("field %s: has a key but is not exported", f.Name)
		}
		v, err := pl.value(f.Type, f.Tag)
		if err != nil {
			return fmt.Errorf("field %s: %w", f.Name, err)
		}
		doc := f.Tag.Get("doc")
		p.fields = append(p.fields, fieldPlan{
			name: name, index: at, required: f.Tag.Get("required") == "true", wanted: cmp.Or(doc, v.want), doc: doc, value: v,
		})
	}
	return nil
}

// value returns how a node becomes a value of type t under the tags of its field.
func (pl *planner) value(t reflect.Type, tag reflect.StructTag) (*value, error) {
	switch {
	case reflect.PointerTo(t).Implements(reflect.TypeFor[NodeDecoder]()):
		return custom(t), nil
	case t == reflect.TypeFor[*Node]():
		return scalar("a value", Schema{}, func(n *Node, into reflect.Value) error {
			into.Set(reflect.ValueOf(n))
			return nil
		}), nil
	case t == reflect.TypeFor[time.Duration]():
		return planDuration(tag)
	}
	switch t.Kind() {
	case reflect.String:
		return planString(t, tag)
	case reflect.Bool:
		return planBool(), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return planInt(t, tag)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return planUint(t, tag)
	case reflect.Float32, reflect.Float64:
		return planFloat(t, tag)
	case reflect.Struct:
		return pl.structOf(t)
	case reflect.Pointer:
		return pl.pointer(t, tag)
	case reflect.Slice:
		return pl.slice(t, tag)
	case reflect.Map:
		return pl.mapOf(t, tag)
	default:
		return nil, fmt.Errorf("cannot decode into %s", t)
	}
}

func custom(t reflect.Type) *value {
	v := scalar("a value", Schema{}, func(n *Node, into reflect.Value) error {
		return into.Addr().Interface().(NodeDecoder).UnmarshalNode(n)
	})
	v.schema = func(def reflect.Value) Schema { return describe(t, def) }
	return v
}

func planBool() *value {
	return scalar("true or false", Schema{"type": "boolean"}, func(n *Node, into reflect.Value) error {
		b, err := n.Bool()
		if err == nil {
			into.SetBool(b)
		}
		return err
	})
}

func planString(t reflect.Type, tag reflect.StructTag) (*value, error) {
	if list := tag.Get("enum"); list != "" {
		return planEnum(strings.Split(list, ",")), nil
	}
	low, high, err := lengths(tag)
	if err != nil {
		return nil, err
	}
	want := "text" + of(wantLength(low, high, "characters"))
	return scalar(want, textSchema(t).bounded("minLength", low, "maxLength", high), func(n *Node, into reflect.Value) error {
		s, err := n.Str()
		if err != nil {
			return err
		}
		if c := utf8.RuneCountInString(s); c < low || c > high {
			return n.wrong(want)
		}
		into.SetString(s)
		return nil
	}), nil
}

func planEnum(words []string) *value {
	want := oneOf(words)
	return scalar(want, EnumSchema(words...), func(n *Node, into reflect.Value) error {
		if n.Kind != Scalar || !slices.Contains(words, n.Text) {
			return errors.New(n.show() + ", want " + want + suggest(n.printable(), words))
		}
		into.SetString(n.Text)
		return nil
	})
}

func planInt(t reflect.Type, tag reflect.StructTag) (*value, error) {
	low, high := int64(math.MinInt64)>>(64-t.Bits()), int64(math.MaxInt64)>>(64-t.Bits())
	if err := bounds(tag, func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) }, &low, &high); err != nil {
		return nil, err
	}
	return scalar(wantInt(low, high), intSchema(low, high), func(n *Node, into reflect.Value) error {
		i, err := n.Int(low, high)
		if err == nil {
			into.SetInt(i)
		}
		return err
	}), nil
}

func planUint(t reflect.Type, tag reflect.StructTag) (*value, error) {
	// Values beyond the range of int64 have no use in a plant.
	low, high := int64(0), int64(math.MaxInt64)
	if t.Bits() < 64 {
		high = 1<<t.Bits() - 1
	}
	if err := bounds(tag, func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) }, &low, &high); err != nil {
		return nil, err
	}
	return scalar(wantInt(low, high), intSchema(low, high), func(n *Node, into reflect.Value) error {
		i, err := n.Int(low, high)
		if err == nil {
			into.SetUint(uint64(i))
		}
		return err
	}), nil
}

func planFloat(t reflect.Type, tag reflect.StructTag) (*value, error) {
	low, high := -math.MaxFloat64, math.MaxFloat64
	if t.Bits() == 32 {
		low, high = -math.MaxFloat32, math.MaxFloat32
	}
	if err := bounds(tag, func(s string) (float64, error) { return strconv.ParseFloat(s, 64) }, &low, &high); err != nil {
		return nil, err
	}
	want := "a number" + wantBounds(tag)
	return scalar(want, floatSchema(tag, low, high), func(n *Node, into reflect.Value) error {
		f, err := n.Float()
		if err != nil || f < low || f > high {
			return n.wrong(want)
		}
		into.SetFloat(f)
		return nil
	}), nil
}

func planDuration(tag reflect.StructTag) (*value, error) {
	low, high := time.Duration(0), time.Duration(math.MaxInt64)
	if err := bounds(tag, time.ParseDuration, &low, &high); err != nil {
		return nil, err
	}
	want := wantDuration
	if b := wantBounds(tag); b != "" {
		want = "a duration" + b
	}
	return scalar(want, durationSchema(tag), func(n *Node, into reflect.Value) error {
		d, err := n.Duration()
		if err != nil || d < low || d > high {
			return n.wrong(want)
		}
		into.SetInt(int64(d))
		return nil
	}), nil
}
