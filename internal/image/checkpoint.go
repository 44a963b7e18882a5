package image

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"busbar/internal/image/journal"
	"busbar/internal/mapping"
	"busbar/internal/point"
)

// A checkpoint holds the state of every point that was ever received, and what
// its gates remember, as it was after some change. That differs from point to
// point, since the image goes on while it is written: each state has the
// sequence number of its change, and records up to that are in it already. The
// quality is the one from before point.Restored.
//
//	0  "BUSBARI1"
//	8  sequence number up to which all records are in it
//
// and then sections of whole points in ascending order, the last one empty:
//
//	0  octets that follow in this section
//	4  points: number, cell (36 octets), number of their layout, number of gates,
//	   gates (11 octets each, in the order of that layout); of texts length and text;
//	   the overlay if there is one
const (
	checkpointMagic = "BUSBARI1"
	checkpointHead  = 16
	savedCell       = 36
	savedSize       = 4 + savedCell + 1 + 1
	sectionSize     = 256 << 10 // about
	maxSection      = sectionSize + savedSize + MaxGates*mapping.GateStateSize + 4 + MaxText + maxOverlay + savedCell + 4 + MaxText
)

const (
	savedTransient = 1 << iota
	savedRefused
	savedOverlay
)

// saved is a point in a checkpoint.
type saved struct {
	point  point.Index
	cell   cell
	layout uint8 // that the gates are in the order of
	gates  []mapping.GateState
	text   string
	over   *overlay
}

// appendSaved appends a point as it is now; the image is locked.
func (m *Memory) appendSaved(b []byte, p point.Index) []byte {
	c, over := &m.cells[p], m.overlays[p]
	b = binary.LittleEndian.AppendUint32(b, uint32(p))
	b = appendCell(b, c)
	if over != nil {
		b[len(b)-1] |= savedOverlay
	}
	b = append(b, m.layouts.numberOf(p))
	from, to := m.gates.span(p)
	b = append(b, byte(to-from))
	for i := from; i < to; i++ {
		b = m.gates.states[i].AppendTo(b)
	}
	if c.typ == point.Text {
		b = appendText(b, m.texts[p])
	}
	if over != nil {
		b = appendOverlay(b, over, true)
	}
	return b
}

// appendCell appends what outlives the process of a state.
func appendCell(b []byte, c *cell) []byte {
	flags := byte(0)
	if c.transient {
		flags |= savedTransient
	}
	if c.refused {
		flags |= savedRefused
	}
	for _, v := range []uint64{c.bits, uint64(c.time), uint64(c.arrival), c.seq} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return append(b, byte(c.typ), byte(c.kept), byte(c.timeQuality), flags)
}

// parseCell is the reverse of appendCell, for b of savedCell octets.
func parseCell(b []byte) cell {
	field := func(i int) uint64 { return binary.LittleEndian.Uint64(b[8*i:]) }
	return cell{
		bits: field(0), time: point.Instant(field(1)), arrival: point.Instant(field(2)), seq: field(3),
		typ: point.Type(b[32]), quality: point.Quality(b[33]), kept: point.Quality(b[33]), timeQuality: point.TimeQuality(b[34]),
		transient: b[35]&savedTransient != 0, refused: b[35]&savedRefused != 0,
	}
}

func appendText(b []byte, text string) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(text)))
	return append(b, text...)
}

// parseText is the reverse of appendText, and returns what follows.
func parseText(b []byte) (text string, rest []byte, ok bool) {
	if len(b) < 4 || uint64(len(b)-4) < uint64(binary.LittleEndian.Uint32(b)) {
		return "", nil, false
	}
	size := int(binary.LittleEndian.Uint32(b))
	return string(b[4 : 4+size]), b[4+size:], true
}

// parse reads a point and returns what follows it.
func (s *saved) parse(b []byte) (rest []byte, ok bool) {
	if len(b) < savedSize {
		return nil, false
	}
	s.point = point.Index(binary.LittleEndian.Uint32(b))
	s.cell = parseCell(b[4 : 4+savedCell])
	covered := b[4+savedCell-1]&savedOverlay != 0
	s.layout = b[40]
	n := int(b[41])
	b = b[savedSize:]
	if len(b) < n*mapping.GateStateSize || n > MaxGates {
		return nil, false
	}
	s.gates = s.gates[:0]
	for ; n > 0; n-- {
		var state mapping.GateState
		state.Take(b)
		s.gates = append(s.gates, state)
		b = b[mapping.GateStateSize:]
	}
	s.text, s.over, ok = "", nil, true
	if s.cell.typ == point.Text {
		s.text, b, ok = parseText(b)
	}
	if ok && covered {
		s.over = new(overlay)
		b, ok = s.over.parse(b)
	}
	return b, ok
}

// checkpoint writes a checkpoint. The image goes on meanwhile.
func (e *Embedded) checkpoint() error {
	e.writing.Lock()
	defer e.writing.Unlock()
	j, octets := e.keeper.journal, e.keeper.octets.Load()
	refused := e.keeper.refused.Load()
	if err := j.Accepting(); errors.Is(err, journal.ErrFailed) {
		return err // there are states that are not kept, and never will be
	}
	seq := j.Committed()
	err := j.Checkpoint(seq, func(w io.Writer) error {
		if err := e.writeStates(w, seq); err != nil {
			return err
		}
		return e.awaitKept(refused)
	})
	if err != nil {
		return err
	}
	e.keeper.octets.Add(-octets)
	return nil
}

func (e *Embedded) writeStates(w io.Writer, seq uint64) error {
	head := binary.LittleEndian.AppendUint64([]byte(checkpointMagic), seq)
	if _, err := w.Write(head); err != nil {
		return err
	}
	b := make([]byte, 0, sectionSize*2)
	for next, more := point.Index(0), true; more; {
		b, next, more = e.section(b[:0], next)
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// section appends a section that begins with the point next. more is false if it
// was the last, which is empty.
func (e *Embedded) section(b []byte, next point.Index) (_ []byte, _ point.Index, more bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	b = append(b, 0, 0, 0, 0)
	for ; int(next) < len(e.cells) && len(b)-4 < e.sectionSize; next++ {
		if c := &e.cells[next]; c.typ != 0 && c.known() {
			b = e.appendSaved(b, next)
		}
	}
	binary.LittleEndian.PutUint32(b, uint32(len(b)-4))
	return b, next, len(b) > 4
}

// errUnkept is why a checkpoint is given up: it would hold what is not kept.
var errUnkept = errors.New("image: changes were not kept meanwhile")

// awaitKept returns when all that was defined and published until now is committed.
// refused is how often that had failed before.
func (e *Embedded) awaitKept(refused uint64) error {
	defined := make(chan error, 1)
	if err := e.keeper.journal.Append(nil, func(err error) { defined <- err }); err != nil {
		return err
	}
	if <-defined != nil {
		return errUnkept
	}
	e.mu.RLock()
	upTo := e.keeper.appended
	e.mu.RUnlock()
	for {
		news := e.keeper.news.wait()
		settled := e.keeper.journal.Settled()
		switch {
		case e.keeper.refused.Load() != refused:
			return errUnkept
		case e.keeper.journal.Committed() >= upTo:
			return nil
		case settled >= upTo:
			return errUnkept
		}
		<-news
	}
}

// readCheckpoint reads the checkpoint after record seq and calls take for each point.
func readCheckpoint(f io.Reader, seq uint64, take func(*saved)) error {
	r := bufio.NewReaderSize(f, sectionSize)
	head := make([]byte, checkpointHead)
	if _, err := io.ReadFull(r, head); err != nil {
		return err
	}
	if string(head[:8]) != checkpointMagic || binary.LittleEndian.Uint64(head[8:]) != seq {
		return errCheckpoint
	}
	var b []byte
	var s saved
	for {
		var size [4]byte
		if _, err := io.ReadFull(r, size[:]); err != nil {
			return err
		}
		n := binary.LittleEndian.Uint32(size[:])
		if n == 0 {
			return nil
		}
		if n > maxSection {
			return fmt.Errorf("section of %d octets: %w", n, errCheckpoint)
		}
		b = append(b[:0], make([]byte, n)...)
		if _, err := io.ReadFull(r, b); err != nil {
			return err
		}
		for rest := b; len(rest) > 0; {
			var ok bool
			if rest, ok = s.parse(rest); !ok {
				return errCheckpoint
			}
			take(&s)
		}
	}
}
