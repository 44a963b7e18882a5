package image

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"busbar/internal/plant"
	"busbar/internal/point"
)

// Why an overlay is not changed.
var (
	// ErrNoPoint: there is no such point.
	ErrNoPoint = errors.New("image: no such point")
	// ErrOverlay: the point cannot have an overlay, or not this one.
	ErrOverlay = errors.New("image: overlay refused")
)

// Bounds of what an overlay holds, in octets.
const (
	MaxAuthor     = 256
	MaxComment    = 1024
	MaxSubstitute = 4096 // text of a substituted value
)

// Mark says who has put an overlay over a point, when and why.
type Mark struct {
	Author  string // at most MaxAuthor octets
	Comment string // at most MaxComment octets
	Time    point.Instant
}

// Substitution is a value that an operator enters in the place of that of the source.
type Substitution struct {
	Mark
	Value point.Value // of the type of the point; a text has at most MaxSubstitute octets
	// Quality is shown beside point.Substituted: point.Invalid, point.NotTopical and
	// point.Overflow may be.
	Quality point.Quality
	// At is when the value holds from; 0: Mark.Time.
	At point.Instant
}

// Overlay is what lies over the state of a point.
type Overlay struct {
	Substituted *Mark // nil: it is not
	Blocked     *Mark // nil: it is not
	// Beneath is what the source has told, and is shown without the overlay.
	Beneath point.State
}

// Overlaid are the overlays of an image.
type Overlaid struct {
	Substituted, Blocked int    // points; one may be both
	Dropped              uint64 // since the start, with points that were removed or became others
}

// overlaid are the bits of quality of which the state of a point with an overlay
// has one.
const overlaid = point.Substituted | point.Blocked

// layer is a state with its text.
type layer struct {
	cell
	text string
}

// overlay is the overlay of a point. It is replaced and not changed, but for
// what lies beneath.
type overlay struct {
	substituted, blocked *Mark
	entered              layer // by the operator; of no meaning unless substituted
	frozen               layer // when it was blocked, without substitution; of no meaning unless blocked
	under                layer // what the source has told
}

// lies reports whether there is anything over the state.
func (o *overlay) lies() bool { return o.substituted != nil || o.blocked != nil }

// shown is the state that the overlay makes: a substituted value is in front of a
// blocked one.
func (o *overlay) shown() layer {
	var l layer
	switch {
	case o.substituted != nil:
		l = o.entered
	case o.blocked != nil:
		l = o.frozen
	default:
		return o.under
	}
	if o.blocked != nil {
		l.quality |= point.Blocked
	}
	return l
}

// edit changes an overlay of a point of type t. It returns false if there is nothing to change.
type edit func(o *overlay, t point.Type) (bool, error)

func enter(s Substitution) edit {
	return func(o *overlay, t point.Type) (bool, error) {
		const may = point.Invalid | point.NotTopical | point.Overflow
		if s.At == 0 {
			s.At = s.Time
		}
		switch {
		case s.Value.Type() != t:
			return false, fmt.Errorf("%w: a value of type %s for a point of type %s", ErrOverlay, s.Value.Type(), t)
		case s.Quality&^may != 0:
			return false, fmt.Errorf("%w: quality %s cannot be entered", ErrOverlay, s.Quality&^may)
		case len(s.Value.Text()) > MaxSubstitute || !utf8.ValidString(s.Value.Text()):
			return false, fmt.Errorf("%w: a text has at most %d octets of UTF-8", ErrOverlay, MaxSubstitute)
		}
		if err := s.Mark.check(); err != nil {
			return false, err
		}
		o.substituted = &s.Mark
		o.entered = layer{cell: newCell(t), text: s.Value.Text()}
		o.entered.set(&point.Update{Value: s.Value, Time: s.At, Arrival: s.Time, Quality: s.Quality | point.Substituted}, 1)
		return true, nil
	}
}

func block(by Mark) edit {
	return func(o *overlay, _ point.Type) (bool, error) {
		if err := by.check(); err != nil || o.blocked != nil {
			return false, err
		}
		o.blocked, o.frozen = &by, o.under
		o.frozen.kept = o.frozen.quality // as it was told, so that it is no better in another process
		return true, nil
	}
}

func release(what point.Quality) edit {
	return func(o *overlay, _ point.Type) (changed bool, _ error) {
		if what&^overlaid != 0 || what == 0 {
			return false, fmt.Errorf("%w: %s cannot be released", ErrOverlay, what)
		}
		if what&point.Substituted != 0 && o.substituted != nil {
			o.substituted, o.entered, changed = nil, layer{}, true
		}
		if what&point.Blocked != 0 && o.blocked != nil {
			o.blocked, o.frozen, changed = nil, layer{}, true
		}
		return changed, nil
	}
}

func (m *Mark) check() error {
	if len(m.Author) > MaxAuthor || len(m.Comment) > MaxComment || !utf8.ValidString(m.Author) || !utf8.ValidString(m.Comment) {
		return fmt.Errorf("%w: an author has at most %d octets of UTF-8, a comment %d", ErrOverlay, MaxAuthor, MaxComment)
	}
	if m.Time == 0 {
		return fmt.Errorf("%w: it has no time", ErrOverlay)
	}
	return nil
}

// edited returns the overlay of a point after an edit, nil if that changes nothing.
// The image is locked.
func (m *Memory) edited(p point.Index, e edit) (*overlay, error) {
	t := m.typeOf(p)
	if t == 0 {
		return nil, ErrNoPoint
	}
	if id := string(m.names.id(p)); plant.IsSystem(id) {
		return nil, fmt.Errorf("%w: %s is what Busbar itself knows", ErrOverlay, id)
	}
	var o overlay
	if before := m.overlays[p]; before != nil {
		o = *before
	} else {
		o.under = layer{m.cells[p], m.texts[p]}
	}
	changed, err := e(&o, t)
	if !changed || err != nil {
		return nil, err
	}
	return &o, nil
}

// cover makes o the overlay of a point and shows what follows from it. The image is
// locked.
func (m *Memory) cover(p point.Index, o *overlay, now point.Instant) {
	c, l := &m.cells[p], o.shown()
	u := point.Update{
		Point: p, Value: l.value(l.text), Time: l.time, Arrival: l.arrival,
		Source: l.source, Quality: l.quality, TimeQuality: l.timeQuality,
	}
	if u.Time < c.time {
		u.Time, u.TimeQuality = max(now, c.time), u.TimeQuality|point.TimeSubstituted
	}
	events := m.gates.decide(p, u.Value, u.Quality)
	seq := m.log.append(u, events)
	if m.keeper != nil {
		m.keeper.add(seq, &u, events, o)
	}
	m.settle(p, o, &u, seq)
	for _, f := range m.every {
		f.wakeUp()
	}
	for _, f := range m.latest {
		f.mark(p)
	}
	m.wakeLatest()
}

// settle makes a change of the overlay the state.
func (m *Memory) settle(p point.Index, o *overlay, u *point.Update, seq uint64) {
	c, text := &m.cells[p], u.Value.Text()
	if o.lies() {
		c.set(u, seq)
		m.overlays[p] = o
	} else {
		*c, text = o.under.cell, o.under.text
		if c.known() {
			c.seq = seq
		}
		if c.quality != u.Quality || c.kept != u.Quality {
			m.public[p] = true
		}
		c.quality, c.kept = u.Quality, u.Quality
		delete(m.overlays, p)
	}
	if c.typ == point.Text && c.known() {
		m.texts[p] = text
	} else {
		delete(m.texts, p)
	}
}

// takeBeneath applies an update beneath an overlay. One that is late leaves no
// trace, since it would be an event only.
func (m *Memory) takeBeneath(o *overlay, u *point.Update) {
	c := &o.under
	if u.Flags&point.KeepValue != 0 && c.known() {
		c.keep(u, c.text)
	}
	if !c.takes(u) || c.isLate(u) {
		return
	}
	cut(u)
	u.Flags = u.Flags&point.Restored | point.Beneath
	c.set(u, m.append(*u, 0))
	c.text = u.Value.Text()
}

// uncover drops the overlay of a point that is no more what it was.
func (m *Memory) uncover(p point.Index, id string) {
	delete(m.public, p)
	if m.overlays[p] == nil {
		return
	}
	delete(m.overlays, p)
	m.dropped++
	if m.keeper != nil {
		m.keeper.log.Warn("overlay dropped, its point was removed or has another type", "point", id)
	}
}

// Beneath implements [Image].
func (m *Memory) Beneath(p point.Index) (point.State, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.typeOf(p) == 0 {
		return point.State{}, false
	}
	if o := m.overlays[p]; o != nil {
		return o.under.state(o.under.text), true
	}
	return m.state(p), true
}

// Overlay implements [Image].
func (m *Memory) Overlay(p point.Index) (Overlay, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	o := m.overlays[p]
	if o == nil {
		return Overlay{}, false
	}
	return Overlay{Substituted: o.substituted, Blocked: o.blocked, Beneath: o.under.state(o.under.text)}, true
}

// Overlaid implements [Image].
func (m *Memory) Overlaid() Overlaid {
	m.mu.RLock()
	defer m.mu.RUnlock()
	n := Overlaid{Dropped: m.dropped}
	for _, o := range m.overlays {
		if o.substituted != nil {
			n.Substituted++
		}
		if o.blocked != nil {
			n.Blocked++
		}
	}
	return n
}
