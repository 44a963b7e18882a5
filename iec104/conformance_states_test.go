package iec104

import (
	"time"
)

// controlledRows are the rows of data transfer in the controlled station.
func controlledRows() []check {
	state := func(e *edge, want string) {
		e.t.Helper()
		if s := e.info().State; s != want {
			e.t.Fatalf("state %s, want %s", s, want)
		}
	}
	return []check{
		{row: "1.4 controlled STOPPED: STARTDT act", script: func(e *edge) {
			e.put(event(100, 1))
			e.silence(time.Second) // queued until then
			e.send("68 04 07 00 00 00")
			e.expect("68 04 0b 00 00 00", "68 0e 00 00 00 00 01 01 03 00 01 00 64 00 00 01")
			state(e, "started")
		}},
		{row: "1.4 controlled STOPPED: STOPDT act", script: func(e *edge) {
			e.send("68 04 13 00 00 00")
			e.expect("68 04 23 00 00 00")
			state(e, "stopped")
			e.st.expectRecord(e.t)
		}},
		{row: "1.4 controlled STOPPED: I received", script: func(e *edge) {
			e.send("68 0e 00 00 00 00" + command)
			e.closes(NotStarted)
			e.untouched()
		}},
		{row: "1.4 controlled STOPPED: S received", script: func(e *edge) {
			e.send("68 04 01 00 00 00")
			e.closes(NotStarted)
		}},
		{row: "1.4 controlled STARTED: STARTDT act", script: func(e *edge) {
			e.start()
			e.put(event(100, 1))
			e.expect("68 0e 00 00 00 00 01 01 03 00 01 00 64 00 00 01")
			e.send("68 04 07 00 00 00")
			e.expect("68 04 0b 00 00 00")
			state(e, "started")
			e.put(event(101, 1))
			e.expect("68 0e 02 00 00 00 01 01 03 00 01 00 65 00 00 01")
			e.st.expectRecord(e.t, "started true")
		}},
		{row: "1.4 controlled STARTED: STOPDT act, own I frames all acknowledged", script: func(e *edge) {
			e.start()
			e.put(event(100, 1))
			e.expect("68 0e 00 00 00 00 01 01 03 00 01 00 64 00 00 01")
			e.send("68 04 01 00 02 00", "68 04 13 00 00 00")
			e.expect("68 04 23 00 00 00")
			state(e, "stopped")
			e.put(event(101, 1))
			e.silence(time.Second)
		}},
		{row: "1.4 controlled STARTED: STOPDT act, received I frames unacknowledged", script: func(e *edge) {
			e.start()
			e.send(iframe(0, 0, unanswered), iframe(1, 0, unanswered))
			e.send("68 04 13 00 00 00")
			e.expect("68 04 01 00 04 00", "68 04 23 00 00 00")
			e.silence(15 * time.Second) // t2 is over
		}},
		{row: "1.4 controlled STARTED: STOPDT act, own I frames outstanding", script: func(e *edge) {
			pendingStop(e)
			e.put(event(101, 1))
			e.silence(time.Second)
			state(e, "pending stopped")
		}},
		{row: "1.4 controlled PENDING UNCONFIRMED STOPPED: S acknowledges the last outstanding", script: func(e *edge) {
			pendingStop(e)
			e.send("68 04 01 00 00 00") // nothing yet
			e.expectSilence()
			e.send("68 04 01 00 02 00")
			e.expect("68 04 23 00 00 00")
			state(e, "stopped")
		}},
		{row: "1.4 controlled PENDING UNCONFIRMED STOPPED: S acknowledges some", cfg: ServerConfig{MaxObjectsPerASDU: 1}, script: func(e *edge) {
			e.start()
			e.put(event(0, 1), event(1, 1))
			e.expect(iframe(0, 0, spont(0)), iframe(1, 0, spont(1)))
			e.send("68 04 13 00 00 00", sframe(1))
			e.expectSilence()
			e.send(sframe(2))
			e.expect("68 04 23 00 00 00")
		}},
		{row: "1.4 controlled PENDING UNCONFIRMED STOPPED: I received", script: func(e *edge) {
			pendingStop(e)
			e.send("68 0e 02 00 02 00" + command) // though it would acknowledge
			e.closes(NotStarted)
			e.untouched()
		}},
		{row: "1.4 controlled PENDING UNCONFIRMED STOPPED: STARTDT act", script: func(e *edge) {
			pendingStop(e)
			e.put(event(101, 1))
			e.send("68 04 07 00 00 00")
			e.expect("68 04 0b 00 00 00", "68 0e 02 00 02 00 01 01 03 00 01 00 65 00 00 01")
			state(e, "started")
			e.send("68 04 01 00 04 00") // no STOPDT con that was forgotten
			e.expectSilence()
		}},
		{row: "1.4 controlled PENDING UNCONFIRMED STOPPED: STOPDT act", script: func(e *edge) {
			pendingStop(e)
			e.send("68 04 13 00 00 00")
			e.expectSilence()
			e.send("68 04 01 00 02 00")
			e.expect("68 04 23 00 00 00")
			e.expectSilence()
		}},
		{row: "1.4 controlled PENDING UNCONFIRMED STOPPED: t1 (I) expires", script: func(e *edge) {
			pendingStop(e)
			e.closesAfter(15*time.Second, NoAck)
		}},
		{row: "1.4 controlled an I frame never comes before STARTDT con", script: func(e *edge) {
			for range 5 {
				e.fresh()
				e.put(event(100, 1))
				e.send("68 04 43 00 00 00", "68 04 07 00 00 00", "68 0e 00 00 00 00"+giAct)
				e.expect("68 04 83 00 00 00", "68 04 0b 00 00 00", iframe(0, 1, giCon), iframe(1, 1, spont(100)),
					iframe(2, 1, "01 82 14 00 01 00 64 00 00 01 00"), iframe(3, 1, giEnd))
			}
		}},
		{row: "1.4 controlled end of initialisation follows STARTDT con", script: func(e *edge) {
			e.put(initialised(), event(100, 1))
			e.send("68 04 07 00 00 00")
			e.expect("68 04 0b 00 00 00", "68 0e 00 00 00 00 46 01 04 00 01 00 00 00 00 02",
				"68 0e 02 00 00 00 01 01 03 00 01 00 64 00 00 01")
		}},
	}
}

// closeRows are the conditions that close the connection, by their numbers.
// The sixth, t0, is the controlling station's.
func closeRows() []check {
	closes := func(row string, want Reason, frames string) check {
		return check{row: row, script: func(e *edge) {
			e.start()
			e.send(frames)
			e.closes(want)
			e.untouched()
		}}
	}
	return []check{
		closes("1.5 controlled 1: wrong start octet", BadStart, "00"),
		closes("1.5 controlled 1: L outside 4 to 253", BadLength, "68 fe"),
		closes("1.5 controlled 1: S or U with L other than 4", BadControlLength, "68 05 01 00 00 00 00"),
		closes("1.5 controlled 1: undefined U function", BadFunction, "68 04 c3 00 00 00"),
		{row: "1.5 controlled 2: I frame in STOPPED", script: func(e *edge) {
			e.send("68 0e 00 00 00 00" + command)
			e.closes(NotStarted)
		}},
		{row: "1.5 controlled 2: S frame in STOPPED", script: func(e *edge) {
			e.send("68 04 01 00 00 00")
			e.closes(NotStarted)
		}},
		closes("1.5 controlled 3: N(S) with a gap", BadSendNumber, iframe(1, 0, command)),
		closes("1.5 controlled 3: N(S) repeated", BadSendNumber, iframe(0, 0, unanswered)+iframe(0, 0, command)),
		closes("1.5 controlled 4: N(R) outside Ack to V(S)", BadAck, sframe(1)),
		{row: "1.5 controlled 5: t1 of an I frame", script: func(e *edge) {
			e.start()
			e.put(event(0, 1))
			e.expect(iframe(0, 0, spont(0)))
			e.closesAfter(15*time.Second, NoAck)
		}},
		{row: "1.5 controlled 5: t1 of TESTFR act", script: func(e *edge) {
			e.sendsAfter(20*time.Second, "68 04 43 00 00 00")
			e.closesAfter(15*time.Second, NoTestCon)
		}},
		closes("1.5 controlled 7: malformed ASDU", BadASDU, iframe(0, 0, "2d 02"+command[6:])),
		{row: "1.5 controlled 8: incomplete APDU older than t1", script: func(e *edge) {
			e.send("68")
			e.closesAfter(15*time.Second, Incomplete)
		}},
		{row: "1.5 controlled 9: TCP FIN", script: func(e *edge) {
			e.start()
			e.conn.Close()
			e.wait(0)
			e.closes(ClosedByPeer)
		}},
		{row: "1.5 controlled closing stops all timers and starts anew", script: func(e *edge) {
			e.start()
			e.put(event(0, 1))
			e.expect(iframe(0, 0, spont(0)))
			e.send("00")
			e.closes(BadStart)
			e.wait(time.Minute)
			if stats := e.s.Stats(); stats.Closed != e.closings {
				e.t.Errorf("closed by reason %v, want %v", stats.Closed, e.closings)
			}
			e.renew()
			e.send("68 04 07 00 00 00")
			e.expect("68 04 0b 00 00 00", iframe(0, 0, spont(0))) // at least once
		}},
	}
}
