package linkdoctor

import (
	"testing"

	"busbar/iec104/apci"
)

// BenchmarkFrame measures what a look at a frame costs: of events that are sent,
// eight between two acknowledgements, and of values that are received.
func BenchmarkFrame(b *testing.B) {
	event := apci.AppendI(nil, 0, 0, []byte{30, 1, 3, 0, 1, 0, 100, 0, 0, 1, 0, 0, 0, 12, 14, 7, 26})
	ack := apci.AppendS(nil, 0)
	b.Run("sent", func(b *testing.B) {
		d := New(Options{Role: Controlled})
		d.Connected(1, "10.0.0.5:1")
		b.ReportAllocs()
		var ns apci.Seq
		for b.Loop() {
			apci.SetNS(event, ns)
			d.Frame(1, true, event)
			if ns = ns.Next(); ns%8 == 0 {
				apci.SetNR(ack, ns)
				d.Frame(1, false, ack)
			}
		}
	})
	b.Run("received", func(b *testing.B) {
		d := New(Options{Role: Controlling})
		d.Connected(1, "10.0.0.5:1")
		b.ReportAllocs()
		var ns apci.Seq
		for b.Loop() {
			apci.SetNS(event, ns)
			d.Frame(1, false, event)
			if ns = ns.Next(); ns%8 == 0 {
				apci.SetNR(ack, ns)
				d.Frame(1, true, ack)
			}
		}
	})
}

func TestTheWayOfEventsAllocatesNothing(t *testing.T) {
	event := apci.AppendI(nil, 0, 0, []byte{30, 1, 3, 0, 1, 0, 100, 0, 0, 1, 0, 0, 0, 12, 14, 7, 26})
	ack := apci.AppendS(nil, 0)
	for _, o := range []Options{{Role: Controlled}, {Role: Controlling}} {
		d := New(o)
		d.Connected(1, "10.0.0.5:1")
		ns := apci.Seq(0)
		if n := testing.AllocsPerRun(10_000, func() {
			apci.SetNS(event, ns)
			d.Frame(1, o.Role == Controlled, event)
			if ns = ns.Next(); ns%8 == 0 {
				apci.SetNR(ack, ns)
				d.Frame(1, o.Role != Controlled, ack)
			}
		}); n != 0 {
			t.Errorf("%v allocations per frame of role %d", n, o.Role)
		}
	}
}
