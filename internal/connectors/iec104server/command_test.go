package iec104server

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/plant"
	"busbar/internal/point"
)

// commandEnd is an end of common address 1 that takes the qualifiers 0 … 3.
func commandEnd(id string, ioa uint32, as asdu.TypeID, typ point.Type, mode string, change ...func(*connector.CommandEnd, *Requester)) connector.CommandEnd {
	r := requesterDefaults()
	r.CA, r.IOA, r.As = 1, ObjectAddress(ioa), CommandType{TypeID: as}
	e := connector.CommandEnd{
		Command: id, Type: typ, Qualifiers: []uint8{0, 1, 2, 3}, Direct: mode != "select", Select: mode != "direct",
		SelectTimeout: 10 * time.Second, Feedback: point.None, End: &r,
	}
	for _, f := range change {
		f(&e, &r)
	}
	return e
}

// commandEnds are the commands that the tables play with.
func commandEnds() []connector.CommandEnd {
	feedback := func(e *connector.CommandEnd, _ *Requester) { e.Feedback = 1 }
	inRange := func(low, high float64) func(*connector.CommandEnd, *Requester) {
		return func(e *connector.CommandEnd, _ *Requester) { e.Range = &plant.Range{Low: low, High: high} }
	}
	return []connector.CommandEnd{
		commandEnd("sc", 5000, asdu.C_SC_NA_1, point.Single, "both"),
		commandEnd("dc", 5001, asdu.C_DC_NA_1, point.Double, "select"),
		commandEnd("rc", 5002, asdu.C_RC_NA_1, point.Step, "direct"),
		commandEnd("na", 5003, asdu.C_SE_NA_1, point.Float, "direct", inRange(0, 100)),
		commandEnd("nb", 5004, asdu.C_SE_NB_1, point.Int, "both", func(_ *connector.CommandEnd, r *Requester) { r.Scale, r.Offset = 0.5, 10 }),
		commandEnd("nc", 5005, asdu.C_SE_NC_1, point.Float, "both", inRange(-50, 50)),
		commandEnd("bo", 5006, asdu.C_BO_NA_1, point.Bits, "direct"),
		commandEnd("st", 5010, asdu.C_SC_TA_1, point.Double, "both"),
		commandEnd("bt", 5011, asdu.C_BO_TA_1, point.Bits, "direct"),
		commandEnd("nt", 5012, asdu.C_SE_TC_1, point.Float, "direct"),
		commandEnd("q0", 200, asdu.C_DC_NA_1, point.Double, "direct", feedback), // the address of its feedback point
		commandEnd("q1", 201, asdu.C_DC_NA_1, point.Double, "direct", feedback, func(e *connector.CommandEnd, _ *Requester) { e.Terminates = true }),
		commandEnd("far", 5000, asdu.C_SC_NA_1, point.Single, "direct", func(_ *connector.CommandEnd, r *Requester) { r.CA = 2 }),
	}
}

type commandCase struct {
	name  string
	steps []string
	set   func(*Settings)
}

func playCommands(t *testing.T, cases []commandCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var change []func(*Settings)
				if c.set != nil {
					change = append(change, c.set)
				}
				r := newCommandRig(t, newFakeHost(commandEnds()...), change...)
				defer r.end()
				r.open("a")
				for i, s := range c.steps {
					r.step(s)
					if t.Failed() {
						t.Fatalf("in step %d", i)
					}
				}
				for name := range r.lines {
					r.step(name + "<") // nothing more
				}
			})
		})
	}
}

func TestCommandCases(t *testing.T) {
	t.Parallel()
	cases := slices.Concat(directCases(), refusedCases(), selectCases(), ownerCases(), timeCases(), hostCases())
	names := ""
	for _, c := range cases {
		names += c.name + "\n"
	}
	for _, row := range []string{
		"E044 ", "E049 ", "E052 ", "E053 ", "E054 ", "E064 ", "E065 ", "E066 ", "E067 ", "E068 ", "E069 ", "E070 ", "E071 ",
		"E072 ", "E073 ", "E074 ", "E075 ", "E076 ", "E077 ", "K1", "K2", "K3", "K4", "K5", "K7", "K8", "K10", "K11",
	} {
		if !strings.Contains(names, row) {
			t.Errorf("no case plays %s", row)
		}
	}
	playCommands(t, cases)
}

// directCases: what is ordered, mirrored and in which order.
func directCases() []commandCase {
	return []commandCase{
		{name: "single command on: ACTCON, ACTTERM, both mirrored with OA and QU (K4)", steps: []string{
			"a> 2d 01 06 05 01 00 88 13 00 05", "a< 2d 01 07 05 01 00 88 13 00 05", "a< 2d 01 0a 05 01 00 88 13 00 05",
			"told issue sc on q1 oa5"}},
		{name: "single command off", steps: []string{
			"a> 2d 01 06 00 01 00 88 13 00 00", "a< 2d 01 07 00 01 00 88 13 00 00", "a< 2d 01 0a 00 01 00 88 13 00 00",
			"told issue sc off q0 oa0"}},
		{name: "double command off and on by its name, not its number (K8)", steps: []string{
			"a> 2e 01 06 00 01 00 c8 00 00 01", "a< 2e 01 07 00 01 00 c8 00 00 01", "wait 250ms", "a< 2e 01 0a 00 01 00 c8 00 00 01",
			"a> 2e 01 06 00 01 00 c8 00 00 02", "a< 2e 01 07 00 01 00 c8 00 00 02", "wait 250ms", "a< 2e 01 0a 00 01 00 c8 00 00 02",
			"told issue q0 off q0 oa0; issue q0 on q0 oa0"}},
		{name: "the same command twice is the same state twice (K7)", steps: []string{
			"a> 2d 01 06 00 01 00 88 13 00 01", "a< 2d 01 07 00 01 00 88 13 00 01", "a< 2d 01 0a 00 01 00 88 13 00 01",
			"a> 2d 01 06 00 01 00 88 13 00 01", "a< 2d 01 07 00 01 00 88 13 00 01", "a< 2d 01 0a 00 01 00 88 13 00 01",
			"told issue sc on q0 oa0; issue sc on q0 oa0"}},
		{name: "regulating step lower and higher", steps: []string{
			"a> 2f 01 06 00 01 00 8a 13 00 01", "a< 2f 01 07 00 01 00 8a 13 00 01", "a< 2f 01 0a 00 01 00 8a 13 00 01",
			"a> 2f 01 06 00 01 00 8a 13 00 02", "a< 2f 01 07 00 01 00 8a 13 00 02", "a< 2f 01 0a 00 01 00 8a 13 00 02",
			"told issue rc -1 q0 oa0; issue rc 1 q0 oa0"}},
		{name: "normalised set point by the range", steps: []string{
			"a> 30 01 06 00 01 00 8b 13 00 00 00 00", "a< 30 01 07 00 01 00 8b 13 00 00 00 00", "a< 30 01 0a 00 01 00 8b 13 00 00 00 00",
			"a> 30 01 06 00 01 00 8b 13 00 00 80 00", "a< 30 01 07 00 01 00 8b 13 00 00 80 00", "a< 30 01 0a 00 01 00 8b 13 00 00 80 00",
			"a> 30 01 06 00 01 00 8b 13 00 00 40 00", "a< 30 01 07 00 01 00 8b 13 00 00 40 00", "a< 30 01 0a 00 01 00 8b 13 00 00 40 00",
			"told issue na 50 q0 oa0; issue na 0 q0 oa0; issue na 75 q0 oa0"}},
		{name: "scaled set point by scale and offset", steps: []string{
			"a> 31 01 06 00 01 00 8c 13 00 e8 03 00", "a< 31 01 07 00 01 00 8c 13 00 e8 03 00", "a< 31 01 0a 00 01 00 8c 13 00 e8 03 00",
			"a> 31 01 06 00 01 00 8c 13 00 18 fc 02", "a< 31 01 07 00 01 00 8c 13 00 18 fc 02", "a< 31 01 0a 00 01 00 8c 13 00 18 fc 02",
			"told issue nb 510 q0 oa0; issue nb -490 q2 oa0"}},
		{name: "short float set point", steps: []string{
			"a> 32 01 06 00 01 00 8d 13 00 00 00 46 42 00", "a< 32 01 07 00 01 00 8d 13 00 00 00 46 42 00", "a< 32 01 0a 00 01 00 8d 13 00 00 00 46 42 00",
			"told issue nc 49.5 q0 oa0"}},
		{name: "bitstring", steps: []string{
			"a> 33 01 06 00 01 00 8e 13 00 be ba fe ca", "a< 33 01 07 00 01 00 8e 13 00 be ba fe ca", "a< 33 01 0a 00 01 00 8e 13 00 be ba fe ca",
			"told issue bo 0xcafebabe q0 oa0"}},
		{name: "common address without points", steps: []string{
			"a> 2d 01 06 00 02 00 88 13 00 01", "a< 2d 01 07 00 02 00 88 13 00 01", "a< 2d 01 0a 00 02 00 88 13 00 01",
			"told issue far on q0 oa0",
			"a> 64 01 06 00 02 00 00 00 00 14", "a< 64 01 07 00 02 00 00 00 00 14", "a< 64 01 0a 00 02 00 00 00 00 14",
			"a> 64 01 06 00 02 00 00 00 00 15", "a< 64 01 47 00 02 00 00 00 00 15"}},
	}
}

// refusedCases: what must never reach the host.
func refusedCases() []commandCase {
	refuse := func(name string, steps ...string) commandCase {
		return commandCase{name: name, steps: append(steps, "told ")}
	}
	return []commandCase{
		refuse("E044 two objects: none is executed (K5)",
			"a> 2d 02 06 05 01 00 88 13 00 01 89 13 00 01", "a< 2d 02 47 05 01 00 88 13 00 01 89 13 00 01"),
		refuse("E049 cause 3", "a> 2d 01 03 05 01 00 88 13 00 01", "a< 2d 01 6d 05 01 00 88 13 00 01"),
		refuse("E052 common address 0 (K5)", "a> 2d 01 06 05 00 00 88 13 00 01", "a< 2d 01 6e 05 00 00 88 13 00 01"),
		refuse("E053 unknown common address (K5)", "a> 2d 01 06 05 4d 00 88 13 00 01", "a< 2d 01 6e 05 4d 00 88 13 00 01"),
		refuse("E054 broadcast", "a> 2d 01 06 05 ff ff 88 13 00 01", "a< 2d 01 6e 05 ff ff 88 13 00 01"),
		refuse("E064 unknown object address", "a> 2d 01 06 05 01 00 0f 27 00 01", "a< 2d 01 6f 05 01 00 0f 27 00 01"),
		refuse("E064 address of a point", "a> 2d 01 06 05 01 00 2c 01 00 01", "a< 2d 01 6f 05 01 00 2c 01 00 01"),
		refuse("E064 a type that the object does not have", "a> 2e 01 06 05 01 00 88 13 00 01", "a< 2e 01 6f 05 01 00 88 13 00 01",
			"a> 3a 01 06 05 01 00 88 13 00 01 00 00 00 00 01 01 00", "a< 3a 01 6f 05 01 00 88 13 00 01 00 00 00 00 01 01 00"),
		refuse("E045 a type that no object has", "a> 3b 01 06 05 01 00 89 13 00 01 00 00 00 00 01 01 00",
			"a< 3b 01 6c 05 01 00 89 13 00 01 00 00 00 00 01 01 00"),
		refuse("E065 P/N=1", "a> 2d 01 46 05 01 00 88 13 00 01", "a< 2d 01 47 05 01 00 88 13 00 01"),
		refuse("E066 T=1", "a> 2d 01 86 05 01 00 88 13 00 01", "a< 2d 01 c7 05 01 00 88 13 00 01",
			"a> 2e 01 86 05 01 00 89 13 00 81", "a< 2e 01 c7 05 01 00 89 13 00 81"),
		refuse("E067 double command state 0 and 3", "a> 2e 01 06 05 01 00 c8 00 00 00", "a< 2e 01 47 05 01 00 c8 00 00 00",
			"a> 2e 01 06 05 01 00 c8 00 00 03", "a< 2e 01 47 05 01 00 c8 00 00 03",
			"a> 2e 01 06 05 01 00 89 13 00 83", "a< 2e 01 47 05 01 00 89 13 00 83"),
		refuse("E068 regulating step state 0 and 3", "a> 2f 01 06 05 01 00 8a 13 00 00", "a< 2f 01 47 05 01 00 8a 13 00 00",
			"a> 2f 01 06 05 01 00 8a 13 00 03", "a< 2f 01 47 05 01 00 8a 13 00 03"),
		refuse("E076 NaN and infinity", "a> 32 01 06 00 01 00 8d 13 00 00 00 c0 7f 00", "a< 32 01 47 00 01 00 8d 13 00 00 00 c0 7f 00",
			"a> 32 01 06 00 01 00 8d 13 00 00 00 80 7f 00", "a< 32 01 47 00 01 00 8d 13 00 00 00 80 7f 00",
			"a> 32 01 06 00 01 00 8d 13 00 00 00 80 ff 80", "a< 32 01 47 00 01 00 8d 13 00 00 00 80 ff 80"),
		refuse("E076 out of range is not clamped", "a> 32 01 06 00 01 00 8d 13 00 00 00 4c 42 00", "a< 32 01 47 00 01 00 8d 13 00 00 00 4c 42 00",
			"a> 32 01 06 00 01 00 8d 13 00 00 00 4c c2 00", "a< 32 01 47 00 01 00 8d 13 00 00 00 4c c2 00"),
		refuse("qualifier that is not accepted", "a> 2d 01 06 05 01 00 88 13 00 11", "a< 2d 01 47 05 01 00 88 13 00 11",
			"a> 32 01 06 00 01 00 8d 13 00 00 00 00 00 40", "a< 32 01 47 00 01 00 8d 13 00 00 00 00 00 40"),
		refuse("select of an object for direct commands", "a> 2f 01 06 05 01 00 8a 13 00 81", "a< 2f 01 47 05 01 00 8a 13 00 81"),
		refuse("E069 execute without select (K1: one confirmation)", "a> 2e 01 06 05 01 00 89 13 00 02", "a< 2e 01 47 05 01 00 89 13 00 02"),
		refuse("E077 cancel without a selection", "a> 2e 01 08 05 01 00 89 13 00 82", "a< 2e 01 49 05 01 00 89 13 00 82"),
		refuse("E077 cancel of an unknown object", "a> 2d 01 08 05 01 00 0f 27 00 81", "a< 2d 01 6f 05 01 00 0f 27 00 81"),
		refuse("confirmations are not answered", "a> 2d 01 07 05 01 00 88 13 00 01", "a> 2d 01 47 05 01 00 88 13 00 01", "a> 2d 01 0a 05 01 00 88 13 00 01"),
	}
}

// selectCases: select before operate by one station.
func selectCases() []commandCase {
	const (
		sel, selCon, selNeg = "a> 2e 01 06 05 01 00 89 13 00 82", "a< 2e 01 07 05 01 00 89 13 00 82", "a< 2e 01 47 05 01 00 89 13 00 82"
		exe, exeCon, exeNeg = "a> 2e 01 06 05 01 00 89 13 00 02", "a< 2e 01 07 05 01 00 89 13 00 02", "a< 2e 01 47 05 01 00 89 13 00 02"
		exeEnd              = "a< 2e 01 0a 05 01 00 89 13 00 02"
		told                = "told select dc on q0 oa5"
		done                = "told select dc on q0 oa5; issue dc on q0 oa5"
	)
	return []commandCase{
		{name: "select never operates (K5)", steps: []string{sel, selCon, "wait 1h", "a<", told}},
		{name: "select and execute, once", steps: []string{sel, selCon, exe, exeCon, exeEnd, done, "held dc 0", exe, exeNeg, "told "}},
		{name: "execute just before the select time runs out", steps: []string{sel, selCon, "wait 9999ms", exe, exeCon, exeEnd, done}},
		{name: "E070 execute after the select time (K2)", steps: []string{sel, selCon, "wait 10s", "a<", exe, exeNeg, told, "held dc 0"}},
		{name: "second select of the same owner begins the time anew", steps: []string{sel, selCon, "wait 9s", sel, selCon, "wait 9s",
			exe, exeCon, exeEnd, "told select dc on q0 oa5; select dc on q0 oa5; issue dc on q0 oa5"}},
		{name: "second select with another value takes the place of the first", steps: []string{sel, selCon,
			"a> 2e 01 06 05 01 00 89 13 00 81", "a< 2e 01 07 05 01 00 89 13 00 81", exe, exeNeg,
			"told select dc on q0 oa5; select dc off q0 oa5"}},
		{name: "E071 execute with another state drops the selection", steps: []string{sel, selCon,
			"a> 2e 01 06 05 01 00 89 13 00 01", "a< 2e 01 47 05 01 00 89 13 00 01", "held dc 0", exe, exeNeg, told}},
		{name: "E071 execute with another qualifier drops the selection", steps: []string{sel, selCon,
			"a> 2e 01 06 05 01 00 89 13 00 06", "a< 2e 01 47 05 01 00 89 13 00 06", exe, exeNeg, told}},
		{name: "E071 execute with another type drops the selection", steps: []string{sel, selCon,
			"a> 2d 01 06 05 01 00 89 13 00 01", "a< 2d 01 6f 05 01 00 89 13 00 01", "held dc 0", exe, exeNeg, told}},
		{name: "E071 execute of another object address drops the selection", steps: []string{sel, selCon,
			"a> 2e 01 06 05 01 00 8f 13 00 02", "a< 2e 01 6f 05 01 00 8f 13 00 02", exe, exeNeg, told}},
		{name: "E071 execute under another common address drops the selection", steps: []string{sel, selCon,
			"a> 2e 01 06 05 02 00 89 13 00 02", "a< 2e 01 6f 05 02 00 89 13 00 02", exe, exeNeg, told}},
		{name: "E071 execute with a state that is not permitted drops the selection", steps: []string{sel, selCon,
			"a> 2e 01 06 05 01 00 89 13 00 03", "a< 2e 01 47 05 01 00 89 13 00 03", exe, exeNeg, told}},
		{name: "a direct command to another object leaves the selection", steps: []string{sel, selCon,
			"a> 2f 01 06 05 01 00 8a 13 00 01", "a< 2f 01 07 05 01 00 8a 13 00 01", "a< 2f 01 0a 05 01 00 8a 13 00 01",
			exe, exeCon, exeEnd, "told select dc on q0 oa5; issue rc -1 q0 oa5; issue dc on q0 oa5"}},
		{name: "cancel releases", steps: []string{sel, selCon, "a> 2e 01 08 05 01 00 89 13 00 82", "a< 2e 01 09 05 01 00 89 13 00 82",
			"held dc 0", exe, exeNeg, told, "a> 2e 01 08 05 01 00 89 13 00 82", "a< 2e 01 49 05 01 00 89 13 00 82"}},
		{name: "cancel after the select time", steps: []string{sel, selCon, "wait 10s", "a> 2e 01 08 05 01 00 89 13 00 82",
			"a< 2e 01 49 05 01 00 89 13 00 82", "held dc 0", told}},
		{name: "cancel of what is executed is refused", steps: []string{"host hold", sel, selCon, exe, "a> 2e 01 08 05 01 00 89 13 00 02",
			"a< 2e 01 49 05 01 00 89 13 00 02", "confirm +", exeCon, "terminate +", exeEnd, done}},
		{name: "E073 connection lost between select and execute", steps: []string{sel, selCon, "close a", "held dc 0", "open a", exe, exeNeg, told}},
		{name: "STOPDT between select and execute", steps: []string{sel, selCon, "stop a", "held dc 0", "start a", exe, exeNeg, told}},
		{name: "refused by the host is not selected", steps: []string{"host interlock", sel, selNeg, exe, exeNeg, told, "held dc 0"}},
		{name: "second select refused by the host ends the first", steps: []string{sel, selCon, "host interlock", sel, selNeg, "held dc 0",
			exe, exeNeg, "told select dc on q0 oa5; select dc on q0 oa5"}},
		{name: "set point selected and executed", steps: []string{
			"a> 31 01 06 05 01 00 8c 13 00 e8 03 80", "a< 31 01 07 05 01 00 8c 13 00 e8 03 80",
			"a> 31 01 06 05 01 00 8c 13 00 e8 03 00", "a< 31 01 07 05 01 00 8c 13 00 e8 03 00", "a< 31 01 0a 05 01 00 8c 13 00 e8 03 00",
			"told select nb 510 q0 oa5; issue nb 510 q0 oa5"}},
		{name: "commands removed from the plant", steps: []string{sel, selCon, "remove", "held dc 0", exe, "a< 2e 01 6c 05 01 00 89 13 00 02", told}},
	}
}

// ownerCases: several stations at once.
func ownerCases() []commandCase {
	const (
		sel, selCon = "a> 2e 01 06 05 01 00 89 13 00 82", "a< 2e 01 07 05 01 00 89 13 00 82"
		exe, exeCon = "a> 2e 01 06 05 01 00 89 13 00 02", "a< 2e 01 07 05 01 00 89 13 00 02"
		exeEnd      = "a< 2e 01 0a 05 01 00 89 13 00 02"
		done        = "told select dc on q0 oa5; issue dc on q0 oa5"
	)
	return []commandCase{
		{name: "E072 execute on another connection, the selection stays (K2)", steps: []string{"open b", sel, selCon,
			"b> 2e 01 06 05 01 00 89 13 00 02", "b< 2e 01 47 05 01 00 89 13 00 02", exe, exeCon, exeEnd, done}},
		{name: "E072 execute by another originator, the selection stays", steps: []string{sel, selCon,
			"a> 2e 01 06 06 01 00 89 13 00 02", "a< 2e 01 47 06 01 00 89 13 00 02", exe, exeCon, exeEnd, done}},
		{name: "select on another connection", steps: []string{"open b", sel, selCon,
			"b> 2e 01 06 05 01 00 89 13 00 82", "b< 2e 01 47 05 01 00 89 13 00 82", exe, exeCon, exeEnd, done}},
		{name: "select on another connection after the select time", steps: []string{"open b", sel, selCon, "wait 10s",
			"b> 2e 01 06 05 01 00 89 13 00 82", "b< 2e 01 07 05 01 00 89 13 00 82", "held dc 1",
			exe, "a< 2e 01 47 05 01 00 89 13 00 02", "b> 2e 01 06 05 01 00 89 13 00 02", "b< 2e 01 07 05 01 00 89 13 00 02",
			"b< 2e 01 0a 05 01 00 89 13 00 02", "told select dc on q0 oa5; select dc on q0 oa5; issue dc on q0 oa5"}},
		{name: "cancel on another connection, the selection stays", steps: []string{"open b", sel, selCon,
			"b> 2e 01 08 05 01 00 89 13 00 82", "b< 2e 01 49 05 01 00 89 13 00 82", exe, exeCon, exeEnd, done}},
		{name: "direct command to what another has selected", steps: []string{"open b",
			"a> 2d 01 06 05 01 00 88 13 00 81", "a< 2d 01 07 05 01 00 88 13 00 81",
			"b> 2d 01 06 05 01 00 88 13 00 01", "b< 2d 01 47 05 01 00 88 13 00 01", "told select sc on q0 oa5"}},
		{name: "one command at a time per object (K10)", steps: []string{"open b", "host hold",
			"a> 2d 01 06 05 01 00 88 13 00 01", "b> 2d 01 06 05 01 00 88 13 00 00", "b< 2d 01 47 05 01 00 88 13 00 00",
			"a> 2d 01 06 05 01 00 88 13 00 01", "a< 2d 01 47 05 01 00 88 13 00 01",
			"confirm +", "a< 2d 01 07 05 01 00 88 13 00 01", "terminate +", "a< 2d 01 0a 05 01 00 88 13 00 01",
			"told issue sc on q0 oa5"}},
		{name: "another connection that ends leaves the selection", steps: []string{"open b", sel, selCon, "close b", exe, exeCon, exeEnd, done}},
	}
}
