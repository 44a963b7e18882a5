package mapping

import (
	"strings"

	"github.com/tidwall/gjson"
)

// walker goes through a JSON document once and takes the values that paths
// lead to. The document must be valid: the walker does not check it. Where a
// key occurs more than once in an object, the first that leads to a value counts.
type walker struct {
	doc    string
	values []string // by slot; empty if absent
	left   int      // slots still empty; the walk ends when there are none
}

// value takes what it needs of the value that begins at i and returns the
// index behind it.
func (w *walker) value(n *node, i int) int {
	if n.slot >= 0 && w.values[n.slot] == "" {
		w.values[n.slot] = w.doc[i:skip(w.doc, i)]
		w.left--
	}
	switch {
	case w.doc[i] == '{' && n.keys != nil:
		return w.object(n, i)
	case w.doc[i] == '[' && n.items != nil:
		return w.array(n, i)
	default:
		return skip(w.doc, i)
	}
}

func (w *walker) object(n *node, i int) int {
	for i++; w.left > 0; {
		i = skipSpace(w.doc, i)
		switch w.doc[i] {
		case '}':
			return i + 1
		case ',':
			i = skipSpace(w.doc, i+1)
		}
		end := skipString(w.doc, i)
		key := unquote(w.doc[i:end])
		i = skipSpace(w.doc, end)
		i = skipSpace(w.doc, i+1) // behind the colon
		if next := n.keys[key]; next != nil {
			i = w.value(next, i)
		} else {
			i = skip(w.doc, i)
		}
	}
	return i
}

func (w *walker) array(n *node, i int) int {
	items := n.items
	i++
	for at := 0; w.left > 0; at++ {
		i = skipSpace(w.doc, i)
		switch w.doc[i] {
		case ']':
			return i + 1
		case ',':
			i = skipSpace(w.doc, i+1)
		}
		if len(items) > 0 && items[0].index == at {
			i = w.value(items[0].node, i)
			items = items[1:]
		} else {
			i = skip(w.doc, i)
		}
	}
	return i
}

// skip returns the index behind the value that begins at i.
func skip(doc string, i int) int {
	switch doc[i] {
	case '"':
		return skipString(doc, i)
	case '{', '[':
		return skipNested(doc, i)
	}
	for i++; i < len(doc); i++ {
		switch doc[i] {
		case ',', '}', ']', ' ', '\t', '\n', '\r':
			return i
		}
	}
	return i
}

func skipNested(doc string, i int) int {
	for depth := 0; ; i++ {
		switch doc[i] {
		case '"':
			i = skipString(doc, i) - 1
		case '{', '[':
			depth++
		case '}', ']':
			depth--
			if depth == 0 {
				return i + 1
			}
		}
	}
}

func skipString(doc string, i int) int {
	for i++; doc[i] != '"'; i++ {
		if doc[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func skipSpace(doc string, i int) int {
	for i < len(doc) && (doc[i] == ' ' || doc[i] == '\n' || doc[i] == '\r' || doc[i] == '\t') {
		i++
	}
	return i
}

// unquote returns the content of a JSON string.
func unquote(raw string) string {
	if strings.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1]
	}
	return gjson.Parse(raw).Str
}

// tooDeep reports whether brackets outside of strings are nested deeper than
// limit. The document need not be valid.
func tooDeep(doc string, limit int) bool {
	if strings.Count(doc, "{")+strings.Count(doc, "[") <= limit {
		return false
	}
	depth, quoted := 0, false
	for i := 0; i < len(doc); i++ {
		switch c := doc[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
			if depth > limit {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}
