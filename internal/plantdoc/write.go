package plantdoc

import (
	"slices"
	"unicode/utf8"
)

// JSON returns a whole plant document, in which every object is once. Objects of
// the same bodies give the same octets in whatever order they are.
func JSON(objs []Object) []byte {
	objs = sorted(objs)
	size := 64
	for i := range objs {
		size += len(objs[i].ID) + len(objs[i].Body) + 4
	}
	out := append(make([]byte, 0, size), `{"version":1`...)
	for _, section := range Sections() {
		out = append(out, ',', '"')
		out = append(out, section...)
		out = append(out, `":{`...)
		for first := true; len(objs) > 0 && objs[0].Section == section; objs = objs[1:] {
			if !first {
				out = append(out, ',')
			}
			first = false
			out = append(AppendText(out, objs[0].ID), ':')
			out = append(out, objs[0].Body...)
		}
		out = append(out, '}')
	}
	return append(out, '}')
}

// sorted returns the objects in order of Compare; it may be the slice itself.
func sorted(objs []Object) []Object {
	if slices.IsSortedFunc(objs, Compare) {
		return objs
	}
	return slices.SortedStableFunc(slices.Values(objs), Compare)
}

// AppendText appends a JSON string with no more escapes than it needs.
func AppendText(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		case c < utf8.RuneSelf:
			dst = append(dst, c)
		default:
			r, size := utf8.DecodeRuneInString(s[i:])
			dst = utf8.AppendRune(dst, r) // what is no UTF-8 becomes U+FFFD
			i += size
			continue
		}
		i++
	}
	return append(dst, '"')
}

// Diff returns what has to happen to make after of before, in order of section and id.
func Diff(before, after []Object) []Change {
	before, after = sorted(before), sorted(after)
	var changes []Change
	for len(before) > 0 || len(after) > 0 {
		order := 0
		switch {
		case len(before) == 0:
			order = 1
		case len(after) == 0:
			order = -1
		default:
			order = Compare(before[0], after[0])
		}
		var c Change
		if order <= 0 {
			c = Change{Section: before[0].Section, ID: before[0].ID, Before: before[0].Body}
			before = before[1:]
		}
		if order >= 0 {
			c.Section, c.ID, c.After = after[0].Section, after[0].ID, after[0].Body
			after = after[1:]
		}
		if !c.None() {
			changes = append(changes, c)
		}
	}
	return changes
}
