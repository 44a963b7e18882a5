package mapping

import (
	"strings"
	"unsafe"

	"github.com/tidwall/gjson"

	"busbar/internal/point"
)

// message is the state of one call of Map.
type message struct {
	groups   []uint32
	template point.Update // what all updates of the message have in common
	out      Outcome
	doc      string // the payload without space around it
	form     form
	why      Reason // why it is not JSON that can be read

	// Of the present group.
	values  []string // raw JSON by slot
	useless bool     // a point could not use the message at all

	// The time of the message is mostly the same for all its points.
	timed     bool
	timeSlot  int32
	timeValue stamp
}

// form is what a payload is.
type form uint8

const (
	formJSON    form = iota
	formText         // not JSON: taken as text by points that take the whole payload
	formUseless      // too long or nested too deep: of no use to any point
)

// read looks at the payload. It returns false if there is nothing in it.
func (m *message) read(payload []byte, limit, nesting int) bool {
	// The payload is not changed before Map returns, and nothing that Map
	// returns refers to it.
	m.doc = strings.TrimSpace(unsafe.String(unsafe.SliceData(payload), len(payload)))
	switch {
	case m.doc == "":
		m.out.note(Empty, point.None, "", "")
		return false
	case len(payload) > limit:
		m.form, m.why = formUseless, TooLong
	case tooDeep(m.doc, nesting):
		m.form, m.why = formUseless, TooDeep
	case gjson.Valid(m.doc):
		m.form = formJSON
	default:
		m.form, m.why = formText, NotJSON
	}
	return true
}

// begin prepares for the points of a group.
func (m *message) begin(l *layout) {
	m.find(l)
	m.timed, m.useless = false, false
}

// end notes what concerns the group as a whole.
func (m *message) end() {
	if m.useless {
		m.out.note(m.why, point.None, "", m.doc)
	}
}

// find puts the value of every path of the layout into its slot.
func (m *message) find(l *layout) {
	n := len(l.paths)
	if cap(m.values) < n {
		m.values = make([]string, n)
	}
	m.values = m.values[:n]
	clear(m.values)
	if l.whole != noSlot {
		m.values[l.whole] = m.doc
	}
	if l.root == nil || m.form != formJSON {
		return
	}
	w := walker{doc: m.doc, values: m.values, left: n}
	if l.whole != noSlot {
		w.left--
	}
	w.value(l.root, 0)
}

// update fills in the update of one point, which it names; false if the message
// holds no reading of it.
func (m *message) update(u *point.Update, l *layout, r *rule) bool {
	tok := m.token(l, r.value)
	if tok.kind == absent && !r.missingInvalid {
		m.out.note(Missing, u.Point, l.path(r.value), "")
		return false
	}
	t := m.stamp(u.Point, l, r)
	u.Time, u.TimeQuality = t.time, t.quality
	m.remark(u, r)
	if r.quality != noSlot {
		m.qualify(u, l, r)
	}
	if tok.kind == useless {
		m.useless = true
		u.Quality |= point.Invalid
		u.Flags |= point.KeepValue
		return true
	}
	v, over, why := r.convert(tok)
	if why != 0 {
		m.out.note(why, u.Point, l.path(r.value), tok.text)
	}
	if v.Type() == 0 {
		u.Quality |= point.Invalid
		u.Flags |= point.KeepValue
		return true
	}
	u.Value = m.transient(v, r)
	if over {
		u.Quality |= point.Overflow
	}
	return true
}

// token returns the value in a slot.
func (m *message) token(l *layout, slot int32) token {
	switch {
	case m.form == formUseless:
		return token{kind: useless}
	case m.form == formText && slot == l.whole:
		return token{kind: text, text: m.doc}
	case m.form == formText:
		return token{kind: useless}
	default:
		return tokenOf(m.values[slot])
	}
}

// stamp returns the source time for a point.
func (m *message) stamp(p point.Index, l *layout, r *rule) stamp {
	arrival := m.template.Arrival
	if r.time == noSlot || m.form != formJSON {
		return stamp{arrival, point.TimeSubstituted}
	}
	if m.timed && m.timeSlot == r.time {
		return m.timeValue
	}
	tok := tokenOf(m.values[r.time])
	t, ok := stampOf(tok, arrival)
	if !ok {
		m.out.note(BadTime, p, l.path(r.time), tok.text)
	}
	m.timed, m.timeSlot, m.timeValue = true, r.time, t
	return t
}

// qualify sets the bits that the quality in the message stands for.
func (m *message) qualify(u *point.Update, l *layout, r *rule) {
	if m.form != formJSON {
		u.Quality |= point.Invalid
		return
	}
	tok := tokenOf(m.values[r.quality])
	q, ok := r.more.qualityOf(tok)
	if !ok {
		m.out.note(BadQuality, u.Point, l.path(r.quality), tok.text)
	}
	u.Quality |= q
}

// path returns the path of a slot.
func (l *layout) path(slot int32) string { return l.paths[slot] }
