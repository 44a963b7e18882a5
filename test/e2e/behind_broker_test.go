package e2e

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/test/rig"
)

// chainTypes are types of events of an RTU and of the points that they become.
var chainTypes = []struct {
	as    asdu.TypeID
	point string
	value func(r *rand.Rand) uint32
}{
	{asdu.M_SP_TB_1, "single", func(r *rand.Rand) uint32 { return r.Uint32N(2) }},
	{asdu.M_DP_TB_1, "double", func(r *rand.Rand) uint32 { return r.Uint32N(4) }},
	{asdu.M_ST_TB_1, "step", func(r *rand.Rand) uint32 { return uint32(int32(r.IntN(128) - 64)) }},
	{asdu.M_BO_TB_1, "bits", (*rand.Rand).Uint32},
	{asdu.M_ME_TD_1, "float", func(r *rand.Rand) uint32 { return uint32(int32(r.IntN(65536) - 32768)) }},
	{asdu.M_ME_TE_1, "int", func(r *rand.Rand) uint32 { return uint32(int32(r.IntN(65536) - 32768)) }},
	{asdu.M_ME_TF_1, "float", func(r *rand.Rand) uint32 {
		for {
			if v := r.Uint32(); v>>23&0xff != 0xff && math.Float32frombits(v) != 0 {
				return v
			}
		}
	}},
	{asdu.M_IT_TB_1, "counter", (*rand.Rand).Uint32},
}

// TestAnRTUIsTheSameBehindABroker sends events of every type with every quality over
// two Busbars and a broker between them, and compares what a control centre behind them
// gets with what another one gets from the first.
func TestAnRTUIsTheSameBehindABroker(t *testing.T) {
	for _, version := range []string{"5", "3.1.1"} {
		t.Run("mqtt "+version, func(t *testing.T) {
			t.Parallel()
			const each = 300
			broker, station, direct, behind := rig.StartBroker(t), rig.StartRTU(t, iec104.Params{}), rig.FreeAddr(t), rig.FreeAddr(t)
			var first, second strings.Builder
			for i, typ := range chainTypes {
				fmt.Fprintf(&first, "  p/%d: {type: %s, hold: 300s, from: {connector: rtu, ca: 1, ioa: %d}, to: [{connector: scada, ca: 1, ioa: %d, as: %s, report: update}, "+
					"{connector: broker, topic: \"chain/{{.Point}}\", report: update}]}\n", i+1, typ.point, i+1, i+1, typ.as)
				fmt.Fprintf(&second, "  q/%d: {type: %s, hold: 300s, from: {connector: broker, topic: chain/p/%d, format: busbar}, to: [{connector: scada, ca: 1, ioa: %d, as: %s, report: update}]}\n",
					i+1, typ.point, i+1, i+1, typ.as)
				station.Set(1, typ.as, asdu.Object{IOA: uint32(i + 1)})
			}
			mqtt := fmt.Sprintf("  broker: {kind: mqtt, url: %q, version: %s", "mqtt://"+broker.Addr(), version)
			rig.Exec(t, builtBinary(t), fmt.Sprintf("version: 1\nconnectors:\n%s, clientId: b}\n  scada: {kind: iec104-server, listen: %q}\npoints:\n%s", mqtt, behind, second.String()))
			broker.AwaitSubscription(0, fmt.Sprintf("chain/p/%d", len(chainTypes)))
			a := rig.Exec(t, builtBinary(t), fmt.Sprintf("version: 1\nconnectors:\n%s, clientId: a}\n  rtu: {kind: iec104-client, addresses: [%q]}\n  scada: {kind: iec104-server, listen: %q}\npoints:\n%s",
				mqtt, station.Addr(), direct, first.String()))
			a.AwaitCursor("broker/out")
			masters := [2]*rig.Master{rig.StartMaster(t, direct), rig.StartMaster(t, behind)}
			awaitLink(a)
			r, begin := rand.New(rand.NewPCG(7, 8)), time.Now().Add(-time.Hour).Truncate(time.Millisecond).UTC()
			for n := range each {
				for i, typ := range chainTypes {
					tag := asdu.TimeOf(begin.Add(time.Duration(n)*time.Second+time.Duration(r.IntN(1000))*time.Millisecond), nil)
					o := asdu.Object{IOA: uint32(i + 1), Value: typ.value(r), Time: tag, Quality: asdu.Quality(n), Transient: r.IntN(2) > 0}
					if n%3 == 0 {
						o.Time |= asdu.TimeInvalid
					}
					station.Put(1, typ.as, o)
				}
			}
			var got [2]map[uint32][]string
			for i, m := range masters {
				got[i] = chainEvents(m, each, begin.Add(each*time.Second))
			}
			if diff := cmp.Diff(got[0], got[1]); diff != "" {
				t.Errorf("from the first Busbar -, behind the broker +:\n%s", diff)
			}
		})
	}
}

// chainEvents returns the events of each address from before the end of the test, with
// their octets, once the last of each has come.
func chainEvents(m *rig.Master, each int, end time.Time) map[uint32][]string {
	all := make(map[uint32][]string)
	left := each * len(chainTypes)
	m.Await(fmt.Sprintf("%d events", left), func(o rig.Object) bool {
		if o.Cause == 3 && o.Time().Before(end) {
			all[o.IOA] = append(all[o.IOA], fmt.Sprintf("%d % x", o.Type, o.Element))
			left--
		}
		return left == 0
	})
	return all
}
