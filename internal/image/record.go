package image

import (
	"encoding/binary"
	"unicode/utf8"

	"busbar/internal/image/journal"
	"busbar/internal/point"
)

// A record of the journal is a change, without its sequence number:
//
//	0  point
//	4  type
//	5  flags: 1 in transit, 2 late, 4 beneath an overlay, 8 makes an overlay
//	6  quality
//	7  quality of the time
//	8  source; a number of the process that wrote it
//	10 events
//	18 bits of the value
//	26 time
//	34 arrival
//	42 text, of a point of that type
//	.. of a change that makes an overlay: the overlay, and its length (4 octets)
//
// A change that is no event of any target goes into the quiet chain, others into
// the chain of the class of their type.
const recordSize = 42

const (
	recordTransient = 1 << iota
	recordLate
	recordBeneath
	recordOverlay
)

// A text, that which is blocked beneath it, and all beside them must fit.
const _ = uint(journal.MaxRecord - recordSize - MaxText - maxOverlay)

func appendRecord(b []byte, u *point.Update, events uint64) []byte {
	bits, transient := u.Value.Raw()
	var h [recordSize]byte
	binary.LittleEndian.PutUint32(h[0:], uint32(u.Point))
	h[4] = byte(u.Value.Type())
	if transient {
		h[5] |= recordTransient
	}
	if u.Flags&point.Late != 0 {
		h[5] |= recordLate
	}
	if u.Flags&point.Beneath != 0 {
		h[5] |= recordBeneath
	}
	h[6], h[7] = byte(u.Quality), byte(u.TimeQuality)
	binary.LittleEndian.PutUint16(h[8:], uint16(u.Source))
	binary.LittleEndian.PutUint64(h[10:], events)
	binary.LittleEndian.PutUint64(h[18:], bits)
	binary.LittleEndian.PutUint64(h[26:], uint64(u.Time))
	binary.LittleEndian.PutUint64(h[34:], uint64(u.Arrival))
	b = append(b, h[:]...)
	if u.Value.Type() == point.Text {
		b = append(b, u.Value.Text()...)
	}
	return b
}

// parseRecord is the reverse of appendRecord. It is false if b is no record.
func parseRecord(b []byte) (u point.Update, events uint64, ok bool) {
	b, _, ok = cutTrailer(b)
	if !ok {
		return u, 0, false
	}
	typ, text := point.Type(b[4]), ""
	if typ == 0 || typ > point.Text || typ != point.Text && len(b) > recordSize {
		return u, 0, false
	}
	if typ == point.Text {
		text = string(b[recordSize:])
	}
	u = point.Update{
		Value:       point.Restore(typ, binary.LittleEndian.Uint64(b[18:]), b[5]&recordTransient != 0, text),
		Time:        point.Instant(binary.LittleEndian.Uint64(b[26:])),
		Arrival:     point.Instant(binary.LittleEndian.Uint64(b[34:])),
		Point:       point.Index(binary.LittleEndian.Uint32(b)),
		Source:      point.Source(binary.LittleEndian.Uint16(b[8:])),
		Quality:     point.Quality(b[6]),
		TimeQuality: point.TimeQuality(b[7]),
	}
	if b[5]&recordLate != 0 {
		u.Flags |= point.Late
	}
	if b[5]&recordBeneath != 0 {
		u.Flags |= point.Beneath
	}
	return u, binary.LittleEndian.Uint64(b[10:]), true
}

// cut cuts a text that is longer than may be kept.
func cut(u *point.Update) {
	if u.Value.Type() != point.Text || len(u.Value.Text()) <= MaxText {
		return
	}
	text := u.Value.Text()[:MaxText]
	for i := 1; i <= utf8.UTFMax; i++ { // not in the middle of a character
		if r, _ := utf8.DecodeLastRuneInString(text); r != utf8.RuneError {
			break
		}
		text = text[:len(text)-1]
	}
	u.Value = point.TextValue(text)
	u.Quality |= point.Overflow
}

// definition is what the journal knows of a point behind its number.
type definition struct {
	id      string
	typ     point.Type
	since   uint64 // changes up to here are of another point, or of another type
	removed bool
}

// The payload of a definition:
//
//	0  1 defined, 2 removed
//	1  type
//	2  sequence number of the newest change when it was defined
//	10 id
const definitionSize = 10

const (
	kindDefined = 1
	kindRemoved = 2
)

func appendDefinition(b []byte, d definition) []byte {
	kind := byte(kindDefined)
	if d.removed {
		kind = kindRemoved
	}
	b = append(b, kind, byte(d.typ))
	b = binary.LittleEndian.AppendUint64(b, d.since)
	return append(b, d.id...)
}

func parseDefinition(b []byte) (d definition, ok bool) {
	if len(b) < definitionSize || b[0] != kindDefined && b[0] != kindRemoved || b[1] > byte(point.Text) {
		return d, false
	}
	return definition{
		id: string(b[definitionSize:]), typ: point.Type(b[1]),
		since: binary.LittleEndian.Uint64(b[2:]), removed: b[0] == kindRemoved,
	}, true
}
