package e2e

import (
	"fmt"
	"strings"
	"testing"

	"busbar/test/rig"
)

// exact are the types with time tag, by number, the points that carry them, and elements with
// odd qualities that pass through Busbar octet by octet.
var exact = []struct {
	typ      byte
	point    string
	elements []string
}{
	{30, "single", []string{"00", "01", "10", "21", "40", "f1", "80"}},
	{31, "double", []string{"00", "01", "02", "03", "12", "23", "f1", "82"}},
	{32, "step", []string{"00 00", "bf 01", "40 10", "c0 f1", "3f 80"}},
	{33, "bits", []string{"01 00 00 80 00", "ff ff ff ff f1", "ef be ad de 40"}},
	{34, "float", []string{"00 80 00", "ff 7f 01", "01 00 f1", "ff ff 40"}},
	{35, "int", []string{"00 80 00", "ff 7f 01", "01 00 f1", "ff ff 40"}},
	{36, "float", []string{"cd cc cc 3d 00", "00 00 00 80 01", "01 00 00 00 f1", "ff ff 7f 7f 40"}},
	{37, "counter", []string{"00 00 00 80 00", "ff ff ff ff 80", "ff ff ff 7f 00"}},
}

// exactTags are time tags: as it is, invalid, and of an intermediate station.
var exactTags = []string{"e7 03 1e 0a 81 01 1a", "5f ea bb 17 81 01 1a", "00 00 40 00 81 01 1a"}

func TestValueQualityAndTimePassThroughOctetByOctet(t *testing.T) {
	t.Parallel()
	station, listen := rig.StartOutstation(t, answerCommand), rig.FreeAddr(t)
	var plant strings.Builder
	fmt.Fprintf(&plant, "version: 1\nconnectors:\n  rtu: {kind: iec104-client, addresses: [%q]}\n  scada: {kind: iec104-server, listen: %q}\npoints:\n", station.Addr, listen)
	ioa := 0
	var asdus, want []string
	for _, e := range exact {
		for i, element := range e.elements {
			ioa++
			fmt.Fprintf(&plant, "  p/%d: {type: %s, from: {connector: rtu, ca: 1, ioa: %d, as: %d}, to: [{connector: scada, ca: 1, ioa: %d, as: %d}]}\n",
				ioa, e.point, ioa, e.typ, ioa, e.typ)
			octets := element + " " + exactTags[i%len(exactTags)]
			asdus = append(asdus, fmt.Sprintf("%02x 01 03 00 01 00 %02x 00 00 %s", e.typ, ioa, octets))
			want = append(want, octets)
		}
	}
	busbar := rig.Run(t, plant.String())
	awaitLink(busbar)
	m := rig.StartMaster(t, listen)
	station.Tell(asdus...)
	for i, octets := range want {
		o := m.Await(asdus[i], func(o rig.Object) bool { return spontaneous(1, uint32(i+1))(o) })
		if got := fmt.Sprintf("% x", o.Element); got != octets {
			t.Errorf("type %d: %s became %s", o.Type, octets, got)
		}
	}
}
