package plantdoc

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"busbar/internal/plant"
)

// Parse reads a plant file, JSON if its name ends in .json, otherwise YAML, into objects in
// order of [Compare]. Aliases and merge keys of YAML are resolved, comments are lost, and
// references to secrets stay as they are. It reports what is wrong with the syntax, with the keys
// of the outermost map and with keys that occur twice; what is in the objects is not looked at.
// Texts, numbers, true, false and null are told apart as the plant does, so that a
// plant decoded from [JSON] of the objects is the one decoded from the file.
func Parse(name string, data []byte) ([]Object, plant.Problems) {
	var found []located
	problems := plant.Entries(name, data, func() { found = found[:0] }, func(section string, f *plant.Field) {
		body := AppendNode(nil, f.Value)
		found = append(found, located{Object{Section(section), f.Key, body}, f.Line, f.Col})
	})
	if len(problems) > 0 {
		return nil, problems
	}
	slices.SortStableFunc(found, func(a, b located) int { return Compare(a.Object, b.Object) })
	objs := make([]Object, len(found))
	for i := range found {
		objs[i] = found[i].Object
		if i > 0 && Compare(objs[i-1], objs[i]) == 0 {
			problems = append(problems, twice(name, found, i))
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return objs, nil
}

// located is an object and where its key is in the file.
type located struct {
	Object
	line, col int32
}

// twice is the problem of an object whose id the one before has as well.
func twice(name string, found []located, i int) plant.Problem {
	o := found[i]
	first := slices.IndexFunc(found[:i], func(l located) bool { return Compare(l.Object, o.Object) == 0 })
	return plant.Problem{
		File: name, Line: int(o.line), Col: int(o.col), Path: plant.Key(string(o.Section), o.ID),
		Text: fmt.Sprintf("occurs twice, first in line %d", found[first].line),
	}
}

// ParseObject reads the value of one object, JSON if the name ends in .json, otherwise YAML,
// and returns it as canonical JSON. The error is [plant.Problems] with paths within the object.
func ParseObject(name string, data []byte) ([]byte, error) {
	root, problems := plant.Tree(name, data)
	if len(problems) > 0 {
		return nil, problems
	}
	if root.Kind != plant.Map {
		return nil, plant.Problems{{File: name, Line: int(root.Line), Col: int(root.Col), Text: errNoMap.Error()}}
	}
	return AppendNode(nil, root), nil
}

var errNoMap = errors.New("want a map of keys")

// Canonical returns JSON of any form as canonical JSON.
func Canonical(data []byte) ([]byte, error) {
	root, problems := plant.Tree(".json", data)
	if len(problems) > 0 {
		return nil, problems
	}
	return AppendNode(nil, root), nil
}

// AppendNode appends canonical JSON of a syntax tree to dst: compact, the keys of every map
// ascending, numbers as they were written. Scalars without quotes that are no number of JSON and
// not true, false or null are texts.
func AppendNode(dst []byte, n *plant.Node) []byte {
	switch n.Kind {
	case plant.Map:
		fields := n.Fields
		if !slices.IsSortedFunc(fields, byKey) {
			fields = slices.SortedFunc(slices.Values(fields), byKey)
		}
		dst = append(dst, '{')
		for i := range fields {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(AppendText(dst, fields[i].Key), ':')
			dst = AppendNode(dst, fields[i].Value)
		}
		return append(dst, '}')
	case plant.List:
		dst = append(dst, '[')
		for i, item := range n.Items {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = AppendNode(dst, item)
		}
		return append(dst, ']')
	default:
		return appendScalar(dst, n)
	}
}

func byKey(a, b plant.Field) int { return cmp.Compare(a.Key, b.Key) }

func appendScalar(dst []byte, n *plant.Node) []byte {
	switch {
	case n.IsNull():
		return append(dst, "null"...)
	case n.IsNumber(), !n.Quoted && (n.Text == "true" || n.Text == "false"):
		return append(dst, n.Text...)
	default:
		return AppendText(dst, n.Text)
	}
}
