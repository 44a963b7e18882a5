package plant

import "strings"

// jsonOutline returns the outline of a JSON document, nil if it has a fault or no
// points that could be parsed in parts.
func jsonOutline(text string, size int) *outline {
	o := &outline{parse: jsonPart}
	p := jsonParser{
		text: strings.TrimPrefix(text, "\ufeff"), line: 1, col: 1, arena: &arena{}, strings: newInterner(), parts: &o.parts, partSize: size,
	}
	o.root = p.document()
	if p.failed != nil || len(p.problems) > 0 || len(o.parts) == 0 {
		return nil
	}
	return o
}

// leaveOut passes over a map, which begins at the next character, and divides
// it into parts. What it passes over is looked at when the parts are parsed.
func (p *jsonParser) leaveOut() *Node {
	n := p.new(Map)
	begin, points, depth := -1, 0, 0
	var next part
	for ; p.at < len(p.text) && p.failed == nil; p.at++ {
		c := p.text[p.at]
		switch c {
		case '"':
			p.passString()
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		if depth > 1 || depth == 1 && c != ',' && begin >= 0 {
			continue
		}
		if begin >= 0 { // a point ends
			points++
			if depth == 1 && p.at-begin < p.partSize {
				continue
			}
			next.text, next.points = p.text[begin:p.at+1], points-next.first
			*p.parts = append(*p.parts, next)
		}
		if depth == 0 {
			p.expect('}', "}")
			return n
		}
		begin = p.at + 1
		next = part{first: points}
		p.at++
		next.line, next.col = p.place()
		p.at--
	}
	p.at = min(p.at, len(p.text))
	p.fail("the end of the points")
	return n
}

// passString goes to the quote at the end of a string.
func (p *jsonParser) passString() {
	for p.at++; p.at < len(p.text) && p.text[p.at] != '"'; p.at++ {
		if p.text[p.at] == '\\' {
			p.at++
		}
	}
}

// jsonPart parses points up to the comma or bracket behind the last.
func jsonPart(a *arena, part part) ([]Field, Problems) {
	p := jsonParser{text: part.text, line: int(part.line), col: int(part.col), arena: a, strings: newInterner()}
	p.trail.enter("points")
	n := a.node(Map, part.line, part.col)
	var seen keySet
	for p.failed == nil && p.at < len(p.text) {
		p.field(n, &seen, 2)
		if p.next() != ',' && p.at+1 < len(p.text) {
			p.fail("a comma or }")
		}
		p.at++
	}
	if p.failed != nil {
		return nil, append(p.problems, *p.failed)
	}
	return n.Fields, p.problems
}
