package plant

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"strconv"
)

func (pl *planner) pointer(t reflect.Type, tag reflect.StructTag) (*value, error) {
	elem, err := pl.value(t.Elem(), tag)
	if err != nil {
		return nil, err
	}
	return &value{want: elem.want, decode: func(r *report, n *Node, into reflect.Value) {
		// A default behind the pointer is copied, not changed: it may be shared.
		// After a fault it stays as it was.
		target := reflect.New(t.Elem())
		if !into.IsNil() {
			target.Elem().Set(into.Elem())
		}
		before := len(r.problems)
		if elem.decode(r, n, target.Elem()); len(r.problems) == before {
			into.Set(target)
		}
	}, schema: func(def reflect.Value) Schema {
		if !def.IsValid() || def.IsNil() {
			return elem.schema(reflect.Value{})
		}
		return elem.schema(def.Elem())
	}}, nil
}

func (pl *planner) slice(t reflect.Type, tag reflect.StructTag) (*value, error) {
	elem, err := pl.value(t.Elem(), withoutLengths(tag))
	if err != nil {
		return nil, err
	}
	low, high, err := lengths(tag)
	if err != nil {
		return nil, err
	}
	want := "a list" + of(wantLength(low, high, "items"))
	return &value{want: want, decode: func(r *report, n *Node, into reflect.Value) {
		if n.Kind != List {
			r.add(n.wrong(want).Error())
			return
		}
		if c := len(n.Items); c < low || c > high {
			r.add(fmt.Sprintf("has %d items, want%s", c, wantLength(low, high, "items")))
			return
		}
		list := reflect.MakeSlice(t, len(n.Items), len(n.Items))
		for i, item := range n.Items {
			r.trail.enterItem(i)
			elem.decode(r, item, list.Index(i))
			r.trail.leave()
		}
		into.Set(list)
	}, schema: func(reflect.Value) Schema {
		s := Schema{"type": "array", "items": elem.schema(reflect.Value{})}
		return s.bounded("minItems", low, "maxItems", high)
	}}, nil
}

func (pl *planner) mapOf(t reflect.Type, tag reflect.StructTag) (*value, error) {
	if t.Key().Kind() != reflect.String {
		return nil, fmt.Errorf("cannot decode into %s: want keys of type string", t)
	}
	elem, err := pl.value(t.Elem(), withoutLengths(tag))
	if err != nil {
		return nil, err
	}
	low, high, err := lengths(tag)
	if err != nil {
		return nil, err
	}
	want := "a map" + of(wantLength(low, high, "keys"))
	return &value{want: want, decode: func(r *report, n *Node, into reflect.Value) {
		if n.Kind != Map {
			r.add(n.wrong(want).Error())
			return
		}
		if c := len(n.Fields); c < low || c > high {
			r.add(fmt.Sprintf("has %d keys, want%s", c, wantLength(low, high, "keys")))
			return
		}
		m := reflect.MakeMapWithSize(t, len(n.Fields))
		for i := range n.Fields {
			f := &n.Fields[i]
			v := reflect.New(t.Elem()).Elem()
			r.trail.enter(f.Key)
			elem.decode(r, f.Value, v)
			r.trail.leave()
			m.SetMapIndex(reflect.ValueOf(f.Key).Convert(t.Key()), v)
		}
		into.Set(m)
	}, schema: func(reflect.Value) Schema {
		s := Schema{"type": "object", "additionalProperties": elem.schema(reflect.Value{})}
		return s.bounded("minProperties", low, "maxProperties", high)
	}}, nil
}

// bounds reads the tags min and max over the bounds that the type has.
func bounds[N cmp.Ordered](tag reflect.StructTag, parse func(string) (N, error), low, high *N) error {
	for _, b := range []struct {
		key string
		at  *N
	}{{"min", low}, {"max", high}} {
		text, ok := tag.Lookup(b.key)
		if !ok {
			continue
		}
		v, err := parse(text)
		if err != nil {
			return fmt.Errorf("tag %s: %w", b.key, err)
		}
		*b.at = v
	}
	if *low > *high {
		return fmt.Errorf("tag min is above max")
	}
	return nil
}

// wantBounds describes the tags min and max.
func wantBounds(tag reflect.StructTag) string {
	low, hasLow := tag.Lookup("min")
	high, hasHigh := tag.Lookup("max")
	switch {
	case hasLow && hasHigh:
		return " from " + low + " to " + high
	case hasLow:
		return " of " + low + " or more"
	case hasHigh:
		return " of " + high + " or less"
	default:
		return ""
	}
}

// lengths reads the tags min and max as a number of characters, items or keys.
func lengths(tag reflect.StructTag) (low, high int, err error) {
	high = math.MaxInt
	err = bounds(tag, strconv.Atoi, &low, &high)
	return low, high, err
}

func wantLength(low, high int, unit string) string {
	switch {
	case high == math.MaxInt && low == 0:
		return ""
	case high == math.MaxInt:
		return fmt.Sprintf(" %d or more %s", low, unit)
	default:
		return fmt.Sprintf(" %d to %d %s", low, high, unit)
	}
}

// of puts the word before a description of a length, if there is one.
func of(length string) string {
	if length == "" {
		return ""
	}
	return " of" + length
}

// withoutLengths is the tag of the elements of a list or map: its bounds are
// those of the list, the other tags are of the elements.
func withoutLengths(tag reflect.StructTag) reflect.StructTag {
	var kept reflect.StructTag
	for _, key := range []string{"enum", "doc"} {
		if v, ok := tag.Lookup(key); ok {
			kept += reflect.StructTag(key + ":" + strconv.Quote(v) + " ")
		}
	}
	return kept
}
