package e2e

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/test/rig"
)

// rtuCommands are what a station makes of a double command, by the octet of its IOA, and what the
// control centre gets: causes of transmission, with 0x40 for P/N.
var rtuCommands = []struct {
	name    string
	keys    string // of `to`
	answers []byte // causes
	closes  bool
	want    []byte
	reason  string // in the record of Busbar
}{
	{name: "carried out", answers: []byte{7, 10}, want: []byte{7, 10}},
	{name: "carried out, selected before", keys: ", select: true", answers: []byte{7, 10}, want: []byte{7, 10}},
	{name: "station without termination", keys: ", terminates: false", answers: []byte{7}, want: []byte{7}},
	{name: "refused", answers: []byte{0x47}, want: []byte{0x47}, reason: "negative confirmation"},
	{name: "unknown type", answers: []byte{0x40 | 44}, want: []byte{0x47}, reason: "unknown-type"},
	{name: "unknown cause", answers: []byte{0x40 | 45}, want: []byte{0x47}, reason: "unknown-cause"},
	{name: "unknown common address", answers: []byte{0x40 | 46}, want: []byte{0x47}, reason: "unknown-ca"},
	{name: "unknown object", answers: []byte{0x40 | 47}, want: []byte{0x47}, reason: "unknown-ioa"},
	{name: "no confirmation", want: []byte{0x47}, reason: "no answer within 1"},
	{name: "no termination", answers: []byte{7}, want: []byte{7, 0x4a}, reason: "no answer within 1"},
	{name: "terminated negatively", answers: []byte{7, 0x4a}, want: []byte{7, 0x4a}, reason: "negative termination"},
	{name: "link lost before the confirmation", closes: true, want: []byte{0x47}, reason: "outcome unknown"},
	{name: "link lost before the termination", answers: []byte{7}, closes: true, want: []byte{7, 0x4a}, reason: "outcome unknown"},
}

// answerCommand plays the station of rtuCommands.
func answerCommand(asdu []byte) (answers [][]byte, closes bool) {
	n := int(asdu[6])
	if n >= len(rtuCommands) {
		return nil, false
	}
	c := rtuCommands[n]
	if asdu[9]&0x80 != 0 {
		return [][]byte{rig.With(asdu, 7)}, false
	}
	for _, cause := range c.answers {
		answers = append(answers, rig.With(asdu, cause))
	}
	return answers, c.closes
}

func rtuCommandPlant(station string, servers ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "version: 1\nconnectors:\n  rtu: {kind: iec104-client, addresses: [%q]}\n", station)
	var to, from []string
	for i, listen := range servers {
		fmt.Fprintf(&b, "  scada%d: {kind: iec104-server, listen: %q}\n", i, listen)
		to = append(to, fmt.Sprintf("{connector: scada%d, ca: 1, ioa: 100, as: M_SP_TB_1}", i))
		from = append(from, fmt.Sprintf("{connector: scada%d, ca: 1, ioa: IOA, as: C_DC_NA_1, mode: both}", i))
	}
	fmt.Fprintf(&b, "points:\n  p: {type: single, from: {connector: rtu, ca: 1, ioa: 100}, to: [%s]}\ncommands:\n", strings.Join(to, ", "))
	for i := range len(rtuCommands) + 1 {
		ends := strings.ReplaceAll(strings.Join(from, ", "), "IOA", fmt.Sprint(0x100+i))
		timeout, keys := "20s", "" // the last one is answered by hand
		if i < len(rtuCommands) {
			timeout, keys = "1s", rtuCommands[i].keys
		}
		fmt.Fprintf(&b, "  c%d: {type: double, timeout: %s, from: [%s], to: {connector: rtu, ca: 1, ioa: %d, as: C_DC_NA_1%s}}\n", i, timeout, ends, 0x100+i, keys)
	}
	return b.String()
}

// nextCommandAnswer returns the next ASDU that is no reading.
func nextCommandAnswer(m *rig.Master, what string) string {
	for {
		if a := m.NextASDU(what); a[0] >= 45 && a[0] < 65 {
			return hex.EncodeToString(a)
		}
	}
}

// awaitLink waits until data transfer with the station is started.
func awaitLink(b *rig.Busbar) {
	b.AwaitMetric(1, "busbar_iec104_client_link_started")
	b.AwaitMetric(1, "busbar_connector_state", `connector="rtu"`, `state="up"`)
}

func TestCommandsReachTheRTUAndComeBack(t *testing.T) {
	t.Parallel()
	station, listen := rig.StartOutstation(t, answerCommand), rig.FreeAddr(t)
	busbar := rig.Run(t, rtuCommandPlant(station.Addr, listen))
	centre := rig.StartMaster(t, listen)
	for i, c := range rtuCommands {
		awaitLink(busbar)
		logged := busbar.Log.Len()
		asdu := []byte{46, 1, 6, 5, 1, 0, byte(i), 1, 0, 2}
		centre.SendASDU(asdu)
		var got, want []string
		for _, cause := range c.want {
			got = append(got, nextCommandAnswer(centre, c.name))
			want = append(want, hex.EncodeToString(rig.With(asdu, cause)))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s: -want +got\n%s", c.name, diff)
		}
		if c.reason != "" {
			busbar.Log.Await(t, logged, "command", c.reason)
		}
		seen := 0
		for _, a := range station.Received(46) {
			if int(a[6]) == i && a[9]&0x80 == 0 {
				seen++
			}
		}
		if seen != 1 {
			t.Errorf("%s: the station got the command %d times, want once", c.name, seen)
		}
		if c.closes {
			rig.Until(t, "the link to come back", func() bool { return station.Connections() > 1 })
		}
	}
	if rest := commandAnswers(centre); len(rest) > 0 {
		t.Errorf("the control centre gets more: %q", rest)
	}
}

func commandAnswers(m *rig.Master) (all []string) {
	for _, a := range m.Unread() {
		if a[0] >= 45 && a[0] < 65 {
			all = append(all, hex.EncodeToString(a))
		}
	}
	return all
}

func TestCommandWithoutALinkIsRefused(t *testing.T) {
	t.Parallel()
	listen := rig.FreeAddr(t)
	rig.Run(t, rtuCommandPlant(rig.FreeAddr(t), listen))
	centre := rig.StartMaster(t, listen)
	asdu := []byte{46, 1, 6, 5, 1, 0, 0, 1, 0, 2}
	centre.SendASDU(asdu)
	if got, want := nextCommandAnswer(centre, "the confirmation"), hex.EncodeToString(rig.With(asdu, 0x47)); got != want {
		t.Errorf("the control centre gets %s, want %s", got, want)
	}
}

// TestTwoControlCentresShareAStationThatTakesOne has both interrogate and command.
func TestTwoControlCentresShareAStationThatTakesOne(t *testing.T) {
	t.Parallel()
	station := rig.StartOutstation(t, answerCommand)
	north, south := rig.FreeAddr(t), rig.FreeAddr(t)
	busbar := rig.Run(t, rtuCommandPlant(station.Addr, north, south))
	awaitLink(busbar)
	a, b := rig.StartMaster(t, north), rig.StartMaster(t, south)
	for _, m := range []*rig.Master{a, b, a, b} {
		rig.Until(t, "the value of the station", func() bool { o := m.Interrogate(1); return len(o) == 1 && o[0].Element[0] == 1 })
	}
	station.Tell("1e 01 03 00 01 00 64 00 00 00 00 00 1e 0a 81 01 1a")
	for _, m := range []*rig.Master{a, b} {
		m.Await("the event", spontaneous(1, 100))
	}
	if n := len(station.Received(100)); n != 1 || station.Connections() != 1 {
		t.Errorf("the station was interrogated %d times on %d connections, want once on one", n, station.Connections())
	}
	slow := []byte{46, 1, 6, 5, 1, 0, byte(len(rtuCommands)), 1, 0, 2}
	a.SendASDU(slow)
	rig.Until(t, "the command at the station", func() bool { return len(station.Received(46)) == 1 })
	b.SendASDU(slow)
	if got, want := nextCommandAnswer(b, "an answer"), hex.EncodeToString(rig.With(slow, 0x47)); got != want {
		t.Errorf("the other control centre gets %s while the object is operated, want %s", got, want)
	}
	station.Tell(hex.EncodeToString(rig.With(slow, 7)), hex.EncodeToString(rig.With(slow, 10)))
	for _, cause := range []byte{7, 10} {
		if got, want := nextCommandAnswer(a, "an answer"), hex.EncodeToString(rig.With(slow, cause)); got != want {
			t.Errorf("the first one gets %s, want %s", got, want)
		}
	}
	if n := len(station.Received(46)); n != 1 {
		t.Errorf("the station got %d commands, want one", n)
	}
}
