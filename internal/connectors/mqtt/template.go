package mqtt

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"text/template"
	"text/template/parse"

	"busbar/internal/point"
)

// topicTemplate is a template of a topic over about.
type topicTemplate struct {
	text  *template.Template
	fault string
}

func newTopicTemplate(text string) *topicTemplate {
	t, err := newTemplate(text)
	if err != nil {
		return &topicTemplate{fault: err.Error()}
	}
	return &topicTemplate{text: t}
}

// topic returns the topic of a point, or why there is none.
func (t *topicTemplate) topic(a *about) (topic, fault string) {
	if t.fault != "" {
		return "", t.fault
	}
	var out limited
	if err := t.text.Execute(&out, a); err != nil {
		return "", plain(err).Error()
	}
	return out.String(), ""
}

// newTemplate parses a template without loops.
func newTemplate(text string) (*template.Template, error) {
	t, err := template.New("").Option("missingkey=error").Funcs(template.FuncMap{"json": asJSON}).Parse(text)
	switch {
	case err != nil:
		return nil, plain(err)
	case t.Tree == nil || len(t.Templates()) > 1 || loops(t.Root):
		return nil, errors.New("has a loop or another template, want a plain one")
	}
	return t, nil
}

func asJSON(v any) (string, error) {
	text, err := json.Marshal(v)
	return string(text), err
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

// plain takes the name and line of the template from an error.
func plain(err error) error {
	text := strings.TrimPrefix(err.Error(), "template: :")
	first, _, _ := strings.Cut(text, "\n")
	return errors.New("line " + first)
}

// limited is a buffer that takes as much as a payload may have.
type limited struct{ bytes.Buffer }

var errLong = errors.New("yields more than 1 MiB")

// Write implements [io.Writer].
func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > maxPayload {
		return 0, errLong
	}
	return l.Buffer.Write(p)
}

// fields are what the template of a payload may use.
type fields struct {
	about
	Value           any // true, the name of a state, a number, a text, or nil
	Number          any // the value as a number, or nil
	Transient       bool
	Quality         []string
	Good            bool
	Time            string // empty: none
	TimeInvalid     bool
	TimeSubstituted bool
	Received        string
	Seq             uint64
}

// appendTemplate appends what a template makes of a value.
func appendTemplate(b []byte, t *template.Template, r *reading) ([]byte, error) {
	f := fields{
		about: *r.about, Quality: r.quality.Words(), Good: r.quality.Good(),
		TimeInvalid: r.timeQ&point.TimeInvalid != 0, TimeSubstituted: r.timeQ&point.TimeSubstituted != 0, Seq: r.seq,
	}
	if r.value.Type() != 0 {
		f.Value = plainValue(appendValue(nil, r.value, r.convert))
		if n, ok := r.value.Number(); ok {
			f.Number = plainValue(appendNumber(nil, r.value, n, r.convert))
		}
	}
	if r.value.Type() == point.Step {
		_, f.Transient = r.value.Step()
	}
	if r.time != 0 {
		f.Time = string(appendTime(nil, r.time))
	}
	if r.arrival != 0 {
		f.Received = string(appendTime(nil, r.arrival))
	}
	var out limited
	if err := t.Execute(&out, &f); err != nil {
		if errors.Is(err, errLong) {
			return b, errLong
		}
		return b, plain(err)
	}
	return append(b, out.Bytes()...), nil
}

// plainValue makes of JSON what a template prints like it: a number stays in its
// form.
func plainValue(text []byte) any {
	switch text[0] {
	case '"':
		var s string
		if json.Unmarshal(text, &s) == nil {
			return s
		}
	case 't':
		return true
	case 'f':
		return false
	}
	return json.Number(text)
}

// checkPayload returns what is wrong with the template of a payload for points of
// a type; empty: nothing.
func checkPayload(t *Target, typ point.Type) string {
	tmpl, err := newTemplate(t.Payload)
	if err != nil {
		return err.Error()
	}
	for _, v := range samples(typ) {
		r := reading{about: &t.about, value: v, time: 1_600_000_000_000_000_000, arrival: 1_600_000_000_000_000_000, seq: math.MaxUint64}
		text, err := appendTemplate(nil, tmpl, &r)
		switch {
		case err != nil:
			return err.Error()
		case t.Batch.Count > 0 && !json.Valid(text):
			return "yields " + shorten(string(text)) + ", want JSON: a batch is an array of it"
		}
	}
	return ""
}

// samples are values of a type, and none.
func samples(typ point.Type) []point.Value {
	list := []point.Value{{}}
	switch typ {
	case point.Single:
		return append(list, point.SingleValue(true))
	case point.Double:
		return append(list, point.DoubleValue(point.DoubleOff))
	case point.Step:
		return append(list, point.StepValue(-7, true))
	case point.Bits:
		return append(list, point.BitsValue(math.MaxUint32))
	case point.Int:
		return append(list, point.IntValue(math.MinInt64))
	case point.Counter:
		return append(list, point.CounterValue(math.MaxInt64))
	case point.Text:
		return append(list, point.TextValue("a \"text\""))
	default:
		return append(list, point.FloatValue(-7.25))
	}
}
