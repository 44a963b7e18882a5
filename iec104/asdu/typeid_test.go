package asdu_test

import (
	"testing"

	"busbar/iec104/asdu"
)

func TestTypeIDNames(t *testing.T) {
	t.Parallel()
	known := 0
	for id := range 256 {
		typ := asdu.TypeID(id)
		if typ.Known() {
			known++
		}
		if got, ok := asdu.ParseTypeID(typ.String()); id > 0 && (!ok || got != typ) {
			t.Errorf("ParseTypeID(%q) = %v, %v", typ.String(), got, ok)
		}
	}
	// 1-21, 30-41, 45-51, 58-64, 70, 100-107, 110-113, 120-127
	if want := 21 + 12 + 7 + 7 + 1 + 8 + 4 + 8; known != want {
		t.Errorf("%d types are known, want %d", known, want)
	}
	if got, ok := asdu.ParseTypeID("36"); !ok || got != asdu.M_ME_TF_1 {
		t.Errorf(`ParseTypeID("36") = %v, %v, want M_ME_TF_1`, got, ok)
	}
	for _, s := range []string{"", "0", "256", "-1", "M_ME_TF", "m_me_tf_1", "+3"} {
		if got, ok := asdu.ParseTypeID(s); ok {
			t.Errorf("ParseTypeID(%q) = %v, want none", s, got)
		}
	}
}

func TestTypeIDTable(t *testing.T) {
	t.Parallel()
	tests := []struct {
		typ              asdu.TypeID
		size             int
		time             asdu.TimeFormat
		single, sequence bool
		in104, command   bool
		untagged         asdu.TypeID
	}{
		{asdu.M_SP_NA_1, 1, asdu.NoTime, false, true, true, false, asdu.M_SP_NA_1},
		{asdu.M_ST_TA_1, 5, asdu.CP24, false, false, false, false, asdu.M_ST_NA_1},
		{asdu.M_ME_TF_1, 12, asdu.CP56, false, false, true, false, asdu.M_ME_NC_1},
		{asdu.M_EP_TE_1, 11, asdu.CP56, true, false, true, false, 0},
		{asdu.C_SC_NA_1, 1, asdu.NoTime, true, false, true, true, asdu.C_SC_NA_1},
		{asdu.C_SE_TC_1, 12, asdu.CP56, true, false, true, true, asdu.C_SE_NC_1},
		{asdu.C_RD_NA_1, 0, asdu.NoTime, true, false, true, true, asdu.C_RD_NA_1},
		{asdu.C_TS_NA_1, 2, asdu.NoTime, true, false, false, true, asdu.C_TS_NA_1},
		{asdu.F_DR_TA_1, 13, asdu.CP56, false, true, true, false, 0},
		{asdu.F_SC_NB_1, 16, asdu.NoTime, true, false, true, true, asdu.F_SC_NB_1},
		{52, 0, asdu.NoTime, false, false, false, false, 0},
	}
	for _, tt := range tests {
		got := tt
		got.size, got.time, got.single, got.sequence = tt.typ.Size(), tt.typ.Time(), tt.typ.Single(), tt.typ.Sequence()
		got.in104, got.command, got.untagged = tt.typ.In104(), tt.typ.Command(), tt.typ.Untagged()
		if got != tt {
			t.Errorf("%v: %+v, want %+v", tt.typ, got, tt)
		}
	}
}

func TestTypeIDPermits(t *testing.T) {
	t.Parallel()
	tests := []struct {
		typ   asdu.TypeID
		d     asdu.Direction
		cause asdu.Cause
		want  bool
	}{
		{asdu.M_SP_NA_1, asdu.Monitor, asdu.Spontaneous, true},
		{asdu.M_SP_NA_1, asdu.Monitor, asdu.Cyclic, false},
		{asdu.M_SP_NA_1, asdu.Monitor, asdu.ReturnRemote, true},
		{asdu.M_SP_NA_1, asdu.Control, asdu.Activation, false},
		{asdu.M_ME_NC_1, asdu.Monitor, asdu.Cyclic, true},
		{asdu.M_ME_NC_1, asdu.Monitor, asdu.InterrogatedGroup16, true},
		{asdu.M_ME_NC_1, asdu.Monitor, asdu.CounterGeneral, false},
		{asdu.M_ME_TF_1, asdu.Monitor, asdu.InterrogatedGeneral, false},
		{asdu.M_IT_NA_1, asdu.Monitor, asdu.CounterGroup4, true},
		{asdu.M_IT_NA_1, asdu.Monitor, asdu.CounterGroup4 + 1, false},
		{asdu.M_IT_NA_1, asdu.Monitor, asdu.InterrogatedGeneral, false},
		{asdu.C_SC_NA_1, asdu.Control, asdu.Activation, true},
		{asdu.C_SC_NA_1, asdu.Control, asdu.Deactivation, true},
		{asdu.C_SC_NA_1, asdu.Control, asdu.Spontaneous, false},
		{asdu.C_SC_NA_1, asdu.Control, 0, false},
		{asdu.C_SC_NA_1, asdu.Control, 64, false},
		{asdu.C_SC_NA_1, asdu.Monitor, asdu.UnknownIOA, true},
		{asdu.C_RD_NA_1, asdu.Control, asdu.Request, true},
		{asdu.C_RD_NA_1, asdu.Control, asdu.Activation, false},
		{asdu.C_CI_NA_1, asdu.Control, asdu.Deactivation, false},
		{asdu.M_EI_NA_1, asdu.Monitor, asdu.Initialised, true},
		{52, asdu.Control, asdu.Activation, false},
	}
	for _, tt := range tests {
		if got := tt.typ.Permits(tt.cause, tt.d); got != tt.want {
			t.Errorf("%v permits %v in direction %d: %v, want %v", tt.typ, tt.cause, tt.d, got, tt.want)
		}
	}
}

func TestCauseWords(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for c := range asdu.Cause(64) {
		word := c.String()
		if word == "" || seen[word] {
			t.Errorf("cause %d: word %q is empty or used twice", c, word)
		}
		seen[word] = true
	}
	for c, want := range map[asdu.Cause]string{
		0: "unused", 1: "periodic", 10: "activation-term", 17: "reserved-17", 20: "interrogated-general", 21: "interrogated-group-1",
		31: "interrogated-group-11", 36: "interrogated-group-16", 41: "counter-group-4", 43: "reserved-43", 47: "unknown-ioa",
		63: "private-63", 64: "invalid-64",
	} {
		if got := c.String(); got != want {
			t.Errorf("cause %d: %q, want %q", c, got, want)
		}
	}
	if !asdu.InterrogatedGroup1.Interrogated() || asdu.CounterGeneral.Interrogated() || asdu.Cause(19).Interrogated() {
		t.Error("interrogated is 20 to 36")
	}
	if !asdu.UnknownType.Unknown() || !asdu.UnknownIOA.Unknown() || asdu.Cause(48).Unknown() {
		t.Error("unknown is 44 to 47")
	}
}
