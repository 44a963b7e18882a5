package image

import (
	"encoding/binary"

	"busbar/internal/image/journal"
	"busbar/internal/point"
)

// An overlay, in a record of the journal and in a checkpoint:
//
//	0  1 substituted, 2 blocked, 4 followed by what lies beneath
//	1  who has substituted, if so: time (8 octets), author, comment; who has blocked, likewise
//	.. the state that was entered, that which was frozen, that beneath: a cell (36 octets)
//	   and its text each
//
// A text is its length (4 octets) and its octets. In a record there is none beneath: it
// follows from the records before. What lies beneath a point that was released is
// what the record itself says, and of a point that was never received nothing: 8.
const (
	overlaySubstituted = 1 << iota
	overlayBlocked
	overlayBeneath
	overlayUnknown

	// maxOverlay is how long an overlay is at most in a record.
	maxOverlay = 1 + 2*(8+4+MaxAuthor+4+MaxComment) + savedCell + 4 + MaxSubstitute + savedCell + 4 + MaxText + 4
)

func appendOverlay(b []byte, o *overlay, beneath bool) []byte {
	at := len(b)
	b = append(b, 0)
	if o.substituted != nil {
		b[at] |= overlaySubstituted
		b = appendMark(b, o.substituted)
	}
	if o.blocked != nil {
		b[at] |= overlayBlocked
		b = appendMark(b, o.blocked)
	}
	if o.substituted != nil {
		b = appendLayer(b, &o.entered)
	}
	if o.blocked != nil {
		b = appendLayer(b, &o.frozen)
	}
	if beneath {
		b[at] |= overlayBeneath
		b = appendLayer(b, &o.under)
	}
	if !o.lies() && !o.under.known() {
		b[at] |= overlayUnknown
	}
	return b
}

// parse is the reverse of appendOverlay, and returns what follows.
func (o *overlay) parse(b []byte) (rest []byte, ok bool) {
	if len(b) == 0 {
		return nil, false
	}
	flags, b, ok := b[0], b[1:], true
	for _, m := range []struct {
		bit byte
		to  **Mark
	}{{overlaySubstituted, &o.substituted}, {overlayBlocked, &o.blocked}} {
		if flags&m.bit != 0 && ok {
			*m.to = new(Mark)
			b, ok = (*m.to).parse(b)
		}
	}
	for _, l := range []struct {
		bit byte
		to  *layer
	}{{overlaySubstituted, &o.entered}, {overlayBlocked, &o.frozen}, {overlayBeneath, &o.under}} {
		if flags&l.bit != 0 && ok {
			b, ok = l.to.parse(b)
		}
	}
	return b, ok
}

func appendMark(b []byte, m *Mark) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(m.Time))
	return appendText(appendText(b, m.Author), m.Comment)
}

func (m *Mark) parse(b []byte) (rest []byte, ok bool) {
	if len(b) < 8 {
		return nil, false
	}
	m.Time = point.Instant(binary.LittleEndian.Uint64(b))
	if m.Author, b, ok = parseText(b[8:]); !ok {
		return nil, false
	}
	m.Comment, b, ok = parseText(b)
	return b, ok
}

func appendLayer(b []byte, l *layer) []byte { return appendText(appendCell(b, &l.cell), l.text) }

func (l *layer) parse(b []byte) (rest []byte, ok bool) {
	if len(b) < savedCell {
		return nil, false
	}
	l.cell = parseCell(b[:savedCell])
	l.text, b, ok = parseText(b[savedCell:])
	return b, ok && l.typ > 0 && l.typ <= point.Text
}

// appendTrailer appends the overlay that a change makes to its record.
func appendTrailer(b []byte, o *overlay) []byte {
	start := len(b)
	b = appendOverlay(b, o, false)
	return binary.LittleEndian.AppendUint32(b, uint32(len(b)-start))
}

// cutTrailer cuts the overlay off a record, if there is one. It is false if b is no
// record.
func cutTrailer(b []byte) (record, trailer []byte, ok bool) {
	if len(b) < recordSize || b[5]&recordOverlay == 0 {
		return b, nil, len(b) >= recordSize
	}
	end := len(b) - 4
	if end < recordSize || uint64(binary.LittleEndian.Uint32(b[end:])) > uint64(end-recordSize) {
		return nil, nil, false
	}
	start := end - int(binary.LittleEndian.Uint32(b[end:]))
	return b[:start], b[start:end], true
}

// cover applies a record that makes an overlay, which is newer than the state.
func (r *recovery) cover(u *point.Update, rec journal.Record) {
	_, trailer, _ := cutTrailer(rec.Payload)
	o := new(overlay)
	if rest, ok := o.parse(trailer); !ok || len(rest) > 0 {
		r.unreadable("overlay", rec.Seq)
		return
	}
	p, c := u.Point, &r.e.cells[u.Point]
	if before := r.e.overlays[p]; before != nil {
		o.under = before.under
	} else {
		o.under = layer{*c, r.e.texts[p]}
	}
	if !o.lies() && trailer[0]&overlayUnknown != 0 {
		o.under = layer{cell: newCell(c.typ)}
	} else if !o.lies() && !o.under.known() {
		o.under.set(u, rec.Seq) // records are missing
		o.under.text = u.Value.Text()
	}
	r.e.settle(p, o, u, rec.Seq)
	delete(r.e.public, p)
}
