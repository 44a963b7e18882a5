package iec104

import (
	"busbar/iec104/asdu"
)

// requestCases are the edge cases of commands and the clock.
func requestCases() []check {
	return []check{
		{row: "E063 clock synchronisation with an impossible date", script: func(e *edge) {
			e.start()
			for i, clock := range []string{
				"60 ea 2d 8d 4e 07 1a", // 60000 ms
				"f3 69 3c 8d 4e 07 1a", // minute 60
				"f3 69 2d 98 4e 07 1a", // hour 24
				"f3 69 2d 8d 40 07 1a", // day 0
				"f3 69 2d 8d 5e 02 1a", // 30 February
				"f3 69 2d 8d 4e 00 1a", // month 0
				"f3 69 2d 8d 4e 0d 1a", // month 13
				"f3 69 2d 8d 4e 07 64", // year 100
				"f3 69 ad 8d 4e 07 1a", // invalid
			} {
				e.send(iframe(i, i, "67 01 06 05 01 00 00 00 00"+clock))
				e.expect(iframe(i, i+1, "67 01 47 05 01 00 00 00 00"+clock))
			}
			e.untouched()
		}},
		asked("E064 command to an unknown address",
			"68 0e 00 00 00 00 2d 01 06 05 01 00 0f 27 00 01", []string{"command C_SC_NA_1 1 9999"},
			"68 0e 00 00 02 00 2d 01 6f 05 01 00 0f 27 00 01"),
		refused("E065 activation with P/N=1",
			"68 0e 00 00 00 00 2d 01 46 05 01 00 88 13 00 01", "68 0e 00 00 02 00 2d 01 47 05 01 00 88 13 00 01"),
		refused("E065 interrogation with P/N=1",
			"68 0e 00 00 00 00 64 01 46 05 01 00 00 00 00 14", "68 0e 00 00 02 00 64 01 47 05 01 00 00 00 00 14"),
		refused("E066 activation with T=1",
			"68 0e 00 00 00 00 2d 01 86 05 01 00 88 13 00 01", "68 0e 00 00 02 00 2d 01 c7 05 01 00 88 13 00 01"),
		refused("E066 cancel with T=1",
			"68 0e 00 00 00 00 2d 01 88 05 01 00 88 13 00 85", "68 0e 00 00 02 00 2d 01 c9 05 01 00 88 13 00 85"),
		refused("E066 reset with T=1",
			"68 0e 00 00 00 00 69 01 86 05 01 00 00 00 00 01", "68 0e 00 00 02 00 69 01 c7 05 01 00 00 00 00 01"),
		{row: "E066 every command type with T=1", script: func(e *edge) {
			e.start()
			n := 0
			for _, c := range everyCommand() {
				e.st.verdict = func(Command) Verdict { return Accepted }
				e.send(iframe(n, n, c.typ+"01 86 05 01 00"+c.object))
				e.expect(iframe(n, n+1, c.typ+"01 c7 05 01 00"+c.object))
				n++
			}
			e.untouched()
		}},
	}
}

// everyCommand returns one command of each type to the process, without its
// header.
func everyCommand() []struct{ typ, object string } {
	const clock = "f3 69 2d 8d 4e 07 1a"
	return []struct{ typ, object string }{
		{"2d", "88 13 00 01"}, {"2e", "89 13 00 02"}, {"2f", "8a 13 00 01"}, {"30", "8b 13 00 00 40 00"},
		{"31", "8c 13 00 d2 04 00"}, {"32", "8d 13 00 00 00 00 3e 00"}, {"33", "8e 13 00 be ba fe ca"},
		{"3a", "88 13 00 01" + clock}, {"3b", "89 13 00 02" + clock}, {"3c", "8a 13 00 01" + clock},
		{"3d", "8b 13 00 00 40 00" + clock}, {"3e", "8c 13 00 d2 04 00" + clock},
		{"3f", "8d 13 00 00 00 00 3e 00" + clock}, {"40", "8e 13 00 be ba fe ca" + clock},
	}
}

// requestRows are the rows of the procedures that answer a request with one
// frame or two.
func requestRows() []check {
	const clock = "f3 69 2d 8d 4e 07 1a"
	return []check{
		{row: "5.6 controlled command: every type is handed on and mirrored", script: func(e *edge) {
			e.st.verdict = func(Command) Verdict { return Accepted }
			e.start()
			for i, c := range everyCommand() {
				e.send(iframe(i, 2*i, c.typ+"01 06 05 01 00"+c.object))
				e.expect(iframe(2*i, i+1, c.typ+"01 07 05 01 00"+c.object), iframe(2*i+1, i+1, c.typ+"01 0a 05 01 00"+c.object))
			}
			if n := len(e.told()); n != len(everyCommand()) {
				e.t.Errorf("%d commands, want %d", n, len(everyCommand()))
			}
		}},
		asked("5.4 controlled read: untagged value with cause 5, no confirmation",
			"68 0d 00 00 00 00 66 01 05 05 01 00 64 00 00", nil, "68 0e 00 00 02 00 01 01 05 05 01 00 64 00 00 01"),
		{row: "5.4 controlled read: the type the station has", script: func(e *edge) {
			e.st.points[1] = []Item{{Type: asdu.M_ME_NC_1, Object: asdu.Object{IOA: 700, Value: 0x41ac0000}}}
			e.start()
			e.send("68 0d 00 00 00 00 66 01 05 00 01 00 bc 02 00")
			e.expect("68 12 00 00 02 00 0d 01 05 00 01 00 bc 02 00 00 00 ac 41 00")
		}},
		asked("5.5 controlled clock: the received time is confirmed",
			"68 14 00 00 00 00 67 01 06 05 01 00 00 00 00"+clock, []string{"clock 1"},
			"68 14 00 00 02 00 67 01 07 05 01 00 00 00 00"+clock),
		{row: "5.5 controlled clock: refused by the station", script: func(e *edge) {
			e.st.clock = func(asdu.Time) bool { return false }
			e.start()
			e.send("68 14 00 00 00 00 67 01 06 00 01 00 00 00 00" + clock)
			e.expect("68 14 00 00 02 00 67 01 47 00 01 00 00 00 00" + clock)
		}},
		{row: "5.5 controlled clock: each common address answers a broadcast", script: func(e *edge) {
			e.st.addresses = []uint16{1, 2}
			e.start()
			e.send("68 14 00 00 00 00 67 01 06 00 ff ff 00 00 00 fa 00 05 08 0f 01 1a")
			e.expect("68 14 00 00 02 00 67 01 07 00 01 00 00 00 00 fa 00 05 08 0f 01 1a",
				"68 14 02 00 02 00 67 01 07 00 02 00 00 00 00 fa 00 05 08 0f 01 1a")
			e.expectSilence()
		}},
		asked("5.7 controlled test 107: counter and time mirrored",
			"68 16 00 00 00 00 6b 01 06 05 01 00 00 00 00 02 01"+clock, nil,
			"68 16 00 00 02 00 6b 01 07 05 01 00 00 00 00 02 01"+clock),
		asked("5.7 controlled test 104: an unknown type",
			"68 0f 00 00 00 00 68 01 06 00 01 00 00 00 00 aa 55", nil, "68 0f 00 00 02 00 68 01 6c 00 01 00 00 00 00 aa 55"),
		{row: "5.7 controlled test 104: answered when switched on", cfg: ServerConfig{Test104: true}, script: func(e *edge) {
			e.start()
			e.send("68 0f 00 00 00 00 68 01 06 00 01 00 00 00 00 aa 55")
			e.expect("68 0f 00 00 02 00 68 01 07 00 01 00 00 00 00 aa 55")
		}},
		asked("5.7 controlled delay acquisition 106: an unknown type",
			"68 0f 00 00 00 00 6a 01 06 00 01 00 00 00 00 d2 04", nil, "68 0f 00 00 02 00 6a 01 6c 00 01 00 00 00 00 d2 04"),
		asked("5.7 controlled reset: confirmed", "68 0e 00 00 00 00 69 01 06 05 01 00 00 00 00 02", []string{"reset 1 2"},
			"68 0e 00 00 02 00 69 01 07 05 01 00 00 00 00 02"),
		{row: "5.7 controlled reset: refused", script: func(e *edge) {
			e.st.reset = false
			e.start()
			e.send("68 0e 00 00 00 00 69 01 06 00 01 00 00 00 00 01")
			e.expect("68 0e 00 00 02 00 69 01 47 00 01 00 00 00 00 01")
		}},
		{row: "5.7 controlled reset: the confirmation is flushed before the connection closes", script: func(e *edge) {
			e.start()
			e.put(event(100, 1))
			e.expect("68 0e 00 00 00 00 01 01 03 00 01 00 64 00 00 01")
			e.st.onReset = func(c *ServerConn) { go c.Close(nil) }
			e.send("68 0e 00 00 00 00 69 01 06 00 01 00 00 00 00 01")
			e.expect("68 0e 02 00 02 00 69 01 07 00 01 00 00 00 00 01")
			e.closes(ClosedLocally)
		}},
	}
}
