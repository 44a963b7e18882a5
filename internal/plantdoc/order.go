package plantdoc

import (
	"cmp"
	"slices"

	"busbar/internal/plant"
)

// keyOrder is the order of keys for people, that of the documentation. Keys that are not here
// come between those before and those after the empty one, in alphabetical order.
func keyOrder() []string {
	return []string{
		"kind", "enabled", "connector", "type", "name", "description", "unit", "range", "limits", "low", "high", "clamp",
		"url", "listen", "address", "topic", "ca", "ioa", "as", "mode", "format", "value", "time", "quality", "map", "invert",
		"scale", "offset", "expr", "missing",
		"",
		"deadband", "report", "keep", "validity", "since", "hold", "from", "to", "confirm", "terminate", "feedback", "interlock",
		"local", "authority", "timeout", "selectTimeout", "feedbackTimeout",
	}
}

// Order is the order of keys for people. It is not changed once it is made.
type Order struct {
	known map[string]int
	other int
}

// NewOrder returns the order of the documentation.
func NewOrder() *Order {
	order := keyOrder()
	r := &Order{known: make(map[string]int, len(order))}
	for i, key := range order {
		r.known[key] = i
	}
	r.other = r.known[""]
	delete(r.known, "")
	return r
}

func (r *Order) of(key string) int {
	if i, ok := r.known[key]; ok {
		return i
	}
	return r.other
}

// Compare orders keys for people.
func (r *Order) Compare(a, b string) int {
	return cmp.Or(cmp.Compare(r.of(a), r.of(b)), cmp.Compare(a, b))
}

// fields returns the fields of a map in order for people.
func (r *Order) fields(n *plant.Node) []plant.Field {
	return slices.SortedFunc(slices.Values(n.Fields), func(a, b plant.Field) int { return r.Compare(a.Key, b.Key) })
}
