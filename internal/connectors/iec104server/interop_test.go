package iec104server

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"busbar/iec104/asdu"
	"busbar/internal/interop"
)

const statedPlant = `version: 1
connectors:
  other: {kind: iec104-server, listen: "127.0.0.1:2405"}
  scada:
    kind: iec104-server
    listen: 127.0.0.1:2404
    profile: cautious
    time: Europe/Berlin
    test104: true
points:
  a: {type: single, to: [{connector: scada, ca: 1, ioa: 1, as: M_SP_TB_1, groups: [2, 16]}, {connector: other, ca: 9, ioa: 1, as: M_DP_TB_1}]}
  b: {type: float, to: [{connector: scada, ca: 2, ioa: 1, as: M_ME_TF_1, cyclic: 10s, background: 1h}]}
  c: {type: counter, to: [{connector: scada, ca: 2, ioa: 2, as: M_IT_TB_1, counter: {freeze: 15m, group: 3}}]}
  d: {type: counter, to: [{connector: scada, ca: 2, ioa: 3, as: M_IT_NA_1, counter: {spontaneous: false}}]}
`

func facts(t *testing.T, plant, id string) interop.Facts {
	t.Helper()
	p, problems := decode(t, plant)
	if len(problems) > 0 {
		t.Fatal(strings.Join(problems, "\n"))
	}
	for _, c := range p.Connectors {
		if c.ID == id {
			return c.Settings.(interop.Describer).Interop(id, p.Points, p.Commands)
		}
	}
	t.Fatalf("there is no %s", id)
	return interop.Facts{}
}

func TestFactsOfAServer(t *testing.T) {
	t.Parallel()
	f := facts(t, statedPlant, "scada")
	for typ, want := range map[asdu.TypeID]string{
		asdu.M_SP_TB_1: "3", asdu.M_SP_NA_1: "5 20 22 36", asdu.M_ME_TF_1: "3", asdu.M_ME_NC_1: "1 2 5 20", asdu.M_IT_TB_1: "3 37 40",
		asdu.M_IT_NA_1: "37", asdu.M_DP_TB_1: "", asdu.M_EI_NA_1: "4", asdu.C_IC_NA_1: "6 7 8 9 10 45 46 47", asdu.C_TS_NA_1: "6 7 45 46 47", asdu.C_RP_NA_1: "",
	} {
		causes := slices.Sorted(slices.Values(f.Types[typ]))
		var got []string
		for _, c := range causes {
			got = append(got, fmt.Sprint(uint8(c)))
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("causes of %s are %q, want %q", typ, s, want)
		}
	}
	if !slices.Equal(f.CAs, []uint16{1, 2}) || fmt.Sprint(f.Groups, f.CounterGroups) != "map[2:1 16:1] map[3:1]" || f.CounterModes != "AC" {
		t.Errorf("addresses %v, groups %v and %v, modes %s", f.CAs, f.Groups, f.CounterGroups, f.CounterModes)
	}
	if f.Params.K != 8 || f.Profile != "cautious" || f.Time != "Europe/Berlin" || f.Weekday || !f.SummerTime || f.Answers != interop.Untagged ||
		f.Late != "refuse" || f.Originator != "zero" || f.Security != "" || f.Role != interop.Controlled {
		t.Errorf("facts %+v", f)
	}
	if other := facts(t, statedPlant, "other"); other.Profile != "standard" || len(other.Types[asdu.M_DP_TB_1]) != 1 || len(other.Types[asdu.M_SP_TB_1]) != 0 || other.Time != "utc" {
		t.Errorf("facts of the other are %+v", other)
	}
}

func TestTaggedAnswersAreStated(t *testing.T) {
	t.Parallel()
	f := facts(t, strings.Replace(statedPlant, "test104: true", "interrogation: tagged\n    endOfInitialisation: false", 1), "scada")
	if slices.Contains(f.Types[asdu.M_SP_NA_1], asdu.InterrogatedGeneral) || !slices.Contains(f.Types[asdu.M_SP_TB_1], asdu.InterrogatedGeneral) ||
		f.Answers != interop.Tagged || len(f.Types[asdu.M_EI_NA_1]) > 0 || len(f.Types[asdu.C_TS_NA_1]) > 0 {
		t.Errorf("facts %+v", f.Types)
	}
}
