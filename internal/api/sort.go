package api

import (
	"cmp"
	"slices"
	"strings"
)

// order is the order of a list: the member that it goes by, ascending or descending.
type order struct {
	by   string
	down bool
}

// parseOrder reads the parameter sort: the name of a member, with "-" before it
// for descending. The first of the known members is the default.
func parseOrder(text string, known ...string) (order, error) {
	if text == "" {
		return order{by: known[0]}, nil
	}
	name, down := strings.CutPrefix(text, "-")
	if !slices.Contains(known, name) {
		return order{}, invalid("this list cannot be sorted so", Fault{
			Location: "query.sort", Message: "want " + strings.Join(known, ", ") + `, with "-" before it for descending`, Value: text,
		})
	}
	return order{name, down}, nil
}

// String returns the parameter.
func (o order) String() string {
	if o.down {
		return "-" + o.by
	}
	return o.by
}

// sorted sorts rows by a key, then by id, which makes the order of equal keys the same every time.
func sorted[T any](o order, rows []T, key, id func(T) string) {
	slices.SortFunc(rows, func(a, b T) int {
		c := cmp.Or(strings.Compare(key(a), key(b)), strings.Compare(id(a), id(b)))
		if o.down {
			return -c
		}
		return c
	})
}
