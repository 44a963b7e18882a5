package asdu_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"busbar/iec104/asdu"
)

// FuzzParse parses any octets in any field sizes. What parses without an error
// has to encode to the same octets, but for reserved bits, which are sent as 0;
// those must be all that differs.
func FuzzParse(f *testing.F) {
	for _, v := range vectors(f) {
		if v.ASDU != nil {
			f.Add(v.octets(f)[6:], uint8(0), uint8(0), uint8(0))
		}
	}
	f.Add(octets(f, "01 01 03 2a 64 41"), uint8(1), uint8(1), uint8(1))
	f.Add(octets(f, "0b 82 14 2a fe ff ff 00 18 fc 80"), uint8(1), uint8(1), uint8(2))
	f.Fuzz(func(t *testing.T, b []byte, cot, ca, ioa uint8) {
		s := asdu.Sizes{COT: cot % 3, CA: ca % 3, IOA: ioa % 4}
		b = b[:len(b):len(b)]
		before := bytes.Clone(b)
		a, err := asdu.Parse(b, s)
		objs := a.AppendObjects(nil)
		if len(objs) != a.Count() {
			t.Fatalf("%d objects, Count is %d", len(objs), a.Count())
		}
		usable := err == nil || errors.Is(err, asdu.ErrSurplus) || errors.Is(err, asdu.ErrCount) || errors.Is(err, asdu.ErrSequence)
		if usable != (len(objs) > 0) {
			t.Fatalf("%d objects with error %v", len(objs), err)
		}
		if text := a.AppendJSON(nil, nil); !json.Valid(text) {
			t.Fatalf("not JSON: %s", text)
		}
		if !bytes.Equal(b, before) {
			t.Fatal("the octets were changed")
		}
		if err == nil && len(b) <= asdu.MaxLen {
			encodeAgain(t, s, a, objs)
		}
	})
}

func encodeAgain(t *testing.T, s asdu.Sizes, a asdu.ASDU, objs []asdu.Object) {
	t.Helper()
	out, err := asdu.Append(nil, s, a.Header, objs)
	if err != nil {
		t.Fatalf("Append of what was parsed: %v", err)
	}
	in := a.Octets()
	if len(out) != len(in) {
		t.Fatalf("encoded %x, parsed %x", out, in)
	}
	again, err := asdu.Parse(out, s)
	if err != nil {
		t.Fatalf("Parse of what was encoded: %v", err)
	}
	if diff := cmp.Diff(again.AppendObjects(nil), objs, cmpopts.EquateEmpty()); diff != "" || again.Header != a.Header {
		t.Fatalf("decoded again (-got +want):\n%s", diff)
	}
	reserved := reservedBits(a.Type)
	for i, o := range out {
		if o&^in[i] != 0 {
			t.Fatalf("octet %d: bits were added: encoded %x, parsed %x", i, out, in)
		}
		if o != in[i] && in[i]&^o&^reserved != 0 {
			t.Fatalf("octet %d: bits %#x are lost: encoded %x, parsed %x", i, in[i]&^o, out, in)
		}
	}
}

// reservedBits returns the bits that may be reserved in any octet of the type,
// zero for a type without reserved bits.
func reservedBits(typ asdu.TypeID) byte {
	switch typ.Untagged() {
	case asdu.M_SP_NA_1:
		return 0x0E
	case asdu.M_DP_NA_1:
		return 0x0C
	case asdu.M_ST_NA_1, asdu.M_BO_NA_1, asdu.M_ME_NA_1, asdu.M_ME_NB_1, asdu.M_ME_NC_1, asdu.M_PS_NA_1:
		return 0x0E
	case asdu.C_SC_NA_1:
		return 0x02
	}
	switch typ {
	case asdu.M_EP_TA_1, asdu.M_EP_TD_1:
		return 0x04
	case asdu.M_EP_TB_1, asdu.M_EP_TE_1:
		return 0xC7
	case asdu.M_EP_TC_1, asdu.M_EP_TF_1:
		return 0xF7
	}
	return 0
}
