package mapping

import (
	"maps"
	"slices"

	"busbar/internal/plant"
	"busbar/internal/point"
)

// enum is the `map` of a point, from values in messages to states, numbers or
// texts.
type enum struct {
	numbers map[string]number
	texts   map[string]string // of text points
}

// enum compiles the map of a point; nil if there is none.
func (c *compiler) enum(m map[string]string) *enum {
	if len(m) == 0 {
		return nil
	}
	if c.typ == point.Text {
		return &enum{texts: withNumberKeys(m)}
	}
	numbers := make(map[string]number, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		n, ok := parseWord(m[key], c.typ)
		if !ok {
			c.fault(plant.Key("map", key), m[key]+" is no value of type "+c.typ.String()+", want "+wanted(c.typ))
			continue
		}
		numbers[key] = n
	}
	return &enum{numbers: withNumberKeys(numbers)}
}

func wanted(typ point.Type) string {
	switch typ {
	case point.Single:
		return "off or on"
	case point.Double:
		return "off, on, intermediate or indeterminate"
	default:
		return "a number"
	}
}

// withNumberKeys returns the map with keys that are numbers in their shortest
// form too, so that "1.0" finds the number 1. A key that is there already wins.
func withNumberKeys[V any](m map[string]V) map[string]V {
	all := make(map[string]V, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if _, ok := parseNumber(key); ok {
			short := numberKey(key)
			if _, taken := m[short]; !taken {
				all[short] = m[key]
			}
		}
	}
	maps.Copy(all, m)
	return all
}

// knows reports whether the map says what the token means.
func (e *enum) knows(t token) bool {
	if e == nil {
		return false
	}
	_, number := e.number(t)
	_, text := e.text(t)
	return number == 0 || text == 0
}

func (e *enum) number(t token) (number, Reason) {
	key, ok := t.key()
	if !ok {
		return number{}, WrongType
	}
	n, ok := e.numbers[key]
	if !ok {
		return n, NotInMap
	}
	return n, 0
}

func (e *enum) text(t token) (string, Reason) {
	key, ok := t.key()
	if !ok {
		return "", WrongType
	}
	s, ok := e.texts[key]
	if !ok {
		return "", NotInMap
	}
	return s, 0
}

// qualityOf returns the bits that a quality in a message stands for. What is
// not in the map is good only if it is "good"; otherwise it is not known to be
// good, so that it is IV and not ok. An absent or null quality is looked up as
// "null". A list holds words of the map and the standard ones; an empty one is good.
func (p *process) qualityOf(t token) (q point.Quality, ok bool) {
	if t.kind == nested && t.text[0] == '[' {
		return p.qualitiesOf(t.text)
	}
	key, ok := t.key()
	if !ok {
		return point.Invalid, false
	}
	if q, ok = p.qualities[key]; ok {
		return q, true
	}
	if t.kind == text && key == "good" {
		return 0, true
	}
	return point.Invalid, false
}
