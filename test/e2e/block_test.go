package e2e

import (
	"strings"
	"sync/atomic"
	"testing"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/test/rig"
)

// TestBlockedStationGetsNoCommand: commands that are blocked for a station do not reach it, whoever orders them, over
// restarts and new settings of its connector.
func TestBlockedStationGetsNoCommand(t *testing.T) {
	t.Parallel()
	var got atomic.Int64
	rtu := rig.StartRTU(t, iec104.Params{})
	rtu.Command = func(iec104.Command) iec104.Verdict {
		got.Add(1)
		return iec104.Accepted
	}
	rtu.Set(1, asdu.M_SP_NA_1, asdu.Object{IOA: 1}) // so that it has the common address
	b := rig.RunManaged(t)
	b.Put("connectors", "rtu", `{"kind":"iec104-client","addresses":[%q]}`, rtu.Addr())
	b.Put("commands", "q0/switch", `{"type":"single","to":{"connector":"rtu","ca":1,"ioa":5000,"as":"C_SC_NA_1","terminates":false}}`)
	up := func() { b.AwaitMetric(1, "busbar_connector_state", `connector="rtu"`, `state="up"`) }
	order := func(what string, positive bool) {
		t.Helper()
		up()
		before := got.Load()
		answer := b.Change("POST", "/commands/q0%2Fswitch/issue?wait=10s", `{"value":"on"}`)
		if done := got.Load() - before; strings.Contains(answer, `"positive":true`) != positive || done != map[bool]int64{true: 1}[positive] {
			t.Errorf("%s: the station got %d commands: %s", what, done, answer)
		}
		if !positive && !strings.Contains(answer, "work on bay") {
			t.Errorf("%s: the reason is not told: %s", what, answer)
		}
	}
	order("before", true)
	for _, id := range []string{"rtu", "rtu.1"} {
		b.Change("PUT", "/links/"+id+"/command-block", `{"reason":"work on bay"}`)
		order(id+" blocked", false)
		b.Change("POST", "/connectors/rtu/restart", "")
		rig.Until(t, "the link", func() bool { return strings.Contains(b.Change("GET", "/links", ""), `"state":"started"`) })
		order(id+" blocked, restarted", false)
		b.Put("connectors", "rtu", `{"kind":"iec104-client","addresses":[%q],"t3":"%ds"}`, rtu.Addr(), 20+len(id))
		rig.Until(t, "the link", func() bool { return strings.Contains(b.Change("GET", "/links", ""), `"state":"started"`) })
		order(id+" blocked, with new settings", false)
		b.Change("POST", "/connectors/rtu/disable", "")
		if answer := b.Change("POST", "/commands/q0%2Fswitch/issue?wait=10s", `{"value":"on"}`); !strings.Contains(answer, "disabled") {
			t.Errorf("an order to a disabled connector: %s", answer)
		}
		b.Change("POST", "/connectors/rtu/enable", "")
		order(id+" blocked, enabled again", false)
		b.Change("DELETE", "/links/"+id+"/command-block", "")
		order(id+" released", true)
	}
	if n := got.Load(); n != 3 {
		t.Errorf("the station got %d commands, want 3", n)
	}
}
