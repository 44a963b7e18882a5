// Package trace shows the frames of links of IEC 60870-5-104 that are on their tapes: decoded,
// with the names of points and commands, chosen by filters, as they are, as they come, or
// as a capture file.
package trace

import (
	"fmt"
	"time"

	"busbar/iec104/apci"
	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/tape"
)

// Tracer reads the tapes of the links of a manager. Its methods may be called from any
// goroutine.
type Tracer struct {
	tapes func() []*tape.Tape
	names func(connector string) Names
	dumps chan struct{} // holds the right to make a capture file
}

// Names tells what stands at an address of a connector; see [connector.Names].
type Names interface {
	Point(address uint64) string
	Command(address uint64) string
}

// maxDumps is how many capture files are made at a time, as each holds a copy of what
// is on the tapes.
const maxDumps = 2

// New returns a tracer.
func New(m *connector.Manager) *Tracer {
	return newTracer(m.Tapes().Tapes, func(id string) Names { return m.Names(id) })
}

func newTracer(tapes func() []*tape.Tape, names func(string) Names) *Tracer {
	return &Tracer{tapes: tapes, names: names, dumps: make(chan struct{}, maxDumps)}
}

// frame is one frame of a tape, or octets that are none.
type frame struct {
	link   *tape.Link
	record uint64 // position of its record
	index  int    // in the record
	at     time.Time
	sent   bool
	octets []byte

	apci  apci.Frame
	asdu  asdu.ASDU
	fault error // what is wrong with it
	whole bool  // it is a frame
	data  bool  // there is an ASDU of which at least the header can be read
}

// frames calls each with the frames of a record, until it returns false.
func frames(link *tape.Link, r *tape.Record, each func(*frame) bool) bool {
	rest := r.Octets
	for index := 0; len(rest) > 0; index++ {
		f := frame{link: link, record: r.Position, index: index, at: r.At, sent: r.Sent}
		n := f.parse(rest)
		f.octets, rest = rest[:n:n], rest[n:]
		if !each(&f) {
			return false
		}
	}
	return true
}

// parse reads the frame at the beginning of b and returns how many octets belong to it:
// all, if it is none.
func (f *frame) parse(b []byte) int {
	a, n, err := apci.Parse(b)
	switch {
	case err != nil:
		f.fault = err
		return len(b)
	case n == 0:
		f.fault = fmt.Errorf("frame of %d octets is incomplete", len(b))
		return len(b)
	}
	f.apci, f.whole = a, true
	if a.Format == apci.FormatI {
		o := f.link.Octets
		f.fault = f.asdu.Parse(a.ASDU, asdu.Sizes{COT: uint8(o[0]), CA: uint8(o[1]), IOA: uint8(o[2])})
		f.data = f.fault == nil || f.asdu.Count() > 0
	}
	return n
}

// faulty reports whether something is wrong: with the frame, or it is a refusal.
func (f *frame) faulty() bool {
	return f.fault != nil || f.data && (f.asdu.Negative || f.asdu.Cause.Unknown())
}

// test reports whether it is TESTFR.
func (f *frame) test() bool {
	return f.whole && f.apci.Format == apci.FormatU && (f.apci.Function == apci.TestFRAct || f.apci.Function == apci.TestFRCon)
}

// objects returns the information objects.
func (f *frame) objects(buf []asdu.Object) []asdu.Object {
	if !f.data {
		return nil
	}
	return f.asdu.AppendObjects(buf)
}

// name returns what stands at an object address.
func (f *frame) name(n Names, ioa uint32) string {
	address := uint64(f.asdu.CA)<<24 | uint64(ioa)
	if f.asdu.Type.Command() {
		if id := n.Command(address); id != "" {
			return id
		}
	}
	return n.Point(address)
}
