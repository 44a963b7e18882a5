package plant

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Problem is one fault of a plant file, or one warning about it.
type Problem struct {
	File      string
	Line, Col int    // from 1; 0 where the fault has no place in the file
	Path      string // keys from the root, "points.ons4711/t1/oil.to[0].ca"; empty: the whole file
	Text      string // what is wrong, what is wanted
}

// String returns "file:line:col: path: text", without the parts that are absent.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Col)
	}
	if p.Path != "" {
		b.WriteString(": ")
		b.WriteString(p.Path)
	}
	b.WriteString(": ")
	b.WriteString(p.Text)
	return b.String()
}

// Problems are all faults of a plant file, in order of position. An empty
// Problems is no error: compare its length, not an error interface, with nil.
type Problems []Problem

// Error returns the problems, one on each line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Err returns the problems as an error, nil if there are none.
func (ps Problems) Err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}

func (ps Problems) sort() {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Text, b.Text))
	})
}

// FieldProblem is a fault found by a decoder, at a path relative to the node
// that the decoder was given. The plant turns the path into a position.
type FieldProblem struct {
	// Path is made with [Key] and [Item]: "tls.ca", "allow[0]"; empty is the
	// node itself. It may name a key that is absent.
	Path string
	Text string // what is wrong, what is wanted

	line, col int32    // position, where the path does not say it well
	unknown   string   // the key, where the fault is an unknown key
	known     []string // the keys that would be right there
}

// Key returns path extended by a key of a map. Keys that hold other characters
// than letters, digits, "_", "-" and "/" are quoted.
func Key(path, key string) string {
	plain := key != "" && strings.IndexFunc(key, func(r rune) bool { return !isPlain(r) }) < 0
	if !plain {
		key = strconv.Quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func isPlain(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '-' || r == '/'
}

// Item returns path extended by the index of an item of a list.
func Item(path string, index int) string {
	return path + "[" + strconv.Itoa(index) + "]"
}
