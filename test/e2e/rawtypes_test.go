package e2e

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"busbar/test/capture"
	"busbar/test/rig"
)

// rawTime is the CP56Time2a of 2026-03-29T00:59:59.999Z, a Sunday.
const (
	rawTime     = "5fea3b00fd031a"
	rawTimeJSON = "2026-03-29T00:59:59.999Z"
)

// rawCases are types whose elements tshark does not know: it reads the header
// and the address; the octets are those of the layout in the standard.
var rawCases = []struct {
	typ   int
	point string
	steps []struct{ v, q, octets string }
}{
	{20, "bits", []struct{ v, q, octets string }{ // ST1…ST16, CD1…CD16, QDS
		{"33025", "ok", "01810181" + "00"}, // before the first value all were off
		{"33027", "ok", "03810200" + "00"},
		{"3", "bad", "03000081" + "80"},
	}},
	{38, "double", []struct{ v, q, octets string }{ // SEP, elapsed time, CP56Time2a
		{`"off"`, "ok", "09" + "0000" + rawTime}, // EI: how long it lasted is not known
		{`"on"`, "old", "4a" + "0000" + rawTime},
	}},
	{39, "bits", []struct{ v, q, octets string }{ // SPE, QDP, elapsed time, CP56Time2a
		{"37", "ok", "25" + "08" + "0000" + rawTime},
		{"1", "bad", "01" + "88" + "0000" + rawTime},
	}},
	{40, "bits", []struct{ v, q, octets string }{ // OCI, QDP, elapsed time, CP56Time2a
		{"9", "ok", "09" + "08" + "0000" + rawTime},
		{"15", "sub", "0f" + "28" + "0000" + rawTime},
	}},
}

func TestTypesThatTsharkKnowsByHeaderOnly(t *testing.T) {
	t.Parallel()
	broker, listen := rig.StartBroker(t), rig.FreeAddr(t)
	var points strings.Builder
	events := 0
	for i, c := range rawCases {
		fmt.Fprintf(&points, "  p%d:\n    type: %s\n    from: {connector: sensors, topic: raw/%d, value: v, time: t, quality: %s}\n"+
			"    to: [{connector: scada, ca: 2, ioa: %d, as: %d}]\n", i, c.point, i, qualityMap, 900+i, c.typ)
		events += len(c.steps)
	}
	rig.Run(t, fmt.Sprintf("version: 1\nconnectors:\n  sensors: {kind: mqtt, url: \"mqtt://%s\"}\n"+
		"  scada: {kind: iec104-server, listen: \"%s\", maxObjects: 1}\npoints:\n", broker.Addr(), listen)+points.String())
	for i := range rawCases {
		broker.AwaitSubscription(0, fmt.Sprintf("raw/%d", i))
	}
	proxy := capture.Start(t, listen)
	master, publisher := rig.StartMaster(t, proxy.Addr()), rig.NewPublisher(t, broker.Addr())
	for i, c := range rawCases {
		for _, s := range c.steps {
			publisher.Publish(fmt.Sprintf("raw/%d", i), fmt.Sprintf(`{"v":%s,"q":%q,"t":%q}`, s.v, s.q, rawTimeJSON))
		}
	}
	master.AwaitCount(events + 1) // and the end of initialisation
	answer := master.Interrogate(2)

	decoded := proxy.Decode(t)
	decoded.NoMarks(t)
	got := map[int][]string{}
	for _, a := range decoded.Sent(true) {
		if a.Type > 40 || a.Cause != 3 {
			continue
		}
		if a.CA != 2 || a.N != 1 || a.SQ || a.Negative || a.Test || a.OA != 0 || a.Objects[0].IOA != 900+len(got)-1 && a.Objects[0].IOA != 900+len(got) {
			t.Errorf("header of an event: %+v", *a)
		}
		got[a.Type] = append(got[a.Type], hex.EncodeToString(a.Objects[0].Fields["rawdata"].Octets))
	}
	for _, c := range rawCases {
		var want []string
		for _, s := range c.steps {
			want = append(want, s.octets)
		}
		if strings.Join(got[c.typ], " ") != strings.Join(want, " ") {
			t.Errorf("type %d: elements %v, want %v", c.typ, got[c.typ], want)
		}
	}
	// Events of protection equipment are not in the answer to an interrogation,
	// and the change detection of an interrogated value is zero.
	if len(answer) != 1 || answer[0].Type != 20 || hex.EncodeToString(answer[0].Element) != "0300000080" {
		t.Errorf("interrogated: %+v, want one object of type 20 with the last state", answer)
	}
}
