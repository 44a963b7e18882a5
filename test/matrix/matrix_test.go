package matrix

import (
	"encoding/hex"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/iec104/asdu"
)

// TestEveryTypeOfTheTableIsKnown fails when the codec learns a type that the
// matrix does not have.
func TestEveryTypeOfTheTableIsKnown(t *testing.T) {
	t.Parallel()
	if m, c := len(Monitor()), len(Commands()); m != 33 || c != 14 {
		t.Errorf("%d types in monitor direction and %d commands, want 33 and 14", m, c)
	}
	for _, typ := range Monitor() {
		if len(Objects(typ)) < 6 || len(Causes(typ)) == 0 {
			t.Errorf("%v: %d objects with %d causes, want many", typ, len(Objects(typ)), len(Causes(typ)))
		}
	}
	for _, typ := range Commands() {
		if len(Orders(typ)) < 6 {
			t.Errorf("%v: %d orders, want many", typ, len(Orders(typ)))
		}
	}
}

// TestObjectsAreDistinct has no object twice, and each at its length.
func TestObjectsAreDistinct(t *testing.T) {
	t.Parallel()
	for _, typ := range append(Monitor(), Commands()...) {
		objects := Objects(typ)
		if typ.Command() {
			objects = Orders(typ)
		}
		seen := map[string]bool{}
		for _, o := range objects {
			b := Octets(typ, &o)
			if len(b) != typ.Size() || seen[string(b)] {
				t.Fatalf("%v: % x of %+v twice, or not of %d octets", typ, b, o, typ.Size())
			}
			seen[string(b)] = true
		}
	}
}

// TestOctets holds the octets against examples of other stations.
func TestOctets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		typ  asdu.TypeID
		o    asdu.Object
		want string
	}{
		{asdu.M_SP_TB_1, asdu.Object{Value: 1, Time: 0x1a074e8d2d69f3}, "01f3692d8d4e071a"},
		{asdu.M_DP_NA_1, asdu.Object{Value: 2, Quality: asdu.IV | asdu.BL}, "92"},
		{asdu.M_ST_NA_1, asdu.Object{Value: 0xfffffffb, Quality: asdu.OV}, "7b01"},
		{asdu.M_BO_NA_1, asdu.Object{Value: 0x12345678}, "7856341200"},
		{asdu.M_ME_NB_1, asdu.Object{Value: 0xfffffffe, Quality: asdu.SB}, "feff20"},
		{asdu.M_IT_NA_1, asdu.Object{Value: 123456789, Sequence: 5}, "15cd5b0705"},
		{asdu.C_DC_NA_1, asdu.Object{Value: 2, Qualifier: 3, Select: true}, "8e"},
		{asdu.C_SE_NC_1, asdu.Object{Value: 0x4247eb85}, "85eb474200"},
	} {
		if diff := cmp.Diff(c.want, hex.EncodeToString(Octets(c.typ, &c.o))); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.typ, diff)
		}
	}
}
