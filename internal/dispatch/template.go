package dispatch

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"text/template"
	"text/template/parse"
)

// Template is a text with fields, such as the payload of a message. It has no
// loops, no function of it yields more than 64 KiB, and `json` writes a field as
// JSON. It may be used from any goroutine.
type Template struct{ text *template.Template }

// NewTemplate parses a template in the syntax of text/template. Its error says
// where something is wrong.
func NewTemplate(text string) (*Template, error) {
	t, err := template.New("").Option("missingkey=error").Funcs(functions()).Parse(text)
	switch {
	case err != nil:
		return nil, plain(err)
	case t.Tree == nil || len(t.Templates()) > 1 || loops(t.Root):
		return nil, errors.New("has a loop or another template, want a plain one")
	}
	return &Template{t}, nil
}

// Execute returns what the template makes of the fields, a struct or a pointer to
// one. It fails if that is longer than most octets.
func (t *Template) Execute(fields any, most int) ([]byte, error) {
	out := limited{most: most}
	err := t.text.Execute(&out, fields)
	switch {
	case errors.Is(err, errLong):
		return nil, fmt.Errorf("yields more than %d KiB", most>>10)
	case err != nil:
		return nil, plain(err)
	}
	return out.Bytes(), nil
}

// loops reports whether a part of a template may be carried out more than once.
func loops(n parse.Node) bool {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return false
		}
		for _, child := range n.Nodes {
			if loops(child) {
				return true
			}
		}
	case *parse.IfNode:
		return loops(n.List) || loops(n.ElseList)
	case *parse.WithNode:
		return loops(n.List) || loops(n.ElseList)
	case *parse.RangeNode, *parse.TemplateNode:
		return true
	}
	return false
}

// plain takes the name of the template from an error.
func plain(err error) error {
	text := strings.TrimPrefix(err.Error(), "template: :")
	first, _, _ := strings.Cut(text, "\n")
	return errors.New("line " + first)
}

// limited is a buffer that takes only so much.
type limited struct {
	bytes.Buffer
	most int
}

var errLong = errors.New("too long")

// Write implements [io.Writer].
func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > l.most {
		return 0, errLong
	}
	return l.Buffer.Write(p)
}
