package trace

import (
	"slices"
	"time"

	"busbar/iec104/apci"
	"busbar/iec104/asdu"
	"busbar/internal/tape"
)

// Filter chooses frames. What is zero does not restrict.
type Filter struct {
	Connector string
	Link      string
	Direction string        // "sent", "received"
	Formats   []apci.Format // I, S, U
	Types     []asdu.TypeID
	Causes    []asdu.Cause
	CA        uint16 // common address
	IOA       uint32 // object address of one of the objects
	Point     string // id of the point or command of one of the objects
	Errors    bool   // only what is wrong, and refusals
	Quiet     bool   // neither S frames nor TESTFR
	From, To  time.Time
}

// tapes returns the tapes that may have frames for the filter.
func (f *Filter) tapes(all []*tape.Tape) []*tape.Tape {
	return slices.DeleteFunc(all, func(t *tape.Tape) bool {
		l := t.Link()
		return f.Connector != "" && l.Connector != f.Connector || f.Link != "" && l.ID != f.Link
	})
}

// passes reports whether a record may have frames for the filter.
func (f *Filter) passes(r *tape.Record) bool {
	return (f.Direction == "" || (f.Direction == "sent") == r.Sent) &&
		(f.From.IsZero() || !r.At.Before(f.From)) && (f.To.IsZero() || r.At.Before(f.To))
}

// ofData reports whether only frames with an ASDU can pass.
func (f *Filter) ofData() bool {
	return len(f.Types) > 0 || len(f.Causes) > 0 || f.CA != 0 || f.IOA != 0 || f.Point != ""
}

// chooser applies a filter; it remembers what stands at addresses.
type chooser struct {
	Filter
	names func(string) Names
	known map[place]bool // whether the point is at an address
	buf   []asdu.Object
}

type place struct {
	connector string
	ca        uint16
	ioa       uint32
	command   bool
}

func newChooser(f *Filter, names func(string) Names) *chooser {
	return &chooser{Filter: *f, names: names, known: map[place]bool{}}
}

// takes reports whether a frame is chosen.
func (c *chooser) takes(f *frame) bool {
	switch {
	case len(c.Formats) > 0 && (!f.whole || !slices.Contains(c.Formats, f.apci.Format)),
		c.Errors && !f.faulty(),
		c.Quiet && f.whole && (f.apci.Format == apci.FormatS || f.test()):
		return false
	case !c.ofData():
		return true
	case !f.data,
		len(c.Types) > 0 && !slices.Contains(c.Types, f.asdu.Type),
		len(c.Causes) > 0 && !slices.Contains(c.Causes, f.asdu.Cause),
		c.CA != 0 && f.asdu.CA != c.CA:
		return false
	}
	return c.IOA == 0 && c.Point == "" || c.takesObject(f)
}

// takesObject reports whether one of the objects is chosen.
func (c *chooser) takesObject(f *frame) bool {
	c.buf = f.objects(c.buf[:0])
	return slices.ContainsFunc(c.buf, func(o asdu.Object) bool {
		return (c.IOA == 0 || o.IOA == c.IOA) && (c.Point == "" || c.isPoint(f, o.IOA))
	})
}

// maxKnown is how many addresses are remembered.
const maxKnown = 1 << 16

func (c *chooser) isPoint(f *frame, ioa uint32) bool {
	p := place{f.link.Connector, f.asdu.CA, ioa, f.asdu.Type.Command()}
	is, known := c.known[p]
	if !known {
		is = f.name(c.names(p.connector), ioa) == c.Point
		if len(c.known) >= maxKnown {
			clear(c.known)
		}
		c.known[p] = is
	}
	return is
}
