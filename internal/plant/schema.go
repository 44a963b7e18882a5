package plant

import (
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"time"
)

// Schema is a JSON Schema, draft 2020-12, of what a decoder takes. Whatever is decoded without
// a fault fits it; not everything that fits is decoded, since a schema cannot say all.
// A text may be written as a number or as true or false, so that both are permitted there.
// Besides the words of the standard it has x-order, the keys of an object in the order of its
// documentation, and x-minimum and x-maximum, the bounds of a duration. It describes what stands in
// place of references to secrets, too.
type Schema map[string]any

// Describer is implemented by types that decode themselves and can tell what they take. It is
// called on the default, which is the zero value where there is none.
type Describer interface {
	JSONSchema() Schema
}

// Schema returns what the decoder takes, given the defaults.
func (d *Decoder[T]) Schema(defaults T) Schema { return d.plan.schema(reflect.ValueOf(defaults)) }

// schema returns the schema of a map with the keys of the struct.
func (p *structPlan) schema(def reflect.Value) Schema {
	properties, required := Schema{}, []string{}
	for i := range p.fields {
		f := &p.fields[i]
		if !slices.Contains(p.known, f.name) {
			continue
		}
		var below reflect.Value
		if def.IsValid() {
			below = def.FieldByIndex(f.index)
		}
		s := f.value.schema(below)
		if f.doc != "" {
			s["description"] = f.doc
		}
		properties[f.name] = s
		if f.required {
			required = append(required, f.name)
		}
	}
	return objectSchema(properties, required, p.known)
}

func objectSchema(properties Schema, required, order []string) Schema {
	s := Schema{"type": "object", "properties": properties, "additionalProperties": false, "x-order": order}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

// Merge returns the schema of a map that has the keys of both, those of s first.
func (s Schema) Merge(other Schema) Schema {
	properties := maps.Clone(s["properties"].(Schema))
	maps.Copy(properties, other["properties"].(Schema))
	keys := func(word string) []string {
		first, _ := s[word].([]string)
		second, _ := other[word].([]string)
		return slices.Concat(first, second)
	}
	return objectSchema(properties, keys("required"), keys("x-order"))
}

// With returns the schema with another one for a key of the map.
func (s Schema) With(key string, of Schema) Schema {
	changed := maps.Clone(s)
	properties := maps.Clone(s["properties"].(Schema))
	if old, ok := properties[key].(Schema); ok && old["description"] != nil && of["description"] == nil {
		of = maps.Clone(of)
		of["description"] = old["description"]
	}
	properties[key] = of
	changed["properties"] = properties
	return changed
}

// describe returns the schema of a type that decodes itself.
func describe(t reflect.Type, def reflect.Value) Schema {
	if !t.Implements(reflect.TypeFor[Describer]()) {
		return Schema{}
	}
	if !def.IsValid() {
		def = reflect.Zero(t)
	}
	return def.Interface().(Describer).JSONSchema()
}

// withDefault returns a copy with the default, unless that is the zero value, which mostly
// stands for none.
func (s Schema) withDefault(def reflect.Value) Schema {
	s = maps.Clone(s)
	switch {
	case !def.IsValid() || def.Kind() != reflect.Bool && def.IsZero() || def.Type() == reflect.TypeFor[*Node]():
	case def.Type() == reflect.TypeFor[time.Duration]():
		s["default"] = def.Interface().(time.Duration).String()
	case def.Type() == reflect.TypeFor[Secret]():
	default:
		s["default"] = def.Interface()
	}
	return s
}

// bounded adds a lowest and a highest number where they bound anything.
func (s Schema) bounded(least string, low int, most string, high int) Schema {
	if low > 0 {
		s[least] = low
	}
	if high < math.MaxInt {
		s[most] = high
	}
	return s
}

// TextSchema returns the schema of any text.
func TextSchema() Schema { return Schema{"type": []string{"string", "number", "boolean"}} }

func textSchema(t reflect.Type) Schema {
	s := TextSchema()
	if t == reflect.TypeFor[Secret]() {
		s["format"], s["writeOnly"] = "password", true
	}
	return s
}

// EnumSchema returns the schema of a text that is one of some words. Those that look like numbers
// or are true or false may be written as such.
func EnumSchema(words ...string) Schema {
	values := make([]any, 0, len(words))
	for _, word := range words {
		values = append(values, word)
		switch number, err := strconv.ParseFloat(word, 64); {
		case err == nil && isNumber(word):
			values = append(values, number)
		case word == "true" || word == "false":
			values = append(values, word == "true")
		}
	}
	return Schema{"enum": values}
}

func intSchema(low, high int64) Schema {
	s := Schema{"type": "integer"}
	if low > math.MinInt64 {
		s["minimum"] = low
	}
	if high < math.MaxInt64 {
		s["maximum"] = high
	}
	return s
}

func floatSchema(tag reflect.StructTag, low, high float64) Schema {
	s := Schema{"type": "number"}
	if _, ok := tag.Lookup("min"); ok {
		s["minimum"] = low
	}
	if _, ok := tag.Lookup("max"); ok {
		s["maximum"] = high
	}
	return s
}

// DurationSchema returns the schema of any duration; 0 may be a number.
func DurationSchema() Schema {
	return Schema{
		"type": []string{"string", "integer"}, "minimum": 0, "maximum": 0,
		"pattern": `^[-+]?(0|([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$`,
	}
}

func durationSchema(tag reflect.StructTag) Schema {
	s := DurationSchema()
	for _, bound := range []struct{ tag, word string }{{"min", "x-minimum"}, {"max", "x-maximum"}} {
		if text, ok := tag.Lookup(bound.tag); ok {
			s[bound.word] = text
		}
	}
	return s
}
