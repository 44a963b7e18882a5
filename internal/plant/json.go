package plant

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// jsonTree makes a tree of a JSON document. It stops at the first fault of
// syntax; keys that occur twice are all reported.
func jsonTree(text string) (*Node, Problems) {
	p := jsonParser{text: strings.TrimPrefix(text, "\ufeff"), line: 1, col: 1, arena: &arena{}, strings: internerFor(text)}
	root := p.document()
	if p.failed != nil {
		return nil, append(p.problems, *p.failed)
	}
	return root, p.problems
}

// jsonParser reads JSON from left to right. After a fault of syntax every
// method returns at once.
type jsonParser struct {
	text     string
	at       int // of the next character
	line     int // of counted
	col      int
	counted  int   // up to here lines and columns were counted
	trail    trail // to the node under way
	problems Problems
	failed   *Problem
	arena    *arena
	strings  *interner
	parts    *[]part // takes the points, which are left out of the tree; nil: they are not
	partSize int     // of a part, at least
}

// place counts on to the next character and returns its position.
func (p *jsonParser) place() (line, col int32) {
	passed := p.text[p.counted:p.at]
	if i := strings.LastIndexByte(passed, '\n'); i >= 0 {
		p.line += strings.Count(passed, "\n")
		p.col = 1
		passed = passed[i+1:]
	}
	p.col += utf8.RuneCountInString(passed)
	p.counted = p.at
	return int32(p.line), int32(p.col)
}

func (p *jsonParser) fail(want string) {
	if p.failed != nil {
		return
	}
	found := "the end of the file"
	if p.at < len(p.text) {
		r, _ := utf8.DecodeRuneInString(p.text[p.at:])
		found = strconv.QuoteRune(r)
	}
	line, col := p.place()
	p.failed = &Problem{Line: int(line), Col: int(col), Path: p.trail.String(), Text: "not JSON: found " + found + ", want " + want}
}

// next skips white space and returns the next octet, 0 at the end.
func (p *jsonParser) next() byte {
	for ; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

// new returns a node at the place of the next character.
func (p *jsonParser) new(kind NodeKind) *Node {
	line, col := p.place()
	return p.arena.node(kind, line, col)
}

func (p *jsonParser) document() *Node {
	if !utf8.ValidString(p.text) {
		for r, size := rune(0), 0; r != utf8.RuneError || size != 1; p.at += size {
			r, size = utf8.DecodeRuneInString(p.text[p.at:])
		}
		p.at--
		p.fail("UTF-8")
		return nil
	}
	if p.next() == 0 && p.at == len(p.text) {
		p.fail(`{"version":1}`)
		return nil
	}
	n := p.value(1)
	if p.next(); p.failed == nil && p.at < len(p.text) {
		p.fail("the end of the file")
	}
	return n
}

func (p *jsonParser) value(depth int) *Node {
	c := p.next()
	if depth > maxDepth {
		p.fail(fmt.Sprintf("at most %d levels", maxDepth))
		return nil
	}
	if p.arena.full() {
		p.fail(wantFewer)
		return nil
	}
	switch {
	case p.failed != nil:
		return nil
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.array(depth)
	case c == '"':
		n := p.new(Scalar)
		n.Quoted = true
		n.Text = p.str()
		return n
	default:
		return p.word()
	}
}

func (p *jsonParser) object(depth int) *Node {
	n := p.new(Map)
	p.at++
	if p.next() == '}' {
		p.at++
		return n
	}
	var seen keySet
	for p.failed == nil {
		p.field(n, &seen, depth)
		if p.next() == '}' {
			p.at++
			break
		}
		p.expect(',', "a comma or }")
	}
	return n
}

// field reads a key and its value and adds them to n.
func (p *jsonParser) field(n *Node, seen *keySet, depth int) {
	if p.next() != '"' {
		p.fail("a key in quotes")
		return
	}
	var f Field
	f.Line, f.Col = p.place()
	f.Key = p.str()
	p.trail.enter(f.Key)
	defer p.trail.leave()
	p.expect(':', "a colon after the key")
	if p.parts != nil && depth == 1 && f.Key == "points" && p.next() == '{' {
		f.Value = p.leaveOut()
	} else {
		f.Value = p.value(depth + 1)
	}
	if first, ok := seen.add(n.Fields, f.Key); !ok {
		p.problems = append(p.problems, Problem{Line: int(f.Line), Col: int(f.Col), Path: p.trail.String(), Text: occursTwice(first)})
		return
	}
	n.Fields = append(n.Fields, f)
}

func (p *jsonParser) array(depth int) *Node {
	n := p.new(List)
	p.at++
	if p.next() == ']' {
		p.at++
		return n
	}
	for p.failed == nil {
		p.trail.enterItem(len(n.Items))
		n.Items = append(n.Items, p.value(depth+1))
		p.trail.leave()
		if p.next() == ']' {
			p.at++
			break
		}
		p.expect(',', "a comma or ]")
	}
	return n
}

func (p *jsonParser) expect(c byte, want string) {
	if p.next() != c {
		p.fail(want)
		return
	}
	p.at++
}

// word reads true, false, null or a number.
func (p *jsonParser) word() *Node {
	rest := p.text[p.at:]
	end := strings.IndexFunc(rest, func(r rune) bool { return strings.ContainsRune(" \t\r\n,:]}[{\"", r) })
	if end < 0 {
		end = len(rest)
	}
	word := rest[:end]
	if word != "true" && word != "false" && word != "null" && !isNumber(word) {
		p.fail("a value")
		return nil
	}
	n := p.new(Scalar)
	n.Text = p.strings.take(word)
	p.at += end
	return n
}

// isNumber reports whether s is a number by the grammar of JSON.
func isNumber(s string) bool {
	s = strings.TrimPrefix(s, "-")
	whole := digits(s)
	if whole == 0 || whole > 1 && s[0] == '0' {
		return false
	}
	s = s[whole:]
	if fraction, ok := strings.CutPrefix(s, "."); ok {
		d := digits(fraction)
		if d == 0 {
			return false
		}
		s = fraction[d:]
	}
	if s == "" {
		return true
	}
	if s[0] != 'e' && s[0] != 'E' {
		return false
	}
	s = s[1:]
	if s != "" && (s[0] == '+' || s[0] == '-') {
		s = s[1:]
	}
	return s != "" && digits(s) == len(s)
}

// digits returns how many digits s begins with.
func digits(s string) int {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return i
		}
	}
	return len(s)
}

// str reads a string in quotes.
func (p *jsonParser) str() string {
	start, escapes := p.at, false
	for p.at++; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; {
		case c == '\\':
			escapes = true
			p.at++
		case c < ' ':
			p.fail("control characters as escapes")
			return ""
		case c == '"':
			p.at++
			if escapes {
				return p.unescape(start)
			}
			return p.strings.take(p.text[start+1 : p.at-1])
		}
	}
	p.at = len(p.text)
	p.fail("a quote at the end of the text")
	return ""
}

// unescape returns the string from start, which was just read.
func (p *jsonParser) unescape(start int) string {
	var s string
	if err := json.Unmarshal([]byte(p.text[start:p.at]), &s); err != nil {
		p.at = start
		p.fail("a string with the escapes of JSON")
	}
	return s
}
