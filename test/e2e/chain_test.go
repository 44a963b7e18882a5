package e2e

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/test/rig"
)

// link is one type on the way RTU, Busbar, MQTT, Busbar, control centre. Its number in
// chain is its IOA.
type link struct {
	as     asdu.TypeID
	point  string // type of the point, on both sides
	values []asdu.Object
	bits   asdu.Quality // that its quality descriptor has
	mask   []byte       // bits of the element that a point does not carry; nil: none
}

const (
	qds = asdu.IV | asdu.NT | asdu.SB | asdu.BL | asdu.OV
	siq = asdu.IV | asdu.NT | asdu.SB | asdu.BL
)

func valuesOf(values ...int32) (objs []asdu.Object) {
	for _, v := range values {
		objs = append(objs, asdu.Object{Value: uint32(v)})
	}
	return objs
}

func floatsOf(values ...float32) (objs []asdu.Object) {
	for _, v := range values {
		objs = append(objs, asdu.Object{Value: math.Float32bits(v)})
	}
	return objs
}

func stepsOf(positions ...int32) (objs []asdu.Object) {
	for i, p := range positions {
		objs = append(objs, asdu.Object{Value: uint32(p), Transient: i%2 == 1})
	}
	return objs
}

// chain are all monitor types that 104 has.
func chain() []link {
	var (
		raw      = valuesOf(-32768, -1, 0, 1, 16384, 32767)
		floats   = floatsOf(-math.MaxFloat32, -1.5, float32(math.Copysign(0, -1)), 1e-30, 23.4, math.SmallestNonzeroFloat32, 16777217, math.MaxFloat32, 0.1)
		words    = valuesOf(1, -1, 0x12345678, 0, math.MinInt32)
		counts   = valuesOf(-1, 0, math.MaxInt32, math.MinInt32, 42)
		states   = valuesOf(1, 2, 0, 3)
		sequence = []byte{0, 0, 0, 0, 0x1f} // of a counter reading: the server has its own
		elapsed  = []byte{0, 0xff, 0xff}    // of a protection event: another point may have it
		later    = []byte{0, 0, 0xff, 0xff}
	)
	return []link{
		{asdu.M_SP_NA_1, "single", valuesOf(1, 0), siq, nil}, {asdu.M_SP_TB_1, "single", valuesOf(1, 0), siq, nil},
		{asdu.M_DP_NA_1, "double", states, siq, nil}, {asdu.M_DP_TB_1, "double", states, siq, nil},
		{asdu.M_ST_NA_1, "step", stepsOf(-64, -1, 0, 63), qds, nil}, {asdu.M_ST_TB_1, "step", stepsOf(-64, -1, 0, 63), qds, nil},
		{asdu.M_BO_NA_1, "bits", words, qds, nil}, {asdu.M_BO_TB_1, "bits", words, qds, nil},
		{asdu.M_ME_NA_1, "float", raw, qds, nil}, {asdu.M_ME_TD_1, "float", raw, qds, nil},
		{asdu.M_ME_NB_1, "int", raw, qds, nil}, {asdu.M_ME_TE_1, "int", raw, qds, nil},
		{asdu.M_ME_NC_1, "float", floats, qds, nil}, {asdu.M_ME_TF_1, "float", floats, qds, nil},
		{asdu.M_ME_ND_1, "float", raw, 0, nil},
		{asdu.M_IT_NA_1, "counter", counts, asdu.IV | asdu.CY | asdu.CA, sequence}, {asdu.M_IT_TB_1, "counter", counts, asdu.IV | asdu.CY | asdu.CA, sequence},
		{asdu.M_PS_NA_1, "bits", valuesOf(0x0001, 0x8000, 0xffff, 0x5555), qds, []byte{0, 0, 0xff, 0xff}},
		{asdu.M_EP_TD_1, "double", states, siq | asdu.EI, elapsed},
		{asdu.M_EP_TE_1, "bits", valuesOf(1, 0x3f, 0x20, 2), siq | asdu.EI, later}, {asdu.M_EP_TF_1, "bits", valuesOf(1, 0x0f, 8, 2), siq | asdu.EI, later},
	}
}

// protects reports whether it is an event of protection equipment. Its elapsed time does not go this way, and
// EI says so.
func (l *link) protects() bool { return l.as >= asdu.M_EP_TD_1 }

func (l *link) tagged() bool { return l.as >= asdu.M_SP_TB_1 && l.as <= asdu.M_EP_TF_1 }

// events returns one event after the other, each with another value or quality than the
// one before: every value with every bit of the quality alone, with all and with none.
func (l *link) events(ioa uint32, begin time.Time) (events []asdu.Object) {
	qualities := []asdu.Quality{0, l.bits}
	for bit := asdu.Quality(1); bit != 0; bit <<= 1 {
		if l.bits&bit != 0 && bit != l.bits {
			qualities = append(qualities, bit)
		}
	}
	for i, q := range qualities {
		for j, v := range l.values {
			v.IOA, v.Quality = ioa, q
			if l.tagged() {
				v.Time = asdu.TimeOf(begin.Add(time.Duration(len(events))*time.Millisecond), time.UTC)
				switch (i + j) % 5 {
				case 3:
					v.Time |= asdu.TimeSubstituted
				case 4:
					v.Time |= asdu.TimeInvalid
				}
			}
			events = append(events, v)
		}
	}
	return events
}

// element returns the octets of an object behind its address.
func (l *link) element(t *testing.T, o asdu.Object) []byte {
	t.Helper()
	if l.protects() {
		o.Quality |= asdu.EI
	}
	b, err := asdu.AppendElement(nil, l.as, &o)
	if err != nil {
		t.Fatal(err)
	}
	return l.masked(b)
}

func (l *link) masked(element []byte) []byte {
	b := bytes.Clone(element)
	for i, m := range l.mask {
		b[i] &^= m
	}
	return b
}

// TestEveryTypeIsTheSameAtTheEndOfTheChain passes every monitor type from an RTU over Busbar, a broker and another
// Busbar to a control centre: value, quality and time tag must be the same bits.
func TestEveryTypeIsTheSameAtTheEndOfTheChain(t *testing.T) {
	t.Parallel()
	types, broker, rtu, listen := chain(), rig.StartBroker(t), rig.StartRTU(t, iec104.Params{}), rig.FreeAddr(t)
	rtu.Set(1, asdu.M_SP_NA_1, asdu.Object{IOA: 99, Value: 1})
	var near, far strings.Builder
	mqtt := fmt.Sprintf("{kind: mqtt, url: %q}", "mqtt://"+broker.Addr())
	fmt.Fprintf(&near, "version: 1\nconnectors:\n  rtu: {kind: iec104-client, addresses: [%q]}\n  out: %s\npoints:\n", rtu.Addr(), mqtt)
	fmt.Fprintf(&far, "version: 1\nconnectors:\n  in: %s\n  scada: {kind: iec104-server, listen: %q}\npoints:\n", mqtt, listen)
	point := func(ioa int, typ string, as asdu.TypeID) {
		fmt.Fprintf(&near, "  p/%d: {type: %s, from: {connector: rtu, ca: 1, ioa: %d, as: %v}, to: [{connector: out, topic: \"chain/{{.Point}}\"}]}\n", ioa, typ, ioa, as)
		fmt.Fprintf(&far, "  p/%d: {type: %s, from: {connector: in, topic: chain/p/%d, format: busbar}, to: [{connector: scada, ca: 1, ioa: %d, as: %v}]}\n", ioa, typ, ioa, ioa, as)
	}
	for i, l := range types {
		point(i+1, l.point, l.as)
	}
	point(99, "single", asdu.M_SP_NA_1) // the last that is subscribed to
	last := rig.Run(t, far.String())
	broker.AwaitSubscription(0, "chain/p/99")
	master := rig.StartMaster(t, listen)
	rig.Run(t, near.String())
	master.Await("the interrogated value", func(o rig.Object) bool { return o.IOA == 99 && o.Quality() == 0 })

	begin := time.Now().UTC().Truncate(time.Millisecond)
	sent := make([][]asdu.Object, len(types))
	total := 0
	for i := range types {
		sent[i] = types[i].events(uint32(i+1), begin)
		total += len(sent[i])
		for _, o := range sent[i] {
			rtu.Send(iec104.Event{Object: o, CA: 1, Type: types[i].as, Cause: asdu.Spontaneous})
		}
	}
	rtu.Put(1, asdu.M_SP_NA_1, asdu.Object{IOA: 99})
	master.Await("the last event", func(o rig.Object) bool { return o.IOA == 99 && o.Quality() == 0 && o.Int() == 0 })
	got := make([][]rig.Object, len(types))
	for _, o := range master.Objects(0) {
		if o.Cause == 3 && o.IOA >= 1 && int(o.IOA) <= len(types) {
			got[o.IOA-1] = append(got[o.IOA-1], o)
		}
	}
	for i := range types {
		types[i].compare(t, sent[i], got[i])
	}
	if n := last.Metric(faultMetric); n > 0 {
		t.Errorf("%v messages or values were not taken as they were", n)
	}
	t.Logf("%d events of %d types, each bit the same", total, len(types))
}

func (l *link) compare(t *testing.T, sent []asdu.Object, got []rig.Object) {
	t.Helper()
	if len(got) != len(sent) {
		t.Errorf("%v: %d events arrived, want %d", l.as, len(got), len(sent))
	}
	for i := range min(len(sent), len(got)) {
		want := l.element(t, sent[i])
		if asdu.TypeID(got[i].Type) != l.as || !bytes.Equal(l.masked(got[i].Element), want) {
			t.Errorf("%v: event %d is %v %x, want %x", l.as, i, asdu.TypeID(got[i].Type), l.masked(got[i].Element), want)
		}
	}
}
