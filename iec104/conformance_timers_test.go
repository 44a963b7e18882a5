package iec104

import (
	"testing"
	"time"
)

// timerRows are the rows of the timers as a controlled station has them; those
// of t0, STARTDT act and STOPDT act belong to the controlling station.
func timerRows() []check {
	one := ServerConfig{MaxObjectsPerASDU: 1}
	return []check{
		{row: "1.3 controlled t1 (I) supervises the oldest frame", cfg: one, script: func(e *edge) {
			e.start()
			for i := range 3 { // at 0, 5 and 10 s
				if i > 0 {
					e.silence(5 * time.Second)
				}
				e.put(event(uint32(i), 1))
				e.expect(iframe(i, 0, spont(i)))
			}
			e.closesAfter(5*time.Second, NoAck)
		}},
		{row: "1.3 controlled t1 (I) goes on with the next oldest", cfg: one, script: func(e *edge) {
			e.start()
			e.put(event(0, 1))
			e.expect(iframe(0, 0, spont(0)))
			e.silence(5 * time.Second)
			e.put(event(1, 1))
			e.expect(iframe(1, 0, spont(1)))
			e.silence(9 * time.Second)
			e.send(sframe(1)) // at 14 s the first is acknowledged
			e.closesAfter(6*time.Second, NoAck)
		}},
		{row: "1.3 controlled t1 (I) stops with N(R) beyond the frame", cfg: one, script: func(e *edge) {
			e.start()
			e.put(event(0, 1))
			e.expect(iframe(0, 0, spont(0)))
			e.silence(15*time.Second - time.Millisecond)
			e.send(sframe(1))
			e.silence(19 * time.Second)
		}},
		{row: "1.3 controlled t1 (U) of TESTFR act stops with its con", script: func(e *edge) {
			for range 3 {
				e.sendsAfter(20*time.Second, "68 04 43 00 00 00")
				e.silence(15*time.Second - time.Millisecond)
				e.send("68 04 83 00 00 00")
			}
		}},
		{row: "1.3 controlled t1 (U) of TESTFR act expires", script: func(e *edge) {
			e.sendsAfter(20*time.Second, "68 04 43 00 00 00")
			e.silence(14 * time.Second)
			e.send("68 04 43 00 00 00") // no confirmation of ours
			e.expect("68 04 83 00 00 00")
			e.closesAfter(time.Second, NoTestCon)
		}},
		{row: "1.3 controlled t2 from the first received I frame, not prolonged", script: func(e *edge) {
			e.start()
			for i := range 4 { // at 0, 3, 6, 9 s
				e.send(iframe(i, 0, unanswered))
				if i < 3 {
					e.silence(3 * time.Second)
				}
			}
			e.sendsAfter(time.Second, sframe(4))
			e.silence(10 * time.Second)
			e.send(iframe(4, 0, unanswered))
			e.sendsAfter(10*time.Second, sframe(5))
		}},
		{row: "1.3 controlled t2 stops with a sent I frame", script: func(e *edge) {
			e.start()
			e.send(iframe(0, 0, unanswered))
			e.silence(9 * time.Second)
			e.put(event(0, 1))
			e.expect(iframe(0, 1, spont(0)))
			e.silence(2 * time.Second)
			e.send(iframe(1, 1, unanswered))
			e.sendsAfter(10*time.Second, sframe(2))
		}},
		{row: "1.3 controlled t2 stops with a sent S frame", script: func(e *edge) {
			e.start()
			for i := range 8 {
				e.send(iframe(i, 0, unanswered))
			}
			e.expect(sframe(8))
			e.silence(15 * time.Second)
		}},
		{row: "1.3 controlled t2 is not stopped by link control", script: func(e *edge) {
			e.start()
			e.send(iframe(0, 0, unanswered))
			e.silence(9 * time.Second)
			e.send("68 04 43 00 00 00")
			e.expect("68 04 83 00 00 00")
			e.sendsAfter(time.Second, sframe(1))
		}},
		{row: "1.3 controlled t3 from the establishment of the connection", script: func(e *edge) {
			e.sendsAfter(20*time.Second, "68 04 43 00 00 00")
		}},
		{row: "1.3 controlled t3 restarts with every received frame", script: func(e *edge) {
			frames := []string{"68 04 07 00 00 00", iframe(0, 0, unanswered), sframe(0), "68 04 43 00 00 00", "68 04 83 00 00 00", "68 04 0b 00 00 00"}
			for _, f := range frames {
				e.wait(19 * time.Second)
				for b := e.next(); b != nil; b = e.next() {
					if b[2] == 0x43 {
						e.t.Fatalf("TESTFR act before t3, in front of %s", f)
					}
				}
				e.send(f)
			}
			for b := e.next(); b != nil; b = e.next() {
			}
			e.sendsAfter(20*time.Second, "68 04 43 00 00 00")
		}},
		{row: "1.3 controlled t3 is not restarted by sent frames", cfg: ServerConfig{Params: Params{T1: 60 * time.Second}, MaxObjectsPerASDU: 1}, script: func(e *edge) {
			e.start()
			for i := range 4 { // at 0, 5, 10 and 15 s
				e.put(event(uint32(i), 1))
				e.expect(iframe(i, 0, spont(i)))
				if i < 3 {
					e.silence(5 * time.Second)
				}
			}
			e.sendsAfter(5*time.Second, "68 04 43 00 00 00")
		}},
		{row: "1.3 controlled t3 runs in STOPPED", script: func(e *edge) {
			e.start()
			e.send("68 04 13 00 00 00")
			e.expect("68 04 23 00 00 00")
			e.sendsAfter(20*time.Second, "68 04 43 00 00 00")
			e.closesAfter(15*time.Second, NoTestCon)
		}},
		{row: "1.3 controlled TESTFR act is confirmed in every state", script: func(e *edge) {
			test := func() {
				e.send("68 04 43 00 00 00")
				e.expect("68 04 83 00 00 00")
			}
			test()
			pendingStop(e)
			test()
			e.send(sframe(1))
			e.expect("68 04 23 00 00 00")
			test()
			e.start()
			test()
		}},
		{row: "1.3 controlled only one TESTFR act outstanding", cfg: ServerConfig{Params: Params{T3: 2 * time.Second}}, script: func(e *edge) {
			e.sendsAfter(2*time.Second, "68 04 43 00 00 00")
			for range 14 {
				e.silence(time.Second)
				e.send("68 04 0b 00 00 00") // something else, so that t3 would begin anew
			}
			e.closesAfter(time.Second, NoTestCon)
		}},
		{row: "1.3 controlled a dead peer is found within t3 + t1", script: func(e *edge) {
			e.start()
			e.wait(7 * time.Second)
			e.send("68 04 43 00 00 00") // the last that is heard of it
			e.expect("68 04 83 00 00 00")
			e.sendsAfter(20*time.Second, "68 04 43 00 00 00")
			e.closesAfter(15*time.Second, NoTestCon)
		}},
		{row: "1.3 controlled the parameters count", cfg: ServerConfig{Params: Params{T1: 3 * time.Second, T2: time.Second, T3: 5 * time.Second}}, script: func(e *edge) {
			e.start()
			e.send(iframe(0, 0, unanswered))
			e.sendsAfter(time.Second, sframe(1))
			e.sendsAfter(4*time.Second, "68 04 43 00 00 00")
			e.closesAfter(3*time.Second, NoTestCon)
		}},
	}
}

func TestParamsAreValidated(t *testing.T) {
	t.Parallel()
	second := time.Second
	tests := []struct {
		name string
		p    Params
		ok   bool
	}{
		{"smallest", Params{K: 1, W: 1, T0: second, T1: second, T2: second / 2, T3: second}, true},
		{"largest", Params{K: 32767, W: 32767, T0: 255 * second, T1: 255 * second, T2: 254 * second, T3: 48 * time.Hour}, true},
		{"k too large", Params{K: 32768}, false},
		{"w above k", Params{K: 7, W: 8}, false},
		{"t0 too long", Params{T0: 256 * second}, false},
		{"t1 too long", Params{T1: 256 * second}, false},
		{"t2 not below t1", Params{T1: 10 * second, T2: 10 * second}, false},
		{"t3 too short", Params{T3: second - 1}, false},
		{"t3 too long", Params{T3: 48*time.Hour + 1}, false},
	}
	for _, tt := range tests {
		if _, err := tt.p.Complete(); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
