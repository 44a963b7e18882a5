package plant

import (
	"bytes"
	"strings"
)

// yamlOutline returns the outline of a YAML document, nil if it has a fault or no
// points that could be parsed in parts: they must be a block map in which each
// point begins with its id at the beginning of a line.
//
// A part is a document of its own for the library. Where it has no fault it
// means the same there as in the whole file: between two lines that begin at
// the indentation of the map, the library is inside of nothing but quotes and
// brackets that are still open, and those are a fault of the part.
func yamlOutline(text string, size int) *outline {
	for _, lineBreak := range []string{"\u0085", "\u2028", "\u2029"} {
		if strings.Contains(text, lineBreak) {
			return nil
		}
	}
	if strings.Count(text, "\r") != strings.Count(text, "\r\n") {
		return nil
	}
	c := yamlCutter{text: text, size: size}
	if !c.cut() {
		return nil
	}
	root, problems := yamlTree(c.rest())
	if len(problems) > 0 || root.Kind != Map {
		return nil
	}
	f := root.field("points")
	if f == nil || f.Line != c.line || !f.Value.IsNull() {
		return nil
	}
	first := c.parts[0]
	*f.Value = Node{Kind: Map, Line: first.line, Col: first.col}
	return &outline{root: root, parts: c.parts, parse: yamlPart}
}

// yamlCutter cuts the points out of a YAML document, line by line.
type yamlCutter struct {
	text       string
	size       int // of a part, at least
	line       int32
	begin, end int // of the lines of the points
	indent     int // of the points
	parts      []part
}

// cut finds the points and divides them; false if it cannot.
func (c *yamlCutter) cut() bool {
	const key = "points:"
	switch {
	case strings.HasPrefix(c.text, key):
		c.begin = 0
	default:
		at := strings.Index(c.text, "\n"+key)
		if at < 0 {
			return false
		}
		c.begin = at + 1
	}
	c.line = int32(strings.Count(c.text[:c.begin], "\n")) + 1
	line, rest, more := strings.Cut(c.text[c.begin+len(key):], "\n")
	if !more || !isBlank(line) {
		return false
	}
	c.begin = len(c.text) - len(rest)
	return c.divide()
}

// isBlank reports whether there is at most a comment in what follows a colon.
func isBlank(line string) bool {
	rest := strings.TrimLeft(line, " ")
	return strings.TrimRight(rest, "\r") == "" || rest[0] == '#' && len(rest) < len(line)
}

// divide goes through the lines of the points up to the next key of the file.
func (c *yamlCutter) divide() bool {
	at, points := c.begin, 0
	var next part
	begin := c.begin
	for line := c.line + 1; at < len(c.text); line++ {
		length := strings.IndexByte(c.text[at:], '\n') + 1
		if length == 0 {
			length = len(c.text) - at
		}
		switch c.kind(c.text[at : at+length]) {
		case yamlOther:
			return false
		case yamlEnd:
			c.end = at
			return c.close(next, begin, at, points)
		case yamlPoint:
			if points == 0 || at-begin >= c.size {
				if points > 0 {
					c.close(next, begin, at, points)
				}
				begin, next = at, part{line: line, col: int32(c.indent) + 1, first: points}
			}
			points++
		}
		at += length
	}
	c.end = at
	return c.close(next, begin, at, points)
}

// close ends a part; false if there is none.
func (c *yamlCutter) close(p part, begin, end, points int) bool {
	p.text, p.points = c.text[begin:end], points-p.first
	c.parts = append(c.parts, p)
	return points > 0
}

// yamlLine is what a line is to the map of points.
type yamlLine uint8

const (
	yamlInner yamlLine = iota // it is part of a point, or there is nothing in it
	yamlPoint                 // a point begins
	yamlEnd                   // the map has ended before it
	yamlOther                 // the map must be parsed as a whole
)

func (c *yamlCutter) kind(line string) yamlLine {
	content := strings.TrimLeft(line, " ")
	indent := len(line) - len(content)
	if content == "" || strings.IndexByte("\r\n#", content[0]) >= 0 {
		return yamlInner
	}
	if c.indent == 0 {
		c.indent = indent
	}
	switch {
	case indent == 0:
		return yamlEnd
	case indent > c.indent || indent == c.indent && content[0] == '-': // an item of a list may be as far left as its key
		return yamlInner
	case indent < c.indent || strings.IndexByte("\t?:", content[0]) >= 0: // a key apart from its colon, or hard to see
		return yamlOther
	default:
		return yamlPoint
	}
}

// rest returns the document with blank lines in the place of the points.
func (c *yamlCutter) rest() string {
	blank := bytes.Repeat([]byte("\n"), strings.Count(c.text[c.begin:c.end], "\n"))
	return c.text[:c.begin] + string(blank) + c.text[c.end:]
}

// yamlPart parses points as a document of their own.
func yamlPart(a *arena, part part) ([]Field, Problems) {
	above := part.line - 1
	doc, problems := yamlDocument(part.text)
	for i := range problems {
		problems[i].Line += int(above)
	}
	if len(problems) > 0 {
		return nil, problems
	}
	b := treeBuilder{arena: a, strings: newInterner(), above: above}
	b.trail.enter("points")
	n := b.node(doc, 2)
	if len(b.problems) == 0 && (n.Kind != Map || len(n.Fields) != part.points) {
		b.problem(doc, "is not a map with a line for each id")
	}
	return n.Fields, b.problems
}
