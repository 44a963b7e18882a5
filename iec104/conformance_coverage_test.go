package iec104

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// requiredRows are the rows of the protocol's tables of reception, windows,
// timers, states and reasons to close, each with the beginning of the names of
// the tests that play it.
func requiredRows() []string {
	return []string{
		// Reception.
		"octet 1 is not 68H", "L < 4", "L = 254, 255", "S or U with L other than 4", "U with no function or several",
		"U or S with reserved bits", "APDU incomplete and silent", "APDU arriving in several segments", "each APDU sent with one write",
		// Windows.
		"numbers are 0 at first, unchanged by STARTDT and STOPDT", "sender stops at k, which is no error",
		"a sent I frame acknowledges: stop t2, count from 0", "w received I frames are acknowledged at once", "N(S) must be V(R)",
		"N(R) is valid from Ack to V(S)", "N(R) confirms everything below it", "N(R) equal to Ack has no effect, does not prolong t1",
		"a peer whose k is larger is no reason to close", "32767 is followed by 0 in the window of the sender",
		"32767 is followed by 0 in acknowledgements of received frames", "N(R) is valid from Ack to V(S) across the wrap",
		// Timers; t0 has a test of its own.
		"t1 (I) supervises the oldest frame", "t1 (I) stops with N(R) beyond the frame", "t1 (U) of STARTDT act", "t1 (U) of STOPDT act",
		"t1 (U) of TESTFR act stops with its con", "t1 (U) of TESTFR act expires", "t2 from the first received I frame, not prolonged",
		"t2 stops with a sent I frame", "t2 stops with a sent S frame", "t3 from the establishment of the connection",
		"t3 restarts with every received frame", "t3 is not restarted by sent frames", "t3 runs in STOPPED",
		"t3 of the controlling station, in every state", "TESTFR act is confirmed in every state", "only one TESTFR act outstanding",
		"a dead peer is found within t3 + t1",
		// States of the controlled station.
		"STOPPED: STARTDT act", "STOPPED: STOPDT act", "STOPPED: I received", "STOPPED: S received", "STARTED: STARTDT act",
		"STARTED: STOPDT act, own I frames all acknowledged", "STARTED: STOPDT act, own I frames outstanding",
		"PENDING UNCONFIRMED STOPPED: S acknowledges the last outstanding", "PENDING UNCONFIRMED STOPPED: I received",
		"PENDING UNCONFIRMED STOPPED: STARTDT act", "PENDING UNCONFIRMED STOPPED: t1 (I) expires",
		// States of the controlling station.
		"STOPPED: user starts", "PENDING STARTED: STARTDT con", "PENDING STARTED: t1 (U) expires", "PENDING STARTED: I received",
		"STARTED: user stops, own I frames all acknowledged", "STARTED: user stops, own I frames outstanding", "pending stop: I received",
		"PENDING UNCONFIRMED STOPPED: last own I frame acknowledged", "PENDING STOPPED: STOPDT con",
		"PENDING UNCONFIRMED STOPPED: STOPDT con", "any: STARTDT act or STOPDT act received", "any: con without own act",
		// Reasons to close; the sixth is t0.
		"close 1: wrong start octet", "close 1: L outside 4 to 253", "close 1: S or U with L other than 4", "close 1: undefined U function",
		"close 2: I frame in STOPPED", "close 2: S frame in STOPPED", "close 3: N(S) with a gap", "close 3: N(S) repeated",
		"close 4: N(R) outside Ack to V(S)", "close 5: t1 of an I frame", "close 5: t1 of TESTFR act", "close 7: malformed ASDU",
		"close 8: incomplete APDU older than t1", "close 9: TCP FIN",
	}
}

// requiredCases are the edge cases of a server without a command engine, TLS
// and redundancy groups.
func requiredCases() (ids []string) {
	for i := 1; i <= 66; i++ {
		ids = append(ids, fmt.Sprintf("E%03d ", i))
	}
	return append(ids, "E093 ", "E095 ", "E096 ", "E100 ", "E101 ")
}

// requiredOfClient are the rows and edge cases of the controlling station but
// those of file transfer, each with the beginning of the name of a test.
func requiredOfClient() []string {
	return []string{
		// Edge cases of both stations.
		"E027 ", "E030 ", "E036 ", "E037 ", "E042 ", "E095 ", "E096 ", "E100 ", "E101 ",
		// Edge cases of the controlling station; E079 and E080 are rows of its states.
		"E078 ", "any: STARTDT act or STOPDT act received", "PENDING STARTED: I received", "E081 ", "E082 ", "E083 ", "E084 ",
		"E085 ", "E086 ASDU cut off", "E086 strict", "E087 ", "E088 ", "E089 ", "E090 ",
		// Redundancy groups.
		"one connection is started, the others are standbys kept alive by TESTFR", "after a failure the next standby is started at once",
		"planned switch: STOPDT, its con, STARTDT on the other", "a standby that does not answer is replaced",
		// Procedures.
		"M_EI ends the requests", "interrogation: ACTCON, data, ACTTERM, spontaneous data between", "interrogation: data with time tag",
		"interrogation: negative ACTCON", "interrogation: never two of one common address", "interrogation: group",
		"interrogation: to all, answers under the own common addresses", "interrogation: to all, answers under 65535",
		"interrogation: cancelled", "counters: read", "counters: group, freeze without ACTTERM", "read: with and without time tag",
		"what must not go to all stations", "clock synchronisation: the time is that of writing", "clock synchronisation: refused",
		"direct: confirmation, return information, termination", "select before operate", "a refused select is not executed",
		"negative termination", "no termination", "station that does not terminate", "time tag of the moment of writing",
		"command: select, execute and cancel one by one", "command: running, cancelled", "command: given up after the select",
		"test 107", "test 104", "reset process", "parameter: loaded, not in operation, activated", "parameter: refused",
		"a late answer does not satisfy the next request", "a station that answers twice", "answers out of order",
		"a request that was not sent is not sent later", "CP24Time2a is completed with hour and date",
	}
}

// playedByClient returns the rows that the suite plays to a client.
func playedByClient() (rows []string) {
	for _, table := range [][]clientCheck{controllingRows(), clientTimerRows(), clientCases(), answerCases(), inquiryRows(), overdueRows(), commandRows()} {
		for _, c := range table {
			rows = append(rows, c.row)
		}
	}
	for _, table := range [][]fleetCheck{linkRows(), groupRows()} {
		for _, c := range table {
			rows = append(rows, c.row)
		}
	}
	return rows
}

// played returns the rows that the suite plays.
func played() (edges, rows []string) {
	for _, table := range [][]check{framingCases(), transferCases(), numberCases(), asduCases(), requestCases(), abuseCases()} {
		for _, c := range table {
			edges = append(edges, c.row)
		}
	}
	for _, table := range [][]check{
		receptionRows(), windowRows(), timerRows(), controlledRows(), closeRows(), interrogationRows(), counterRows(), requestRows(), sendingRows(),
	} {
		for _, c := range table {
			rows = append(rows, c.row)
		}
	}
	for _, table := range [][]clientCheck{controllingRows(), clientTimerRows()} {
		for _, c := range table {
			rows = append(rows, c.row)
		}
	}
	return edges, rows
}

func TestConformanceIsComplete(t *testing.T) {
	t.Parallel()
	edges, rows := played()
	missing := func(want, have []string) {
		t.Helper()
		for _, w := range want {
			if !slices.ContainsFunc(have, func(row string) bool { return strings.HasPrefix(row, w) }) {
				t.Errorf("nothing plays %q", w)
			}
		}
	}
	missing(requiredCases(), edges)
	missing(requiredRows(), rows)
	missing(requiredOfClient(), playedByClient())
	for i, row := range edges {
		if slices.Contains(edges[:i], row) || len(row) < 6 || !strings.HasPrefix(row, "E") {
			t.Errorf("row %q twice, or without an id", row)
		}
	}
}
