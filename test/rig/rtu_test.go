package rig

import (
	"testing"

	"busbar/iec104"
	"busbar/iec104/asdu"
)

func TestRTUBuffersEventsOverABreak(t *testing.T) {
	t.Parallel()
	r := StartRTU(t, iec104.Params{})
	r.Set(1, asdu.M_SP_TB_1, asdu.Object{IOA: 5, Value: 1})
	m := StartMaster(t, r.Addr())
	if got := m.Interrogate(1); len(got) != 1 || got[0].Type != 1 || got[0].IOA != 5 {
		t.Errorf("interrogation yields %+v, want M_SP_NA_1 at 5", got)
	}
	r.Break()
	m.AwaitEnd()
	for i := range 100 {
		r.Put(1, asdu.M_ME_NB_1, asdu.Object{IOA: 6, Value: uint32(i)})
	}
	r.Mend()
	m = StartMaster(t, r.Addr())
	m.AwaitCount(100)
	Until(t, "the confirmation of all events", func() bool { m.Test(); return r.Waiting() < 8 })
	if got := m.Interrogate(1); len(got) != 2 || r.Interrogations() != 2 {
		t.Errorf("%d objects, %d interrogations, want 2 and 2", len(got), r.Interrogations())
	}
}
