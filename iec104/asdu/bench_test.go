package asdu_test

import (
	"encoding/binary"
	"testing"

	"busbar/iec104/asdu"
)

// The benchmarks work on a full ASDU of M_ME_TF_1, the most that fit, and
// report the time for one object. The floors do the same work without table,
// checks and errors, for this type alone.

const objectsTF = 16

func objectTF(i int) asdu.Object {
	return asdu.Object{IOA: uint32(100 + i), Value: uint32(0x43668000 + i), Quality: asdu.OV, Time: 0x1A074E8D2D69F3}
}

func perObject(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/objectsTF, "ns/object")
}

func BenchmarkEncodeTF(b *testing.B) {
	objs := make([]asdu.Object, objectsTF)
	for i := range objs {
		objs[i] = objectTF(i)
	}
	h := asdu.Header{Type: asdu.M_ME_TF_1, Cause: asdu.Spontaneous, CA: 225}
	buf := make([]byte, 0, asdu.MaxLen)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := asdu.Append(buf, asdu.Sizes{}, h, objs); err != nil {
			b.Fatal(err)
		}
	}
	perObject(b)
}

func BenchmarkEncodeTFSingly(b *testing.B) {
	objs := make([]asdu.Object, objectsTF)
	for i := range objs {
		objs[i] = objectTF(i)
	}
	h := asdu.Header{Type: asdu.M_ME_TF_1, Cause: asdu.Spontaneous, CA: 225}
	buf := make([]byte, 0, asdu.MaxLen)
	b.ReportAllocs()
	for b.Loop() {
		out, err := asdu.AppendHeader(buf, asdu.Sizes{}, h)
		for i := range objs {
			if err == nil {
				out, err = asdu.AppendObject(out, asdu.Sizes{}, h.Type, &objs[i])
			}
		}
		if err != nil {
			b.Fatal(err)
		}
		asdu.SetCount(out, len(objs))
	}
	perObject(b)
}

func BenchmarkEncodeTFFloor(b *testing.B) {
	objs := make([]asdu.Object, objectsTF)
	for i := range objs {
		objs[i] = objectTF(i)
	}
	buf := make([]byte, 0, asdu.MaxLen)
	for b.Loop() {
		out := append(buf, 36, objectsTF, 3, 0, 225, 0)
		for i := range objs {
			o := &objs[i]
			n := len(out)
			out = out[:n+15]
			e := out[n:]
			_ = e[14]
			binary.LittleEndian.PutUint64(e, uint64(o.IOA)|uint64(o.Value)<<24|uint64(o.Quality)<<56)
			binary.LittleEndian.PutUint64(e[7:], uint64(o.Quality)|uint64(o.Time)<<8)
		}
		sinkByte = out[len(out)-1]
	}
	perObject(b)
}

func BenchmarkDecodeTF(b *testing.B) {
	octets := fullTF(b)
	objs := make([]asdu.Object, 0, objectsTF)
	b.ReportAllocs()
	for b.Loop() {
		a, err := asdu.Parse(octets, asdu.Sizes{})
		if err != nil {
			b.Fatal(err)
		}
		if objs = a.AppendObjects(objs[:0]); len(objs) != objectsTF {
			b.Fatal("objects are missing")
		}
	}
	perObject(b)
}

func BenchmarkDecodeTFFloor(b *testing.B) {
	octets := fullTF(b)
	objs := make([]asdu.Object, objectsTF)
	for b.Loop() {
		in := octets[6:]
		for i := range objs {
			e := in[i*15 : i*15+15]
			_ = e[14]
			head, tail := binary.LittleEndian.Uint64(e), binary.LittleEndian.Uint64(e[7:])
			objs[i] = asdu.Object{
				IOA:     uint32(head & 0xFFFFFF),
				Value:   uint32(head >> 24),
				Quality: asdu.Quality(tail),
				Time:    asdu.Time(tail >> 8),
			}
		}
		sinkByte = byte(objs[objectsTF-1].IOA)
	}
	perObject(b)
}

var sinkByte byte

func fullTF(b *testing.B) []byte {
	b.Helper()
	objs := make([]asdu.Object, objectsTF)
	for i := range objs {
		objs[i] = objectTF(i)
	}
	octets, err := asdu.Append(nil, asdu.Sizes{}, asdu.Header{Type: asdu.M_ME_TF_1, Cause: asdu.Spontaneous, CA: 225}, objs)
	if err != nil {
		b.Fatal(err)
	}
	return octets
}
