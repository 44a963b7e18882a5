package iec104

import (
	"strings"
	"testing/synctest"
	"time"
)

// windowRows are the rules of numbers and windows.
func windowRows() []check {
	one := ServerConfig{MaxObjectsPerASDU: 1}
	return []check{
		{row: "1.2 controlled numbers are 0 at first, unchanged by STARTDT and STOPDT", script: func(e *edge) {
			e.start()
			for i := range 3 {
				e.put(event(100, 1))
				e.expect(iframe(i, i, spont(100)))
				e.send(iframe(i, i+1, unanswered), "68 04 13 00 00 00")
				e.expect(sframe(i+1), "68 04 23 00 00 00")
				e.send("68 04 07 00 00 00")
				e.expect("68 04 0b 00 00 00")
			}
			e.renew() // but with the connection
			e.start()
			e.put(event(100, 1))
			e.expect("68 0e 00 00 00 00 01 01 03 00 01 00 64 00 00 01")
		}},
		{row: "1.2 controlled sender stops at k, which is no error", cfg: one, script: func(e *edge) {
			e.start()
			for i := range 30 {
				e.put(event(uint32(i), 1))
				if i < 12 {
					e.expect(iframe(i, 0, spont(i)))
				}
			}
			e.silence(9 * time.Second)
			e.send(sframe(1)) // room for one
			e.expect(iframe(12, 0, spont(12)))
			e.expectSilence()
			e.send(sframe(6)) // for five
			for i := range 5 {
				e.expect(iframe(13+i, 0, spont(13+i)))
			}
			e.expectSilence()
			e.send(sframe(18)) // for twelve
			for i := range 12 {
				e.expect(iframe(18+i, 0, spont(18+i)))
			}
			e.expectSilence()
		}},
		{row: "1.2 controlled N(R) confirms what it should also after many frames were outstanding", cfg: ServerConfig{Params: Params{K: 200}, MaxObjectsPerASDU: 1}, script: func(e *edge) {
			e.start()
			sent, acked := 0, 0
			step := func(frames, ack int) {
				for range frames {
					e.put(event(uint32(sent), 1))
					e.expect(iframe(sent, 0, spont(sent)))
					sent++
				}
				acked += ack
				e.send(sframe(acked))
				if n, _ := e.st.queue.Len(); n != sent-acked {
					e.t.Fatalf("%d events not confirmed after %d of %d frames, want %d", n, acked, sent, sent-acked)
				}
			}
			for _, s := range [][2]int{{5, 5}, {20, 7}, {60, 3}, {100, 1}, {0, 30}, {20, 100}} {
				e.wait(time.Second)
				step(s[0], s[1])
			}
			step(0, 57) // two are left, sent at 6 s
			e.closesAfter(15*time.Second, NoAck)
		}},
		{row: "1.2 controlled k = 1", cfg: ServerConfig{Params: Params{K: 1}, MaxObjectsPerASDU: 1}, script: func(e *edge) {
			e.start()
			e.put(event(0, 1), event(1, 1), event(2, 1))
			for i := range 3 {
				e.expect(iframe(i, 0, spont(i)))
				e.expectSilence()
				e.send(sframe(i + 1))
			}
		}},
		{row: "1.2 controlled link control and S frames do not need the window", cfg: one, script: func(e *edge) {
			e.start()
			for i := range 12 {
				e.put(event(uint32(i), 1))
				e.expect(iframe(i, 0, spont(i)))
			}
			for i := range 8 {
				e.send(iframe(i, 0, unanswered))
			}
			e.expect(sframe(8))
			e.send("68 04 43 00 00 00")
			e.expect("68 04 83 00 00 00")
		}},
		{row: "1.2 controlled a sent I frame acknowledges: stop t2, count from 0", script: func(e *edge) {
			e.start()
			for i := range 7 {
				e.send(iframe(i, 0, unanswered))
			}
			e.put(event(100, 1))
			e.expect(iframe(0, 7, spont(100)))
			e.silence(10 * time.Second)
			for i := range 7 {
				e.send(iframe(7+i, 1, unanswered))
			}
			e.expectSilence()
			e.send(iframe(14, 1, unanswered))
			e.expect(sframe(15))
		}},
		{row: "1.2 controlled w received I frames are acknowledged at once", script: func(e *edge) {
			e.start()
			for i := range 40 {
				e.send(iframe(i, 0, unanswered))
				if i%8 == 7 {
					e.expect(sframe(i + 1))
				}
				e.expectSilence()
			}
		}},
		{row: "1.2 controlled w = 1", cfg: ServerConfig{Params: Params{W: 1}}, script: func(e *edge) {
			e.start()
			for i := range 3 {
				e.send(iframe(i, 0, unanswered))
				e.expect(sframe(i + 1))
			}
		}},
		{row: "1.2 controlled N(S) must be V(R)", script: func(e *edge) {
			for i, ns := range []int{0, 2, 3, 32767, 16384} { // after one frame
				if i > 0 {
					e.renew()
				}
				e.start()
				e.send(iframe(0, 0, unanswered), iframe(ns, 0, command))
				e.closes(BadSendNumber)
				e.untouched()
			}
		}},
		{row: "1.2 controlled N(R) is valid from Ack to V(S)", cfg: one, script: func(e *edge) {
			for nr, want := range map[int]Reason{2: 0, 3: 0, 4: 0, 5: 0, 1: BadAck, 0: BadAck, 6: BadAck, 32767: BadAck, 16384: BadAck} {
				for _, frame := range []string{sframe(nr), iframe(0, nr, unanswered)} {
					e.fiveSentTwoAcknowledged()
					e.send(frame)
					if want != 0 {
						e.closes(want)
					} else {
						e.expectSilence()
					}
				}
			}
		}},
		{row: "1.2 controlled N(R) is checked before the ASDU is looked at", script: func(e *edge) {
			e.start()
			e.send(iframe(0, 1, command))
			e.closes(BadAck)
			e.untouched()
			e.renew()
			e.start()
			e.send(iframe(0, 1, "2d")) // and before it is found malformed
			e.closes(BadAck)
		}},
		{row: "1.2 controlled N(R) confirms everything below it", cfg: one, script: func(e *edge) {
			e.start()
			e.put(event(0, 1), event(1, 1), event(2, 1))
			e.expect(iframe(0, 0, spont(0)), iframe(1, 0, spont(1)), iframe(2, 0, spont(2)))
			e.send(iframe(0, 3, unanswered))
			e.st.expectRecord(e.t, "started true", "confirm 3")
			if i := e.info(); i.Outstanding != 0 || i.Acknowledged != 3 {
				e.t.Errorf("%d outstanding, acknowledged to %d", i.Outstanding, i.Acknowledged)
			}
			e.sendsAfter(10*time.Second, sframe(1)) // t1 is stopped: t2 is next
		}},
		{row: "1.2 controlled N(R) equal to Ack has no effect, does not prolong t1", cfg: one, script: func(e *edge) {
			e.fiveSentTwoAcknowledged()
			e.silence(10 * time.Second)
			e.send(sframe(2))
			e.closesAfter(5*time.Second, NoAck)
		}},
		{row: "1.2 controlled a peer whose k is larger is no reason to close", script: func(e *edge) {
			e.start()
			var b strings.Builder
			for i := range 400 {
				b.WriteString(iframe(i, 0, unanswered))
			}
			e.send(b.String())
			acknowledged := 0
			for f := e.next(); f != nil; f = e.next() {
				if len(f) != 6 || f[2] != 1 {
					e.t.Fatalf("received %x, want S frames", f)
				}
				acknowledged = int(f[5])<<7 | int(f[4])>>1
			}
			if acknowledged < 400-7 {
				e.t.Errorf("acknowledged to %d, want at least all but w-1 of 400", acknowledged)
			}
			e.expectSilence()
		}},
		{row: "1.2 controlled 32767 is followed by 0 in the window of the sender", cfg: one, script: func(e *edge) {
			e.start()
			e.numbers(32760, 0)
			for i := range 20 {
				e.put(event(uint32(i), 1))
			}
			for i := range 12 {
				e.expect(iframe((32760+i)%32768, 0, spont(i)))
			}
			e.expectSilence()
			e.send(sframe(32767)) // seven
			for i := range 7 {
				e.expect(iframe(4+i, 0, spont(12+i)))
			}
			e.expectSilence()
			e.send(sframe(0)) // one, across the wrap
			e.expect(iframe(11, 0, spont(19)))
			e.send(sframe(12))
			synctest.Wait()
			if n, _ := e.st.queue.Len(); n != 0 {
				e.t.Errorf("%d events not confirmed", n)
			}
		}},
		{row: "1.2 controlled 32767 is followed by 0 in acknowledgements of received frames", script: func(e *edge) {
			e.start()
			e.numbers(0, 32764)
			for i := range 8 {
				e.send(iframe((32764+i)%32768, 0, unanswered))
			}
			e.expect(sframe(4))
			e.send(iframe(4, 0, unanswered))
			e.sendsAfter(10*time.Second, sframe(5))
		}},
		{row: "1.2 controlled N(R) is valid from Ack to V(S) across the wrap", cfg: one, script: func(e *edge) {
			for nr, want := range map[int]Reason{32765: BadAck, 32766: 0, 32767: 0, 0: 0, 1: 0, 2: BadAck, 16384: BadAck} {
				e.fresh()
				e.start()
				e.numbers(32766, 0)
				e.put(event(0, 1), event(1, 1), event(2, 1))
				e.expect(iframe(32766, 0, spont(0)), iframe(32767, 0, spont(1)), iframe(0, 0, spont(2)))
				e.send(sframe(nr))
				if want != 0 {
					e.closes(want)
				} else {
					e.expectSilence()
				}
			}
		}},
	}
}

// fiveSentTwoAcknowledged has Ack 2 and V(S) 5 on a new connection.
func (e *edge) fiveSentTwoAcknowledged() {
	e.t.Helper()
	e.fresh()
	e.start()
	for i := range 5 {
		e.put(event(uint32(i), 1))
		e.expect(iframe(i, 0, spont(i)))
	}
	e.send(sframe(2))
	e.expectSilence()
}
