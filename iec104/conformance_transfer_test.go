package iec104

import (
	"encoding/hex"
	"strings"
	"time"
)

func hexOf(b []byte) string { return hex.EncodeToString(b) }

// pendingStop brings the connection into PENDING UNCONFIRMED STOPPED: one own I
// frame is outstanding, one of the peer has been acknowledged by S.
func pendingStop(e *edge) {
	e.t.Helper()
	e.start()
	e.put(event(100, 1))
	e.expect("68 0e 00 00 00 00 01 01 03 00 01 00 64 00 00 01")
	e.send("68 0e 00 00 00 00" + unanswered)
	e.expectSilence()
	e.send("68 04 13 00 00 00")
	e.expect("68 04 01 00 02 00")
	e.expectSilence()
	if state := e.info().State; state != "pending stopped" {
		e.t.Fatalf("state %s, want pending stopped", state)
	}
}

func transferCases() []check {
	return []check{
		{row: "E014 I-format before STARTDT", script: func(e *edge) {
			e.send("68 0e 00 00 00 00" + command)
			e.closes(NotStarted)
			e.untouched()
		}},
		{row: "E015 S-format before STARTDT", script: func(e *edge) {
			e.send("68 04 01 00 00 00")
			e.closes(NotStarted)
		}},
		{row: "E016 STARTDT act twice", script: func(e *edge) {
			e.start()
			e.put(event(100, 1))
			e.expect("68 0e 00 00 00 00 01 01 03 00 01 00 64 00 00 01")
			e.send("68 0e 00 00 00 00" + unanswered)
			e.send("68 04 07 00 00 00")
			e.expect("68 04 0b 00 00 00")
			e.put(event(101, 1))
			e.expect("68 0e 02 00 02 00 01 01 03 00 01 00 65 00 00 01")
			e.send("68 0e 02 00 04 00" + unanswered) // acknowledges both
			e.expectSilence()
			e.st.expectRecord(e.t, "started true", "confirm 2")
		}},
		{row: "E017 STOPDT act while STOPPED", script: func(e *edge) {
			e.send("68 04 13 00 00 00")
			e.expect("68 04 23 00 00 00")
			e.expectSilence()
			e.start()
		}},
		{row: "E018 STOPDT act with unacknowledged I-frames outstanding", script: func(e *edge) {
			pendingStop(e)
			e.put(event(101, 1))
			e.silence(14 * time.Second)
		}},
		{row: "E018 STOPDT act, an I-frame acknowledged already", script: func(e *edge) {
			e.start()
			e.send("68 0e 00 00 00 00" + unanswered)
			e.put(event(100, 1))
			e.expect("68 0e 00 00 02 00 01 01 03 00 01 00 64 00 00 01")
			e.send("68 04 13 00 00 00")
			e.expectSilence()
		}},
		{row: "E019 then the acknowledgement arrives", script: func(e *edge) {
			pendingStop(e)
			e.silence(7 * time.Second)
			e.send("68 04 01 00 02 00")
			e.expect("68 04 23 00 00 00")
			e.put(event(101, 1))
			e.silence(10 * time.Second) // events wait for STARTDT
			e.send("68 04 07 00 00 00")
			e.expect("68 04 0b 00 00 00", "68 0e 02 00 02 00 01 01 03 00 01 00 65 00 00 01")
		}},
		{row: "E020 I-format in PENDING_UNCONFIRMED_STOPPED", script: func(e *edge) {
			pendingStop(e)
			e.send("68 0e 02 00 00 00" + command)
			e.closes(NotStarted)
			e.untouched()
		}},
		{row: "E021 I-format after STOPDT con", script: func(e *edge) {
			e.start()
			e.send("68 04 13 00 00 00")
			e.expect("68 04 23 00 00 00")
			e.send("68 0e 00 00 00 00" + command)
			e.closes(NotStarted)
			e.untouched()
		}},
		{row: "E022 STARTDT con and STOPDT con while STOPPED", script: func(e *edge) {
			e.send("68 04 0b 00 00 00", "68 04 23 00 00 00")
			e.put(event(100, 1))
			e.silence(10 * time.Second)
			if i := e.info(); i.State != "stopped" || i.Ignored != 2 {
				e.t.Errorf("%s, %d ignored, want stopped and 2", i.State, i.Ignored)
			}
			e.send("68 0e 00 00 00 00" + command)
			e.closes(NotStarted)
		}},
		{row: "E022 STARTDT con and STOPDT con while STARTED", script: func(e *edge) {
			e.start()
			e.send("68 04 0b 00 00 00", "68 04 23 00 00 00")
			e.expectSilence()
			if i := e.info(); i.State != "started" || i.Ignored != 2 {
				e.t.Errorf("%s, %d ignored, want started and 2", i.State, i.Ignored)
			}
			e.put(event(100, 1))
			e.expect("68 0e 00 00 00 00 01 01 03 00 01 00 64 00 00 01")
		}},
		{row: "E023 TESTFR con without TESTFR act", script: func(e *edge) {
			e.wait(19 * time.Second)
			e.send("68 04 83 00 00 00")
			if n := e.info().Ignored; n != 1 {
				e.t.Errorf("%d ignored, want 1", n)
			}
			e.sendsAfter(20*time.Second, "68 04 43 00 00 00")
		}},
		{row: "E024 200 TESTFR act in one burst", script: func(e *edge) {
			e.send(strings.Repeat("68 04 43 00 00 00", 200))
			for range 200 {
				e.expect("68 04 83 00 00 00")
			}
			e.expectSilence()
		}},
		{row: "E024 TESTFR act without end from a peer that does not read", pipe: true, script: func(e *edge) {
			e.pause()
			e.send(strings.Repeat("68 04 43 00 00 00", 12_000))
			e.wait(time.Second)
			e.resume()
			for b := e.next(); b != nil; b = e.next() {
				if hexOf(b) != "680483000000" {
					e.t.Fatalf("received %x", b)
				}
			}
			e.closes(TooManyRequests)
		}},
		{row: "E025 idle STARTED connection, test frame not answered", script: func(e *edge) {
			e.start()
			e.sendsAfter(20*time.Second, "68 04 43 00 00 00")
			e.closesAfter(15*time.Second, NoTestCon)
		}},
		{row: "E026 idle STOPPED connection, test frame not answered", script: func(e *edge) {
			e.sendsAfter(20*time.Second, "68 04 43 00 00 00")
			e.closesAfter(15*time.Second, NoTestCon)
		}},
	}
}
