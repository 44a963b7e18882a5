package asdu_test

import (
	"bytes"
	"errors"
	"testing"

	"busbar/iec104/asdu"
)

func TestAppendRefuses(t *testing.T) {
	t.Parallel()
	one := func(o asdu.Object) []asdu.Object { return []asdu.Object{o} }
	minus := func(n int32) uint32 { return uint32(-n) }
	tests := []struct {
		name string
		h    asdu.Header
		objs []asdu.Object
		want error
	}{
		{"no objects", asdu.Header{Type: asdu.M_SP_NA_1}, nil, asdu.ErrNoObjects},
		{"128 objects", asdu.Header{Type: asdu.M_SP_NA_1}, make([]asdu.Object, 128), asdu.ErrValue},
		{"61 objects do not fit", asdu.Header{Type: asdu.M_SP_NA_1}, make([]asdu.Object, 61), asdu.ErrTooLong},
		{"two commands", asdu.Header{Type: asdu.C_SC_NA_1}, make([]asdu.Object, 2), asdu.ErrCount},
		{"two of an unknown type", asdu.Header{Type: 200}, make([]asdu.Object, 2), asdu.ErrCount},
		{"time tag with SQ=1", asdu.Header{Type: asdu.M_SP_TB_1, SQ: true}, []asdu.Object{{IOA: 1}, {IOA: 2}}, asdu.ErrSequence},
		{"gap with SQ=1", asdu.Header{Type: asdu.M_SP_NA_1, SQ: true}, []asdu.Object{{IOA: 1}, {IOA: 3}}, asdu.ErrSequence},
		{"single point 2", asdu.Header{Type: asdu.M_SP_NA_1}, one(asdu.Object{Value: 2}), asdu.ErrValue},
		{"double point 4", asdu.Header{Type: asdu.M_DP_TB_1}, one(asdu.Object{Value: 4}), asdu.ErrValue},
		{"step 64", asdu.Header{Type: asdu.M_ST_NA_1}, one(asdu.Object{Value: 64}), asdu.ErrValue},
		{"step −65", asdu.Header{Type: asdu.M_ST_NA_1}, one(asdu.Object{Value: minus(65)}), asdu.ErrValue},
		{"scaled 32768", asdu.Header{Type: asdu.M_ME_NB_1}, one(asdu.Object{Value: 32768}), asdu.ErrValue},
		{"scaled −32769", asdu.Header{Type: asdu.M_ME_TE_1}, one(asdu.Object{Value: minus(32769)}), asdu.ErrValue},
		{"normalised without quality 32768", asdu.Header{Type: asdu.M_ME_ND_1}, one(asdu.Object{Value: 32768}), asdu.ErrValue},
		{"counter sequence 32", asdu.Header{Type: asdu.M_IT_NA_1}, one(asdu.Object{Sequence: 32}), asdu.ErrValue},
		{"start events beyond SRD", asdu.Header{Type: asdu.M_EP_TE_1}, one(asdu.Object{Value: 0x40}), asdu.ErrValue},
		{"output circuits beyond CL3", asdu.Header{Type: asdu.M_EP_TF_1}, one(asdu.Object{Value: 0x10}), asdu.ErrValue},
		{"single command 2", asdu.Header{Type: asdu.C_SC_NA_1}, one(asdu.Object{Value: 2}), asdu.ErrValue},
		{"QU 32", asdu.Header{Type: asdu.C_DC_NA_1}, one(asdu.Object{Value: 1, Qualifier: 32}), asdu.ErrValue},
		{"QL 128", asdu.Header{Type: asdu.C_SE_NC_1}, one(asdu.Object{Qualifier: 128}), asdu.ErrValue},
		{"test counter 65536", asdu.Header{Type: asdu.C_TS_TA_1}, one(asdu.Object{Value: 65536}), asdu.ErrValue},
		{"file element too short", asdu.Header{Type: asdu.F_FR_NA_1}, one(asdu.Object{Data: make([]byte, 5)}), asdu.ErrValue},
		{"file element too long", asdu.Header{Type: asdu.F_FR_NA_1}, one(asdu.Object{Data: make([]byte, 7)}), asdu.ErrValue},
		{"segment of another length", asdu.Header{Type: asdu.F_SG_NA_1}, one(asdu.Object{Data: []byte{1, 0, 1, 2, 3}}), asdu.ErrValue},
		{"segment without length", asdu.Header{Type: asdu.F_SG_NA_1}, one(asdu.Object{Data: []byte{1, 0, 1}}), asdu.ErrValue},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := asdu.Append([]byte{0xAA}, asdu.Sizes{}, tt.h, tt.objs)
			if !errors.Is(err, tt.want) || len(got) != 1 {
				t.Errorf("Append = %x, %v, want %v and nothing appended", got, err, tt.want)
			}
		})
	}
}

// TestAppendInSteps builds each vector object by object.
func TestAppendInSteps(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		if v.ASDU == nil {
			continue
		}
		objs := v.objects(t)
		b, err := asdu.AppendHeader(nil, asdu.Sizes{}, v.ASDU.header())
		for i := range objs {
			switch {
			case err != nil:
			case v.ASDU.SQ && i > 0:
				b, err = asdu.AppendElement(b, v.ASDU.TypeID, &objs[i])
			default:
				b, err = asdu.AppendObject(b, asdu.Sizes{}, v.ASDU.TypeID, &objs[i])
			}
		}
		if err != nil || !bytes.Equal(b, v.octets(t)[6:]) {
			t.Errorf("%s: %x, %v, want %s", v.ID, b, err, v.Hex[12:])
		}
	}
}

func TestAppendObjectRefuses(t *testing.T) {
	t.Parallel()
	before := []byte{0xAA}
	for name, do := range map[string]func() ([]byte, error){
		"address": func() ([]byte, error) {
			return asdu.AppendObject(before, asdu.Sizes{IOA: 1}, asdu.M_SP_NA_1, &asdu.Object{IOA: 256})
		},
		"value": func() ([]byte, error) {
			return asdu.AppendObject(before, asdu.Sizes{}, asdu.M_SP_NA_1, &asdu.Object{Value: 2})
		},
		"element": func() ([]byte, error) {
			return asdu.AppendElement(before, asdu.M_SP_NA_1, &asdu.Object{Value: 2})
		},
	} {
		if got, err := do(); err == nil || len(got) != 1 {
			t.Errorf("%s: %x, %v, want an error and nothing appended", name, got, err)
		}
	}
}

func TestAppendDoesNotAllocate(t *testing.T) {
	buf := make([]byte, 0, asdu.MaxLen)
	objs := []asdu.Object{{IOA: 1, Value: 1}, {IOA: 2, Quality: asdu.IV}}
	h := asdu.Header{Type: asdu.M_SP_NA_1, Cause: asdu.InterrogatedGeneral, CA: 1}
	if n := testing.AllocsPerRun(100, func() {
		if _, err := asdu.Append(buf, asdu.Sizes{}, h, objs); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func TestSetCause(t *testing.T) {
	t.Parallel()
	b := octets(t, "34 01 86 05 01 00 88 13 00 01") // activation with T, type 52
	asdu.SetCause(b, asdu.UnknownType, true)
	if want := octets(t, "34 01 ec 05 01 00 88 13 00 01"); !bytes.Equal(b, want) {
		t.Errorf("mirrored %x, want %x", b, want)
	}
	asdu.SetCause(b, asdu.ActivationCon, false)
	if b[2] != 0x87 {
		t.Errorf("cause octet %#x, want 0x87", b[2])
	}
}

func TestSetCount(t *testing.T) {
	t.Parallel()
	b := octets(t, "01 80 14 00 01 00")
	asdu.SetCount(b, 127)
	if b[1] != 0xFF {
		t.Errorf("%#x, want 0xff", b[1])
	}
}

// TestCapacity has the figures of IEC 60870-5-104 and of smaller fields.
func TestCapacity(t *testing.T) {
	t.Parallel()
	tests := []struct {
		typ    asdu.TypeID
		sq     bool
		sizes  asdu.Sizes
		maxLen int
		want   int
	}{
		{asdu.M_SP_NA_1, false, asdu.Sizes{}, 249, 60},
		{asdu.M_SP_NA_1, true, asdu.Sizes{}, 249, 127},
		{asdu.M_SP_TB_1, false, asdu.Sizes{}, 249, 22},
		{asdu.M_ME_NC_1, false, asdu.Sizes{}, 249, 30},
		{asdu.M_ME_NC_1, true, asdu.Sizes{}, 249, 48},
		{asdu.M_ME_TF_1, false, asdu.Sizes{}, 249, 16},
		{asdu.M_ME_TF_1, true, asdu.Sizes{}, 249, 0},
		{asdu.M_ME_TF_1, false, asdu.Sizes{}, 1000, 16},
		{asdu.M_ME_TF_1, false, asdu.Sizes{}, 21, 1},
		{asdu.M_ME_TF_1, false, asdu.Sizes{}, 20, 0},
		{asdu.M_ME_TF_1, false, asdu.Sizes{}, 0, 0},
		{asdu.M_ME_TF_1, false, asdu.Sizes{COT: 1, CA: 1, IOA: 2}, 249, 17},
		{asdu.C_SC_NA_1, false, asdu.Sizes{}, 249, 1},
		{asdu.C_SC_NA_1, true, asdu.Sizes{}, 249, 0},
		{asdu.C_RD_NA_1, false, asdu.Sizes{}, 249, 1},
		{asdu.F_DR_TA_1, true, asdu.Sizes{}, 249, 18},
		{asdu.F_DR_TA_1, false, asdu.Sizes{}, 249, 0},
		{asdu.F_SG_NA_1, false, asdu.Sizes{}, 249, 0},
		{52, false, asdu.Sizes{}, 249, 0},
	}
	for _, tt := range tests {
		if got := asdu.Capacity(tt.typ, tt.sq, tt.sizes, tt.maxLen); got != tt.want {
			t.Errorf("Capacity(%v, sq %v, %+v, %d) = %d, want %d", tt.typ, tt.sq, tt.sizes, tt.maxLen, got, tt.want)
		}
	}
}
