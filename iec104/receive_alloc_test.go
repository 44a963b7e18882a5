//go:build !race

package iec104

import (
	"net"
	"testing"

	"busbar/iec104/apci"
	"busbar/iec104/asdu"
)

// nowhere is a connection that takes everything.
type nowhere struct{ net.Conn }

func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (nowhere) RemoteAddr() net.Addr        { return nil }
func (nowhere) Close() error                { return nil }

// TestReceivingAllocatesNothing has frames of every way to be received handed to
// a handler that decodes them, also while a request is open.
func TestReceivingAllocatesNothing(t *testing.T) {
	const runs = 200
	objs, got := make([]asdu.Object, 0, 127), 0
	c, err := NewClient("station", Params{}, WithHandler(func(a asdu.ASDU) {
		objs = a.AppendObjects(objs[:0])
		got += len(objs)
	}))
	if err != nil {
		t.Fatal(err)
	}
	conn := newClientConn(c, 1, c.paths[0], nowhere{})
	conn.link.direct = true
	conn.link.state = started
	var batches [][]byte
	ns := apci.Seq(0)
	for range runs + 1 {
		var b []byte
		for _, a := range []string{spont(100), "0d 01 03 00 01 00 64 00 00 00 00 80 3f 00", "01 82 14 00 01 00 64 00 00 01 00",
			"24 01 03 00 01 00 64 00 00 00 00 80 3f 00 f3 69 2d 8d 4e 07 1a", giCon, "ff 01 03 00 01 00 64 00 00 01"} {
			b = apci.AppendI(b, ns, 0, octetsOf(a))
			ns = ns.Next()
		}
		batches = append(batches, b)
	}
	w := &call{header: asdu.Header{Type: asdu.C_IC_NA_1, Cause: asdu.Activation, CA: 1}, object: asdu.Object{Qualifier: 20},
		data: asdu.InterrogatedGeneral, ends: true, news: make(chan struct{}, 1), open: make(map[uint16]bool), sent: true}
	if err := conn.open(w); err != nil {
		t.Fatal(err)
	}
	n := 0
	allocs := testing.AllocsPerRun(runs, func() {
		if _, ok := conn.link.take(batches[n]); !ok {
			t.Fatal(conn.link.err)
		}
		n++
	})
	if allocs != 0 {
		t.Errorf("%v allocations for six frames, want none", allocs)
	}
	if want := (runs + 1) * 6; got != want || w.result.Objects != (runs+1)*2 {
		t.Errorf("%d objects, %d of the answer, want %d and %d", got, w.result.Objects, want, (runs+1)*2)
	}
	conn.link.timers.stop()
}
