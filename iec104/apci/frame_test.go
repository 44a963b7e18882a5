package apci_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/iec104/apci"
)

func octets(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, hex string
		want      apci.Frame
		n         int
		err       error
	}{
		{"nothing", "", apci.Frame{}, 0, nil},
		{"start only", "68", apci.Frame{}, 0, nil},
		{"start and length", "68 04", apci.Frame{}, 0, nil},
		{"all but the last octet", "68 04 01 00 58", apci.Frame{}, 0, nil},
		{"S", "68 04 01 00 58 02", apci.Frame{Format: apci.FormatS, NR: 300}, 6, nil},
		{"S with more behind it", "68 04 01 00 58 02 68", apci.Frame{Format: apci.FormatS, NR: 300}, 6, nil},
		{"S, last number", "68 04 01 00 fe ff", apci.Frame{Format: apci.FormatS, NR: 32767}, 6, nil},
		{"U", "68 04 43 00 00 00", apci.Frame{Format: apci.FormatU, Function: apci.TestFRAct}, 6, nil},
		{"I", "68 05 02 00 04 00 aa", apci.Frame{Format: apci.FormatI, NS: 1, NR: 2, ASDU: []byte{0xAA}}, 7, nil},
		{"I, last numbers", "68 05 fe ff fe ff aa", apci.Frame{Format: apci.FormatI, NS: 32767, NR: 32767, ASDU: []byte{0xAA}}, 7, nil},
		{"I cut off", "68 05 02 00 04 00", apci.Frame{}, 0, nil},
		{"E037 I without ASDU", "68 04 02 00 04 00", apci.Frame{Format: apci.FormatI, NS: 1, NR: 2, ASDU: []byte{}}, 6, nil},
		{"E001 wrong start", "69", apci.Frame{}, 0, apci.ErrStart},
		{"TLS", "16 03 01 02 00 01", apci.Frame{}, 0, apci.ErrStart},
		{"E002 junk before a frame", "00 68 04 43 00 00 00", apci.Frame{}, 0, apci.ErrStart},
		{"E003 length 0", "68 00", apci.Frame{}, 0, apci.ErrLength},
		{"E004 length 3", "68 03 43 00 00", apci.Frame{}, 0, apci.ErrLength},
		{"E005 length 254", "68 fe", apci.Frame{}, 0, apci.ErrLength},
		{"E005 length 255", "68 ff 00 00 00 00 00", apci.Frame{}, 0, apci.ErrLength},
		{"E006 U with length 5", "68 05 43", apci.Frame{}, 0, apci.ErrControlLength},
		{"E006 U with length 5, whole", "68 05 43 00 00 00 00", apci.Frame{}, 0, apci.ErrControlLength},
		{"E007 S with length 6", "68 06 01 00 00 00 00 00", apci.Frame{}, 0, apci.ErrControlLength},
		{"E008 two functions", "68 04 0f 00 00 00", apci.Frame{}, 0, apci.ErrFunction},
		{"E009 no function", "68 04 03 00 00 00", apci.Frame{}, 0, apci.ErrFunction},
		{"E010 U with reserved octets", "68 04 43 01 00 00", apci.Frame{Format: apci.FormatU, Function: apci.TestFRAct, Reserved: true}, 6, nil},
		{"E010 U with the last octet", "68 04 43 00 00 80", apci.Frame{Format: apci.FormatU, Function: apci.TestFRAct, Reserved: true}, 6, nil},
		{"S with reserved bits in octet 1", "68 04 05 00 02 00", apci.Frame{Format: apci.FormatS, NR: 1, Reserved: true}, 6, nil},
		{"S with reserved octet 2", "68 04 01 01 02 00", apci.Frame{Format: apci.FormatS, NR: 1, Reserved: true}, 6, nil},
		{"S with reserved bit of N(R)", "68 04 01 00 03 00", apci.Frame{Format: apci.FormatS, NR: 1, Reserved: true}, 6, nil},
		{"I with reserved bit of N(R)", "68 05 00 00 03 00 aa",
			apci.Frame{Format: apci.FormatI, NR: 1, ASDU: []byte{0xAA}, Reserved: true}, 7, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, n, err := apci.Parse(octets(t, tt.hex))
			if !errors.Is(err, tt.err) || (tt.err == nil && err != nil) || n != tt.n {
				t.Errorf("Parse = %d octets, %v, want %d, %v", n, err, tt.n, tt.err)
			}
			if diff := cmp.Diff(f, tt.want); diff != "" {
				t.Errorf("frame (-got +want):\n%s", diff)
			}
		})
	}
}

func TestParseLongest(t *testing.T) {
	t.Parallel()
	asdu := bytes.Repeat([]byte{7}, apci.MaxASDU)
	b := apci.AppendI(nil, 5, 6, asdu)
	if len(b) != apci.MaxLen {
		t.Fatalf("%d octets, want %d", len(b), apci.MaxLen)
	}
	f, n, err := apci.Parse(b)
	if err != nil || n != apci.MaxLen || !bytes.Equal(f.ASDU, asdu) {
		t.Errorf("Parse = %d octets of ASDU, %d, %v", len(f.ASDU), n, err)
	}
	if &f.ASDU[0] != &b[apci.HeaderLen] || cap(f.ASDU) != apci.MaxASDU {
		t.Error("the ASDU is not a part of the buffer that ends with the frame")
	}
}

// TestFunctions tries every first control octet of a U frame.
func TestFunctions(t *testing.T) {
	t.Parallel()
	names := map[apci.Function]string{
		0x07: "STARTDT act", 0x0B: "STARTDT con", 0x13: "STOPDT act", 0x23: "STOPDT con", 0x43: "TESTFR act", 0x83: "TESTFR con",
	}
	for c := 3; c < 256; c += 4 {
		f, n, err := apci.Parse([]byte{0x68, 4, byte(c), 0, 0, 0})
		name, known := names[apci.Function(c)]
		switch {
		case !known && !errors.Is(err, apci.ErrFunction):
			t.Errorf("%#x: Parse = %+v, %v, want %v", c, f, err, apci.ErrFunction)
		case known && (err != nil || n != 6 || f.Function.String() != name):
			t.Errorf("%#x: Parse = %+v, %v, want %s", c, f, err, name)
		case known:
			if got := apci.AppendU(nil, f.Function); got[2] != byte(c) {
				t.Errorf("%s is built as %x", name, got)
			}
		}
	}
}

func TestSetNumbersInPlace(t *testing.T) {
	t.Parallel()
	b := append(make([]byte, apci.HeaderLen), 0xAA, 0xBB)
	apci.PutI(b, 2, 1, 2)
	if want := octets(t, "68 06 02 00 04 00 aa bb"); !bytes.Equal(b, want) {
		t.Errorf("PutI: %x, want %x", b, want)
	}
	apci.SetNS(b, 32767)
	apci.SetNR(b, 300)
	if want := octets(t, "68 06 fe ff 58 02 aa bb"); !bytes.Equal(b, want) {
		t.Errorf("SetNS, SetNR: %x, want %x", b, want)
	}
	s := apci.AppendS(nil, 8)
	apci.SetNR(s, 9)
	if want := apci.AppendS(nil, 9); !bytes.Equal(s, want) {
		t.Errorf("SetNR of S: %x, want %x", s, want)
	}
}

func TestParseDoesNotAllocate(t *testing.T) {
	b := apci.AppendI(nil, 5, 6, make([]byte, 20))
	if n := testing.AllocsPerRun(100, func() {
		if _, n, err := apci.Parse(b); err != nil || n != 26 {
			t.Fatal(n, err)
		}
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

// vectors returns the APDUs of the vectors.
func vectors(t testing.TB) [][]byte {
	t.Helper()
	raw, err := os.ReadFile("../asdu/testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []struct{ Hex string }
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	for _, v := range all {
		out = append(out, octets(t, v.Hex))
	}
	return out
}

// read takes frames out of a stream that arrives in pieces of the given
// lengths, in turn, until it ends or an error comes.
func read(stream []byte, pieces []int) (frames []apci.Frame, rest int, failure error) {
	var buf []byte
	for i := 0; len(stream) > 0; i++ {
		n := min(max(1, pieces[i%len(pieces)]), len(stream))
		buf, stream = append(buf, stream[:n]...), stream[n:]
		for {
			f, n, err := apci.Parse(buf)
			if err != nil {
				return frames, len(buf), errors.Unwrap(err)
			}
			if n == 0 {
				break
			}
			f.ASDU = append([]byte(nil), f.ASDU...)
			frames, buf = append(frames, f), buf[n:]
		}
	}
	return frames, len(buf), nil
}

// TestSegmentation sends all vectors in pieces shorter and longer than frames.
func TestSegmentation(t *testing.T) {
	t.Parallel()
	stream := bytes.Join(vectors(t), nil)
	want, rest, err := read(stream, []int{len(stream)})
	if err != nil || rest != 0 || len(want) != 128 {
		t.Fatalf("%d frames, %d octets left, %v, want 128 frames", len(want), rest, err)
	}
	for _, n := range []int{1, 2, 3, 4, 5, 6, 7, 8, 13, 14, 15, 100, 253, 254, 255, 256, 1000} {
		got, rest, err := read(stream, []int{n})
		if err != nil || rest != 0 {
			t.Fatalf("pieces of %d: %d octets left, %v", n, rest, err)
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Fatalf("pieces of %d (-got +want):\n%s", n, diff)
		}
	}
}

// FuzzFrames demands that the way a stream is cut into segments changes
// neither its frames nor the reason why it ends.
func FuzzFrames(f *testing.F) {
	all := vectors(f)
	for _, v := range all {
		f.Add(v, []byte{1})
	}
	f.Add(bytes.Join(all[:12], nil), []byte{5, 1, 200})
	f.Add([]byte{0x68, 4, 3, 0, 0, 0}, []byte{2})
	f.Add([]byte{0x68, 254}, []byte{1})
	f.Fuzz(func(t *testing.T, stream, cuts []byte) {
		pieces := []int{1}
		for _, c := range cuts {
			pieces = append(pieces, int(c))
		}
		want, wantRest, wantErr := read(stream, []int{max(1, len(stream))})
		got, rest, err := read(stream, pieces)
		if !errors.Is(err, wantErr) || !errors.Is(wantErr, err) {
			t.Fatalf("ends with %v, in one piece with %v", err, wantErr)
		}
		if err == nil && rest != wantRest {
			t.Fatalf("%d octets left, in one piece %d", rest, wantRest)
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Fatalf("frames (-got +want):\n%s", diff)
		}
		for _, f := range got {
			if f.Format == apci.FormatI && len(f.ASDU) > apci.MaxASDU {
				t.Fatalf("ASDU of %d octets", len(f.ASDU))
			}
		}
	})
}

func TestTLSIsNamed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"160301": "apci: no start octet: TLS on a port without TLS",
		"16":     "apci: no start octet: 16H in its place",
		"160403": "apci: no start octet: 16H in its place",
	} {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := apci.Parse(b); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
