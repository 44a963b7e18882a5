package iec104

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"busbar/iec104/apci"
)

// numbers sets V(S), with nothing outstanding, and V(R) of the client.
func (r *rig) numbers(vs, vr int) {
	r.t.Helper()
	l := &r.c.active.conn.link
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.win.outstanding() != 0 || l.owed != 0 {
		r.t.Fatal("frames are not acknowledged")
	}
	l.win.vs, l.win.ack, l.vr, l.nr = apci.Seq(vs), apci.Seq(vs), apci.Seq(vr), apci.Seq(vr)
}

// commands has the client send n commands, with N(S) from ns on.
func (r *rig) commands(ns, n int) {
	r.t.Helper()
	for i := range n {
		r.command()
		r.expect(iframe((ns+i)%apci.Modulus, 0, command))
	}
}

// another makes a further connection of the client that of the rig.
func (r *rig) another() {
	r.t.Helper()
	p, far := newPeer(r.t)
	p.served = make(chan error, 1)
	r.far.Store(&far)
	if err := r.c.Connect(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	r.peer = p
	done := r.c.Done()
	go func() {
		<-done
		p.served <- r.c.Err()
	}()
}

// fresh gives the connection up and makes another, with data transfer started.
func (r *rig) fresh() {
	r.t.Helper()
	if !r.closed() {
		r.conn.Close()
		r.wait(0)
	}
	r.another()
	r.start()
}

// sendsAfter checks that nothing happens for d, to the millisecond, and that
// the client then sends these frames.
func (r *rig) sendsAfter(d time.Duration, frames ...string) {
	r.t.Helper()
	r.silence(d - time.Millisecond)
	r.wait(time.Millisecond)
	r.expect(frames...)
}

// clientReceptionRows are the rules of reception, in the controlling station.
func clientReceptionRows() []clientCheck {
	closes := func(row string, want Reason, frames ...string) clientCheck {
		return clientCheck{row: "1.1 controlling " + row, script: func(r *rig) {
			for i, f := range frames {
				if i > 0 {
					r.another()
				}
				r.start()
				r.send(f)
				r.expectClosed(want)
				r.objects(0)
			}
		}}
	}
	var functions []string
	for c := 3; c < 256; c += 4 {
		if !slices.Contains([]int{0x07, 0x0b, 0x13, 0x23, 0x43, 0x83}, c) {
			functions = append(functions, fmt.Sprintf("68 04 %02x 00 00 00", c))
		}
	}
	return []clientCheck{
		closes("octet 1 is not 68H", BadStart, "00", "e5", "69 04 43 00 00 00", sframe(0)+"00"+iframe(0, 0, spont(1))),
		closes("L < 4", BadLength, "68 00", "68 03 43 00 00"),
		closes("L = 254, 255", BadLength, "68 fe", "68 ff"),
		closes("S or U with L other than 4", BadControlLength, "68 05 01 00 00 00 00", "68 05 43 00 00 00 00", "68 fd 01"),
		closes("U with no function or several", BadFunction, functions...),
		{row: "1.1 controlling U or S with reserved bits", script: func(r *rig) {
			r.start()
			r.commands(0, 1)
			r.send("68 04 01 01 02 00", "68 04 43 00 00 01")
			r.expect(testFRCon)
			if i := r.c.Info(); i.Tolerated != 2 || i.Outstanding != 0 {
				r.t.Errorf("%d tolerated, %d outstanding, want 2 and 0", i.Tolerated, i.Outstanding)
			}
		}},
		{row: "1.1 controlling APDU incomplete and silent", script: func(r *rig) {
			for i, part := range []string{"68", "68 04 43 00 00", "68 0e 00 00 00 00 01 01 03"} {
				if i > 0 {
					r.another()
				}
				r.start()
				r.send(part)
				r.closesAfter(15*time.Second, Incomplete)
				r.objects(0)
			}
		}},
		{row: "1.1 controlling APDU arriving in several segments", script: func(r *rig) {
			stream := octets(r.t, startDTCon+testFRAct+iframe(0, 0, spont(100)))
			for cut := 1; cut < len(stream); cut++ {
				if cut > 1 {
					r.conn.Close()
					r.wait(0)
					r.another()
				}
				result := r.starting()
				r.sendOctets(stream[:cut])
				r.wait(time.Second)
				r.sendOctets(stream[cut:])
				r.expect(testFRCon)
				if err := <-result; err != nil {
					r.t.Fatal(err)
				}
				r.objects(cut)
			}
		}},
		{row: "1.1 controlling each APDU sent with one write", script: func(r *rig) {
			var w *writes
			wrap := r.wrap
			r.wrap = func(c net.Conn) net.Conn {
				w = &writes{Conn: wrap(c)}
				return w
			}
			r.conn.Close()
			r.wait(0)
			r.another()
			r.start()
			for i := range 100 {
				r.command()
				r.send(testFRAct, sframe(i+1))
			}
			for b := r.next(); b != nil; b = r.next() {
			}
			w.check(r.t)
		}},
	}
}

// clientWindowRows are the rules of numbers and windows, in the controlling
// station.
func clientWindowRows() []clientCheck {
	return []clientCheck{
		{row: "1.2 controlling numbers are 0 at first, unchanged by STARTDT and STOPDT", script: func(r *rig) {
			for i := range 3 {
				r.start()
				r.command()
				r.expect(iframe(i, i, command))
				r.send(iframe(i, i+1, spont(100)))
				stopping := r.stopping()
				r.expect(sframe(i+1), stopDTAct)
				r.send(stopDTCon)
				if err := <-stopping; err != nil {
					r.t.Fatal(err)
				}
			}
			r.fresh() // but with the connection
			r.commands(0, 1)
		}},
		{row: "1.2 controlling sender stops at k, which is no error", script: func(r *rig) {
			r.start()
			for i := range 30 {
				r.command()
				if i < 12 {
					r.expect(iframe(i, 0, command))
				}
			}
			r.silence(9 * time.Second)
			for acked, next := 0, 12; next < 30; {
				room := min(acked%5+1, 30-next)
				acked += room
				r.send(sframe(acked))
				for range room {
					r.expect(iframe(next, 0, command))
					next++
				}
				r.expectSilence()
			}
		}},
		{row: "1.2 controlling k = 1", p: Params{K: 1, W: 1}, script: func(r *rig) {
			r.start()
			for range 3 {
				r.command()
			}
			for i := range 3 {
				r.expect(iframe(i, 0, command))
				r.expectSilence()
				r.send(sframe(i + 1))
			}
		}},
		{row: "1.2 controlling a sent I frame acknowledges: stop t2, count from 0", script: func(r *rig) {
			r.start()
			for i := range 7 {
				r.send(iframe(i, 0, spont(i)))
			}
			r.command()
			r.expect(iframe(0, 7, command))
			r.silence(10 * time.Second)
			for i := range 7 {
				r.send(iframe(7+i, 1, spont(i)))
			}
			r.expectSilence()
			r.send(iframe(14, 1, spont(9)))
			r.expect(sframe(15))
		}},
		{row: "1.2 controlling w received I frames are acknowledged at once", script: func(r *rig) {
			r.start()
			for i := range 40 {
				r.send(iframe(i, 0, spont(i)))
				if i%8 == 7 {
					r.expect(sframe(i + 1))
				}
				r.expectSilence()
			}
		}},
		{row: "1.2 controlling w = 1", p: Params{W: 1}, script: func(r *rig) {
			r.start()
			for i := range 3 {
				r.send(iframe(i, 0, spont(i)))
				r.expect(sframe(i + 1))
			}
		}},
		{row: "1.2 controlling N(S) must be V(R)", script: func(r *rig) {
			r.start()
			for i, ns := range []int{0, 2, 3, 32767, 16384} { // after one frame
				if i > 0 {
					r.fresh()
				}
				r.send(iframe(0, 0, spont(1)), iframe(ns, 0, spont(2)))
				r.expectClosed(BadSendNumber)
				r.objects(i + 1)
			}
		}},
		{row: "1.2 controlling N(R) is valid from Ack to V(S)", script: func(r *rig) {
			r.start()
			for nr, want := range map[int]Reason{2: 0, 3: 0, 5: 0, 1: BadAck, 0: BadAck, 6: BadAck, 32767: BadAck, 16384: BadAck} {
				for _, frame := range []string{sframe(nr), iframe(0, nr, spont(1))} {
					r.fresh()
					r.fiveSentTwoAcknowledged(0, frame, want)
				}
			}
		}},
		{row: "1.2 controlling N(R) is valid from Ack to V(S) across the wrap", script: func(r *rig) {
			r.start()
			for nr, want := range map[int]Reason{32767: BadAck, 0: 0, 1: 0, 3: 0, 4: BadAck, 32766: BadAck, 16384: BadAck} {
				r.fresh()
				r.numbers(32766, 0)
				r.fiveSentTwoAcknowledged(32766, sframe(nr), want)
			}
		}},
		{row: "1.2 controlling N(R) confirms everything below it", script: func(r *rig) {
			r.start()
			r.commands(0, 3)
			r.send(iframe(0, 3, spont(1)))
			if i := r.c.Info(); i.Outstanding != 0 || i.Acknowledged != 3 {
				r.t.Errorf("%d outstanding, acknowledged to %d", i.Outstanding, i.Acknowledged)
			}
			r.sendsAfter(10*time.Second, sframe(1)) // t1 is stopped: t2 is next
		}},
		{row: "1.2 controlling N(R) equal to Ack has no effect, does not prolong t1", script: func(r *rig) {
			r.start()
			r.fiveSentTwoAcknowledged(0, sframe(2), 0)
			r.silence(10 * time.Second)
			r.send(sframe(2))
			r.closesAfter(5*time.Second, NoAck)
		}},
		{row: "1.2 controlling a peer whose k is larger is no reason to close", script: func(r *rig) {
			r.start()
			var b strings.Builder
			for i := range 400 {
				b.WriteString(iframe(i, 0, spont(i)))
			}
			r.send(b.String())
			acknowledged := 0
			for f := r.next(); f != nil; f = r.next() {
				acknowledged = int(f[5])<<7 | int(f[4])>>1
			}
			if acknowledged < 400-7 {
				r.t.Errorf("acknowledged to %d, want at least all but w-1 of 400", acknowledged)
			}
			r.objects(400)
			r.expectSilence()
		}},
		{row: "1.2 controlling 32767 is followed by 0 in the window of the sender", script: func(r *rig) {
			r.start()
			r.numbers(32760, 0)
			r.commands(32760, 12)
			r.command()
			r.expectSilence()
			r.send(sframe(32767)) // seven
			r.expect(iframe(4, 0, command))
			r.commands(5, 6)
			r.command()
			r.expectSilence()
			r.send(sframe(0)) // one, across the wrap
			r.expect(iframe(11, 0, command))
		}},
		{row: "1.2 controlling 32767 is followed by 0 in acknowledgements of received frames", script: func(r *rig) {
			r.start()
			r.numbers(0, 32764)
			for i := range 8 {
				r.send(iframe((32764+i)%32768, 0, spont(i)))
			}
			r.expect(sframe(4))
			r.send(iframe(4, 0, spont(1)))
			r.sendsAfter(10*time.Second, sframe(5))
		}},
	}
}

// fiveSentTwoAcknowledged has Ack 2 and V(S) 5 after first, and sends a frame,
// which is a reason to close or, with 0, none.
func (r *rig) fiveSentTwoAcknowledged(first int, frame string, want Reason) {
	r.t.Helper()
	r.commands(first, 5)
	r.send(sframe((first + 2) % apci.Modulus))
	r.expectSilence()
	before := len(r.got.all())
	r.send(frame)
	if want == 0 {
		r.expectSilence()
		return
	}
	r.expectClosed(want)
	r.objects(before)
}
