package iec104

import (
	"strings"
	"time"
)

// command is a single command to object 5000 of station 1 by originator 5.
const command = "2d 01 06 05 01 00 88 13 00 01"

func framingCases() []check {
	closes := func(row string, want Reason, octets string) check {
		return check{row: row, script: func(e *edge) {
			e.send(octets)
			e.closes(want)
			e.untouched()
		}}
	}
	return []check{
		closes("E001 wrong start octet", BadStart, "67 04 43 00 00 00 68 04 43 00 00 00"),
		{row: "E002 junk octet between two APDUs", script: func(e *edge) {
			e.send("68 04 43 00 00 00 00 68 04 43 00 00 00")
			e.expect("68 04 83 00 00 00")
			e.closes(BadStart)
		}},
		closes("E003 length octet 0", BadLength, "68 00"),
		closes("E004 length octet 3", BadLength, "68 03 43 00 00 68 04 43 00 00 00"),
		{row: "E005 length octet 254", script: func(e *edge) {
			e.send("68")
			e.expectSilence()
			e.send("fe")
			e.closes(BadLength)
		}},
		{row: "E005 length octet 255", script: func(e *edge) {
			e.send("68")
			e.expectSilence()
			e.send("ff")
			e.closes(BadLength)
		}},
		closes("E006 U-format with length 5", BadControlLength, "68 05 43 00 00 00 00"),
		{row: "E007 S-format with length 6", script: func(e *edge) {
			e.start()
			e.send("68 06 01 00 00 00 00 00")
			e.closes(BadControlLength)
		}},
		closes("E008 U-format, two functions set", BadFunction, "68 04 0f 00 00 00"),
		closes("E009 U-format, no function set", BadFunction, "68 04 03 00 00 00"),
		{row: "E010 U-format, control octets 2..4 not zero", script: func(e *edge) {
			e.send("68 04 43 01 02 80")
			e.expect("68 04 83 00 00 00")
			e.send("68 04 07 ff ff ff")
			e.expect("68 04 0b 00 00 00")
			e.send("68 04 13 00 00 01")
			e.expect("68 04 23 00 00 00")
			if n := e.info().Tolerated; n != 3 {
				e.t.Errorf("%d tolerated, want 3", n)
			}
		}},
		{row: "E011 one octet per TCP segment", script: func(e *edge) {
			for _, octet := range split("68 04 43 00 00 00 68 04 07 00 00 00 68 0e 00 00 00 00" + command) {
				e.send(octet)
				e.wait(100 * time.Millisecond)
			}
			e.expect("68 04 83 00 00 00", "68 04 0b 00 00 00",
				"68 0e 00 00 02 00 2d 01 07 05 01 00 88 13 00 01", "68 0e 02 00 02 00 2d 01 0a 05 01 00 88 13 00 01")
			e.expectSilence()
		}},
		{row: "E012 three APDUs in one segment", script: func(e *edge) {
			e.send("68 04 07 00 00 00", "68 0e 00 00 00 00"+command, "68 04 43 00 00 00")
			got := []string{}
			for b := e.next(); b != nil; b = e.next() {
				got = append(got, hexOf(b))
			}
			// The confirmation of TESTFR need not wait for the application.
			want := "68040b000000 680483000000 680e000002002d010705010088130001 680e020002002d010a05010088130001"
			if strings.Join(got, " ") != want {
				e.t.Errorf("received %s, want %s", got, want)
			}
		}},
		{row: "E013 APDU cut off, then silence", script: func(e *edge) {
			e.start()
			e.send("68 0e 00 00")
			e.closesAfter(15*time.Second, Incomplete)
			e.untouched()
		}},
		{row: "E013 APDU cut off, its octets dripping in", script: func(e *edge) {
			e.send("68")
			e.silence(14 * time.Second)
			e.send("04 43")
			e.closesAfter(time.Second, Incomplete)
		}},
		{row: "E013 APDU cut off behind a whole one", script: func(e *edge) {
			e.send("68 04 43 00 00 00 68")
			e.expect("68 04 83 00 00 00")
			e.wait(10 * time.Second)
			e.send("04 43 00 00 00 68 04") // the first is complete, another begins
			e.expect("68 04 83 00 00 00")
			e.closesAfter(15*time.Second, Incomplete)
		}},
	}
}
