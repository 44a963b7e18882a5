package iec104

import (
	"strings"
	"testing/synctest"
	"time"

	"busbar/iec104/apci"
)

// numbers sets V(S), with nothing outstanding, and V(R) of the connection.
func (e *edge) numbers(vs, vr int) {
	e.t.Helper()
	id := e.info().ID
	e.s.mu.Lock()
	c := e.s.conns[id]
	e.s.mu.Unlock()
	l := &c.link
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.win.outstanding() != 0 || l.owed != 0 {
		e.t.Fatal("frames are not acknowledged")
	}
	l.win.vs, l.win.ack, l.vr, l.nr = apci.Seq(vs), apci.Seq(vs), apci.Seq(vr), apci.Seq(vr)
}

func numberCases() []check {
	one := ServerConfig{MaxObjectsPerASDU: 1}
	return []check{
		{row: "E027 N(S) gap", script: func(e *edge) {
			e.start()
			e.send("68 0e 02 00 00 00" + command)
			e.closes(BadSendNumber)
			e.untouched()
		}},
		{row: "E028 N(S) repeated", script: func(e *edge) {
			e.start()
			e.send("68 0e 00 00 00 00" + command)
			e.expect("68 0e 00 00 02 00 2d 01 07 05 01 00 88 13 00 01", "68 0e 02 00 02 00 2d 01 0a 05 01 00 88 13 00 01")
			e.send("68 0e 00 00 00 00" + command)
			e.closes(BadSendNumber)
			if calls := e.told(); len(calls) != 1 {
				e.t.Errorf("station was told %q, want one command", calls)
			}
		}},
		{row: "E029 N(R) acknowledges frames never sent (S)", script: func(e *edge) {
			e.start()
			e.send("68 04 01 00 02 00")
			e.closes(BadAck)
		}},
		{row: "E030 N(R) acknowledges frames never sent (I)", script: func(e *edge) {
			e.start()
			e.send("68 0e 00 00 02 00" + command)
			e.closes(BadAck)
			e.untouched()
		}},
		{row: "E031 N(R) goes backwards", cfg: one, script: func(e *edge) {
			e.start()
			e.put(event(100, 1), event(101, 1))
			e.expect(iframe(0, 0, spont(100)), iframe(1, 0, spont(101)))
			e.send("68 04 01 00 04 00")
			e.expectSilence()
			e.send("68 04 01 00 02 00")
			e.closes(BadAck)
		}},
		{row: "E032 same N(R) repeated", cfg: one, script: func(e *edge) {
			e.start()
			e.put(event(100, 1), event(101, 1))
			e.expect(iframe(0, 0, spont(100)), iframe(1, 0, spont(101)))
			for range 5 {
				e.send("68 04 01 00 02 00")
				e.silence(time.Second)
			}
			e.st.expectRecord(e.t, "started true", "confirm 1")
			e.send("68 04 01 00 04 00", "68 04 01 00 04 00")
			e.expectSilence()
			e.st.expectRecord(e.t, "confirm 1")
		}},
		{row: "E033 I-frames never acknowledged", cfg: one, script: func(e *edge) {
			e.start()
			for i := range 14 {
				e.put(event(uint32(100+i), 1))
				if i < 12 {
					e.expect(iframe(i, 0, spont(100+i)))
				}
				e.silence(time.Second)
			}
			if n := e.info().Outstanding; n != 12 {
				e.t.Errorf("%d outstanding, want k", n)
			}
			e.closesAfter(time.Second, NoAck)
		}},
		{row: "E034 useless S-frames while I-frames are outstanding", cfg: one, script: func(e *edge) {
			e.start()
			e.put(event(100, 1))
			e.expect(iframe(0, 0, spont(100)))
			for range 14 {
				e.silence(time.Second)
				e.send("68 04 01 00 00 00")
			}
			e.closesAfter(time.Second, NoAck)
		}},
		{row: "E035 TESTFR act traffic while I-frames are outstanding", cfg: one, script: func(e *edge) {
			e.start()
			e.put(event(100, 1))
			e.expect(iframe(0, 0, spont(100)))
			for range 14 {
				e.silence(time.Second)
				e.send("68 04 43 00 00 00")
				e.expect("68 04 83 00 00 00")
			}
			e.closesAfter(time.Second, NoAck)
		}},
		{row: "E036 sequence number wrap, start values near the end", cfg: one, script: func(e *edge) {
			e.start()
			e.numbers(32766, 32767)
			e.put(event(100, 1), event(101, 1), event(102, 1))
			e.expect(
				"68 0e fc ff fe ff 01 01 03 00 01 00 64 00 00 01", // N(S) 32766, N(R) 32767
				"68 0e fe ff fe ff 01 01 03 00 01 00 65 00 00 01",
				"68 0e 00 00 fe ff 01 01 03 00 01 00 66 00 00 01")
			e.send("68 0e fe ff fe ff" + unanswered) // N(S) 32767, N(R) 32767
			e.put(event(103, 1))
			e.expect("68 0e 02 00 00 00 01 01 03 00 01 00 67 00 00 01")
			e.send("68 0e 00 00 00 00" + unanswered) // N(S) 0, N(R) 0
			e.send("68 04 01 00 04 00")
			e.st.expectRecord(e.t, "started true", "confirm 1", "confirm 1", "confirm 2")
			e.send("68 04 01 00 fe ff") // backwards across the wrap
			e.closes(BadAck)
		}},
		{row: "E036 sequence number wrap, more than 32768 frames", cfg: one, script: func(e *edge) {
			const frames = 33_500
			e.start()
			for i := range frames {
				v := event(uint32(1+i), 1)
				e.st.queue.Put(&v)
			}
			synctest.Wait()
			for i := range frames {
				if got, want := hexOf(e.next()), digits(iframe(i%32768, 0, spont(1+i))); got != want {
					e.t.Fatalf("frame %d: received %s, want %s", i, got, want)
				}
				if i%8 == 7 || i == frames-1 {
					e.send(sframe((i + 1) % 32768))
				}
			}
			e.expectSilence()
			if n, _ := e.st.queue.Len(); n != 0 {
				e.t.Errorf("%d events not confirmed, want none", n)
			}
		}},
		{row: "E036 sequence number wrap of received frames", script: func(e *edge) {
			const frames = 33_000
			e.start()
			for i := range frames {
				e.send(iframe(i%32768, 0, unanswered))
				if i%8 == 7 {
					e.expect(sframe((i + 1) % 32768))
				}
			}
			e.send(iframe(0, 0, unanswered))
			e.closes(BadSendNumber)
		}},
	}
}

// digits returns hexadecimal digits without blanks.
func digits(frame string) string { return strings.ReplaceAll(frame, " ", "") }
