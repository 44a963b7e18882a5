package e2e

import (
	"slices"
	"strings"
	"testing"

	"busbar/test/rig"
)

func TestEveryRowOfCommandsIsPlayed(t *testing.T) {
	t.Parallel()
	names := ""
	for _, c := range slices.Concat(orderCases(), rowCases(), centreCases()) {
		names += c.name + "\n"
	}
	for _, row := range []string{
		"E054", "E065", "E066", "E067", "E068", "E069", "E070", "E071", "E072", "E073", "E074", "E075", "E076", "E077",
		"K1", "K2", "K3", "K4", "K5", "K6", "K7", "K8", "K10", "K11", // K9 is in TestCheckNamesEveryProblemWithItsPosition
	} {
		if !strings.Contains("\n"+names, "\n"+row+" ") {
			t.Errorf("no case plays %s", row)
		}
	}
}

// from names another control centre in an order or an answer.
func from(centre, step string) string { return centre + step[1:] }

// rowCases: what must never operate, and what a change or a crash leaves.
func rowCases() []orderCase {
	const ok = `d> {"id":"ID","result":"ok"}`
	con := func(ioa, d string) string { return answer("07", ioa, d) }
	neg := func(ioa, d string) string { return answer("47", ioa, d) }
	tagged := func(tag string) []string {
		return []string{"a> 3b 01 06 05 01 00 09 00 00 02 " + tag, "a< 3b 01 47 05 01 00 09 00 00 02 " + tag, "quiet"}
	}
	return []orderCase{
		{name: "E065 P/N=1", steps: []string{"a> 2e 01 46 05 01 00 01 00 00 02", neg("01", "02"), "quiet"}},
		{name: "E066 select and deactivation with test bit", steps: []string{"a> 2e 01 86 05 01 00 08 00 00 82", "a< 2e 01 c7 05 01 00 08 00 00 82",
			order("08", "82"), con("08", "82"), "a> 2e 01 88 05 01 00 08 00 00 82", "a< 2e 01 c9 05 01 00 08 00 00 82", order("08", "02"), "d< on", ok, con("08", "02"), "quiet"}},
		{name: "E067 state 0", steps: []string{order("01", "00"), neg("01", "00"), "quiet"}},
		{name: "E068 step 0 and 3", steps: []string{"a> 2f 01 06 05 01 00 0c 00 00 00", "a< 2f 01 47 05 01 00 0c 00 00 00",
			"a> 2f 01 06 05 01 00 0c 00 00 03", "a< 2f 01 47 05 01 00 0c 00 00 03", "a> 2f 01 06 05 01 00 0c 00 00 02", "d< 1", "a< 2f 01 07 05 01 00 0c 00 00 02", "quiet"}},
		{name: "E071 execute with another qualifier, and again as selected", steps: []string{order("08", "82"), con("08", "82"), order("08", "06"), neg("08", "06"),
			order("08", "02"), neg("08", "02"), "quiet"}},
		{name: "E071 execute of another object", steps: []string{order("08", "82"), con("08", "82"), order("0b", "02"), neg("0b", "02"), order("08", "02"), neg("08", "02"), "quiet"}},
		{name: "E075 IV=1", steps: tagged("00 00 80 00 01 01 1a")},
		{name: "E075 in the future", steps: tagged("00 00 00 00 01 01 3f")},
		{name: "E075 no possible date", steps: tagged("00 00 00 00 1f 02 1a")},
		{name: "E076 not a number", steps: []string{"a> 32 01 06 05 01 00 0a 00 00 00 00 c0 7f 00", "a< 32 01 47 05 01 00 0a 00 00 00 00 c0 7f 00", "quiet"}},
		{name: "E077 cancel without a selection", steps: []string{"a> 2e 01 08 05 01 00 08 00 00 82", answer("49", "08", "82"), "quiet"}},
		{name: "E077 cancel of an order under way", steps: []string{order("01", "02"), "d< on", "a> 2e 01 08 05 01 00 01 00 00 02", answer("49", "01", "02"), ok, con("01", "02"), "quiet"}},
		{name: "K5 two objects, none is operated", steps: []string{"a> 2e 02 06 05 01 00 01 00 00 02 04 00 00 02", "a< 2e 02 47 05 01 00 01 00 00 02 04 00 00 02", "quiet"}},
		{name: "position behind an intermediate one precedes ACTTERM", steps: []string{"set position 1", "a< 03 01 03 00 01 00 c8 00 00 01", order("c8", "02"), "d< on", ok, con("c8", "02"),
			"set position 0", "a< 03 01 0b 00 01 00 c8 00 00 00", "set position 2", "a< 03 01 0b 00 01 00 c8 00 00 02", answer("0a", "c8", "02"), "quiet"}},
		{name: "local: nothing while on, or not known", steps: []string{order("0d", "02"), neg("0d", "02"), "log point here has no value",
			"set here 1", "a< 01 01 03 00 01 00 2d 01 00 01", order("0d", "82"), neg("0d", "82"), order("0d", "02"), neg("0d", "02"), "log control is local",
			"set here 0", "a< 01 01 03 00 01 00 2d 01 00 00", order("0d", "02"), "d< on", con("0d", "02"), "quiet"}},
		{name: "local between select and execute", steps: []string{"set here 0", "a< 01 01 03 00 01 00 2d 01 00 00", order("0d", "82"), con("0d", "82"),
			"set here 1", "a< 01 01 03 00 01 00 2d 01 00 01", order("0d", "02"), neg("0d", "02"), "quiet"}},
		{name: "reload while the device is at it: its answer counts", steps: []string{order("01", "02"), "d< on", "plant topic: " + replyTopic + " => topic: elsewhere",
			ok, con("01", "02"), "quiet"}},
		{name: "reload between select and execute: something else is not operated", steps: []string{order("08", "82"), con("08", "82"),
			"plant topic: " + replyTopic + " => topic: elsewhere", order("08", "02"), neg("08", "02"), "log is not selected", "quiet"}},
	}
}

// centreCases: two control centres.
func centreCases() []orderCase {
	const ok = `d> {"id":"ID","result":"ok"}`
	con := func(ioa, d string) string { return answer("07", ioa, d) }
	neg := func(ioa, d string) string { return answer("47", ioa, d) }
	const south, north = "set south 1", "set south 0"
	const isSouth, isNorth = "a< 01 01 03 00 01 00 2e 01 00 01", "a< 01 01 03 00 01 00 2e 01 00 00"
	return []orderCase{
		{name: "E070 execute after the select time", steps: []string{"open b scada", order("0b", "82"), con("0b", "82"), "freed b 2e 01 06 05 01 00 0b 00 00 82",
			order("0b", "02"), neg("0b", "02"), "quiet"}},
		{name: "E072 execute on another connection, the selection stays", steps: []string{"open b scada", order("08", "82"), con("08", "82"),
			from("b", order("08", "02")), from("b", neg("08", "02")), order("08", "02"), "d< on", ok, con("08", "02"), "quiet"}},
		{name: "E072 execute by another originator, the selection stays", steps: []string{order("08", "82"), con("08", "82"),
			"a> 2e 01 06 06 01 00 08 00 00 02", "a< 2e 01 47 06 01 00 08 00 00 02", order("08", "02"), "d< on", ok, con("08", "02"), "quiet"}},
		{name: "K2 selected by one, not to be selected by another", steps: []string{"open b scada", order("08", "82"), con("08", "82"),
			from("b", order("08", "82")), from("b", neg("08", "82")), "quiet"}},
		{name: "E073 connection lost between select and execute", steps: []string{"open b scada", from("b", order("08", "82")), from("b", con("08", "82")), "close b",
			order("08", "02"), neg("08", "02"), order("08", "82"), con("08", "82"), order("08", "02"), "d< on", ok, con("08", "02"), "quiet"}},
		{name: "K10 two centres at two servers order at once", steps: []string{"open s south", order("01", "02"), "d< on", from("s", order("01", "01")), from("s", neg("01", "01")),
			ok, con("01", "02"), from("s", order("01", "01")), "d< off", ok, from("s", con("01", "01")), "quiet"}},
		{name: "K10 selected at one server, refused at the other", steps: []string{"open s south", order("01", "82"), con("01", "82"), from("s", order("01", "02")), from("s", neg("01", "02")),
			order("01", "02"), "d< on", ok, con("01", "02"), "quiet"}},
		{name: "K10 authority: only who has it", steps: []string{"open s south", order("0e", "02"), neg("0e", "02"), north, isNorth, from("s", order("0e", "02")), from("s", neg("0e", "02")),
			order("0e", "02"), "d< on", con("0e", "02"), south, isSouth, order("0e", "01"), neg("0e", "01"), "log somebody else has the authority",
			from("s", order("0e", "01")), "d< off", from("s", con("0e", "01")), "quiet"}},
		{name: "K10 authority handed over between select and execute", steps: []string{north, isNorth, order("0e", "82"), con("0e", "82"), south, isSouth,
			order("0e", "02"), neg("0e", "02"), "quiet"}},
		{name: "switch-over between select and execute", steps: []string{"open p pair", from("p", order("01", "82")), from("p", con("01", "82")), "open q pair", "close p",
			from("q", order("01", "01")), "d< off", ok, from("q", con("01", "01")), "quiet"}},
		{name: "switch-over while an order is under way: its answer is for nobody else", steps: []string{"open p pair", from("p", order("01", "02")), "d< on", "open q pair", "close p",
			from("q", order("01", "01")), from("q", neg("01", "01")), ok, "log command confirmed", "quiet"}},
	}
}

// close ends a control centre that is connected, or was superseded; the first
// that ends.
func (s *stage) close(name string) {
	s.t.Helper()
	s.centre[name].Close()
	delete(s.centre, name)
	s.busbar.Log.Await(s.t, 0, "connection closed")
}

// freed sends a select until it is confirmed positively.
func (s *stage) freed(centre *rig.Master, sel []byte) {
	s.t.Helper()
	rig.Until(s.t, "an object to be free", func() bool {
		centre.SendASDU(sel)
		return centre.NextASDU("confirmation")[2] == 7
	})
}
