package iec104

import (
	"time"
)

// clientTimerRows are the rows of the timers as a controlling station has them.
func clientTimerRows() []clientCheck {
	return []clientCheck{
		{row: "1.3 controlling t1 (I) expires", script: func(r *rig) {
			r.start()
			r.command()
			r.expect("68 0e 00 00 00 00" + command)
			r.closesAfter(15*time.Second, NoAck)
		}},
		{row: "1.3 controlling t1 (U) of STARTDT act expires", script: func(r *rig) {
			r.starting()
			r.silence(10 * time.Second)
			r.send("68 04 43 00 00 00") // something else
			r.expect("68 04 83 00 00 00")
			r.closesAfter(5*time.Second, NoStartCon)
		}},
		{row: "1.3 controlling t1 (U) of STOPDT act expires", script: func(r *rig) {
			r.start()
			r.stopping()
			r.expect("68 04 13 00 00 00")
			r.closesAfter(15*time.Second, NoStopCon)
		}},
		{row: "1.3 controlling t2 from the first received I frame, and w", script: func(r *rig) {
			r.start()
			for i := range 9 {
				r.send(iframe(i, 0, spont(100+i)))
				if i == 7 {
					r.expect(sframe(8))
				}
				r.expectSilence()
			}
			r.silence(10*time.Second - time.Millisecond)
			r.wait(time.Millisecond)
			r.expect(sframe(9))
			r.objects(9)
		}},
		{row: "1.3 controlling t3 runs in every state", script: func(r *rig) {
			test := func() {
				r.silence(20*time.Second - time.Millisecond)
				r.wait(time.Millisecond)
				r.expect("68 04 43 00 00 00")
				r.send("68 04 83 00 00 00")
			}
			test()
			r.start()
			test()
			r.stopping()
			r.expect("68 04 13 00 00 00")
			r.send("68 04 23 00 00 00")
			test()
		}},
		{row: "1.3 controlling TESTFR act is confirmed in every state", script: func(r *rig) {
			test := func() {
				r.send("68 04 43 00 00 00")
				r.expect("68 04 83 00 00 00")
			}
			test()
			result := r.starting()
			test()
			r.send("68 04 0b 00 00 00")
			if err := <-result; err != nil {
				r.t.Fatal(err)
			}
			test()
			r.stopping()
			r.expect("68 04 13 00 00 00")
			test()
		}},
	}
}

// clientCases are the edge cases that concern both stations, for the
// controlling one.
func clientCases() []clientCheck {
	discarded := func(row, asdu string) clientCheck {
		return clientCheck{row: row, script: func(r *rig) {
			r.start()
			r.send(iframe(0, 0, asdu), iframe(1, 0, spont(100)))
			r.objects(1)
			if n := r.c.Info().Discarded; n != 1 {
				r.t.Errorf("%d discarded, want 1", n)
			}
			r.silence(10*time.Second - time.Millisecond)
			r.wait(time.Millisecond)
			r.expect(sframe(2)) // acknowledged all the same, and not mirrored
		}}
	}
	return []clientCheck{
		{row: "E027 controlling: N(S) gap", script: func(r *rig) {
			r.start()
			r.send(iframe(1, 0, spont(100)))
			r.expectClosed(BadSendNumber)
			r.objects(0)
		}},
		{row: "E030 controlling: N(R) of frames never sent", script: func(r *rig) {
			r.start()
			r.send(iframe(0, 1, spont(100)))
			r.expectClosed(BadAck)
			r.objects(0)
		}},
		{row: "E036 controlling: sequence number wrap, more than 32768 frames", script: func(r *rig) {
			const frames = 33_000
			r.start()
			for i := range frames {
				r.send(iframe(i%32768, 0, spont(100)))
				if i%8 == 7 {
					r.expect(sframe((i + 1) % 32768))
				}
			}
			r.objects(frames)
		}},
		{row: "E036 controlling: sequence number wrap, start values near the end", script: func(r *rig) {
			r.start()
			l := &r.c.active.conn.link
			l.mu.Lock()
			l.win.vs, l.win.ack, l.vr, l.nr = 32767, 32767, 32767, 32767
			l.mu.Unlock()
			r.command()
			r.command()
			r.expect("68 0e fe ff fe ff"+command, "68 0e 00 00 fe ff"+command)
			r.send("68 0e fe ff 02 00" + spont(100)) // N(S) 32767, N(R) 1
			r.command()
			r.expect("68 0e 02 00 00 00" + command)
			r.send("68 04 01 00 fe ff")
			r.expectClosed(BadAck)
		}},
		discarded("E037 controlling: I-format without ASDU", ""),
		{row: "E042 controlling: surplus octets", script: func(r *rig) {
			r.start()
			r.send(iframe(0, 0, "01 01 03 00 01 00 64 00 00 01 ff"))
			r.objects(1)
			if n := r.c.Info().Tolerated; n != 1 {
				r.t.Errorf("%d tolerated, want 1", n)
			}
		}},
		discarded("E085 undefined type id in monitor direction", "2c 01 03 00 01 00 64 00 00 01"),
		discarded("E086 ASDU cut off", "01 02 03 00 01 00 64 00 00 01"),
		discarded("E087 SQ=1 past the last address", "01 82 03 00 01 00 ff ff ff 01 00"),
		{row: "E095 controlling: the station does not read", script: func(r *rig) {
			r.start()
			r.pause()
			for range 20 {
				r.command()
			}
			r.wait(15*time.Second - time.Millisecond)
			if n := r.c.Info().Outstanding; n < 1 || n > 12 {
				r.t.Errorf("%d outstanding, want at most k", n)
			}
			r.wait(time.Millisecond)
			r.resume()
			for b := r.next(); b != nil; b = r.next() {
				if len(b) != 16 {
					r.t.Fatalf("received %x, want commands", b)
				}
			}
			r.expectClosed(NoAck)
		}},
		{row: "E095 controlling: the station acknowledges nothing", script: func(r *rig) {
			r.start()
			for i := range 20 {
				r.command()
				if i < 12 {
					r.expect(iframe(i, 0, command))
				}
			}
			r.closesAfter(15*time.Second, NoAck)
		}},
		{row: "E096 controlling: the station vanishes", script: func(r *rig) {
			r.start()
			r.silence(20*time.Second - time.Millisecond)
			r.wait(time.Millisecond)
			r.expect("68 04 43 00 00 00")
			r.closesAfter(15*time.Second, NoTestCon)
		}},
	}
}
