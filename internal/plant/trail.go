package plant

import (
	"strconv"
	"strings"
)

// trail is the way from a node to one below it. It is kept while a tree is
// walked and becomes a path only when there is something to report.
type trail []step

type step struct {
	key  string
	item int // index in a list, if not negative
}

func (t *trail) enter(key string) { *t = append(*t, step{key, -1}) }
func (t *trail) enterItem(i int)  { *t = append(*t, step{"", i}) }
func (t *trail) leave()           { *t = (*t)[:len(*t)-1] }

// String returns the path, such as "tls.ca" or "allow[0]".
func (t trail) String() string {
	path := ""
	for _, s := range t {
		if s.item >= 0 {
			path = Item(path, s.item)
		} else {
			path = Key(path, s.key)
		}
	}
	return path
}

// parsePath returns the trail of a path made by [Key] and [Item].
func parsePath(path string) trail {
	var t trail
	for path != "" {
		switch path[0] {
		case '.':
			path = path[1:]
		case '[':
			end := strings.IndexByte(path, ']')
			if end < 0 {
				return t
			}
			i, err := strconv.Atoi(path[1:end])
			if err != nil {
				return t
			}
			t.enterItem(i)
			path = path[end+1:]
		case '"':
			quoted, err := strconv.QuotedPrefix(path)
			if err != nil {
				return t
			}
			key, err := strconv.Unquote(quoted)
			if err != nil {
				return t
			}
			t.enter(key)
			path = path[len(quoted):]
		default:
			end := strings.IndexAny(path, ".[")
			if end < 0 {
				end = len(path)
			}
			t.enter(path[:end])
			path = path[end:]
		}
	}
	return t
}

// find returns the position of what a trail from the value of f leads to.
// Where a key or item is absent, it is the position of the last one that is there.
func (f *Field) find(t trail) (line, col int32) {
	line, col = f.at()
	n := f.Value
	for _, s := range t {
		switch {
		case s.item >= 0 && s.item < len(n.Items):
			n = n.Items[s.item]
			line, col = n.Line, n.Col
		case s.item < 0 && n.field(s.key) != nil:
			below := n.field(s.key)
			line, col = below.at()
			n = below.Value
		default:
			return line, col
		}
	}
	return line, col
}

// at returns where problems of the value of the field are shown: at the value,
// or at the key where the value is on further lines.
func (f *Field) at() (line, col int32) {
	if f.Value.Line == f.Line {
		return f.Value.Line, f.Value.Col
	}
	return f.Line, f.Col
}

// CutPath cuts the path of a problem into the section, the id, and the path within the
// object; empty where the path is shorter.
func CutPath(path string) (section, id, rest string) {
	t := parsePath(path)
	switch {
	case len(t) == 0:
		return "", "", ""
	case len(t) == 1:
		return t[0].key, "", ""
	default:
		return t[0].key, t[1].key, t[2:].String()
	}
}
