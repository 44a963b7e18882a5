package asdu_test

import (
	"bytes"
	"testing"

	"busbar/iec104/asdu"
)

// TestEncoderEqualsAppend compares the encoder of every type with the
// functions that take one object.
func TestEncoderEqualsAppend(t *testing.T) {
	t.Parallel()
	objects := []asdu.Object{
		{Data: make([]byte, 16)},
		{IOA: 100, Value: 1, Quality: 0xFF, Time: 0x1A074E8D2D69F3, Qualifier: 3, Sequence: 5, Elapsed: 77, AID: 9, Select: true},
		{IOA: 0x123456, Value: 0x43668000, Time: 0xFFFFFFFFFFFFFF, Transient: true, Data: []byte{1, 2, 3, 4}},
		{IOA: 1 << 24},
	}
	for _, s := range []asdu.Sizes{{}, {COT: 1, CA: 1, IOA: 2}, {IOA: 1}} {
		for n := range 256 {
			typ := asdu.TypeID(n)
			e, fixed := asdu.NewEncoder(typ, s)
			if !fixed {
				if typ.Known() && typ != asdu.F_SG_NA_1 {
					t.Errorf("%v: no encoder", typ)
				}
				continue
			}
			object, element := e.Size()
			for i := range objects {
				o := &objects[i]
				want, err := asdu.AppendObject(nil, s, typ, o)
				got := make([]byte, object)
				if ok := e.PutObject(got, o); ok != (err == nil) || ok && !bytes.Equal(got, want) {
					t.Errorf("%v %+v: object %x, %t, want %x, %v", typ, s, got, ok, want, err)
				}
				want, err = asdu.AppendElement(nil, typ, o)
				got = make([]byte, element)
				if ok := e.PutElement(got, o); ok != (err == nil) || ok && !bytes.Equal(got, want) {
					t.Errorf("%v %+v: element %x, %t, want %x, %v", typ, s, got, ok, want, err)
				}
			}
		}
	}
}

func BenchmarkEncoderTF(b *testing.B) {
	objs := make([]asdu.Object, objectsTF)
	for i := range objs {
		objs[i] = objectTF(i)
	}
	buf := make([]byte, asdu.MaxLen)
	e, _ := asdu.NewEncoder(asdu.M_ME_TF_1, asdu.Sizes{})
	size, _ := e.Size()
	b.ReportAllocs()
	for b.Loop() {
		at := 0
		for i := range objs {
			if !e.PutObject(buf[at:at+size], &objs[i]) {
				b.Fatal("does not fit")
			}
			at += size
		}
	}
	perObject(b)
}
