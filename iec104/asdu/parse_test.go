package asdu_test

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/iec104/asdu"
)

// octets makes octets of hexadecimal digits with spaces.
func octets(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParseMalformed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, hex string
		want      error
		count     int // objects that can be taken nevertheless
	}{
		{"E037 no ASDU", "", asdu.ErrTruncated, 0},
		{"E038 cut inside the header", "2d 01 06 00 01", asdu.ErrTruncated, 0},
		{"E038 header without address", "2d 01 06 00 01 00", asdu.ErrTruncated, 0},
		{"E038 cut inside the address", "2d 01 06 00 01 00 88 13", asdu.ErrTruncated, 0},
		{"E039 no element", "2d 01 06 00 01 00 88 13 00", asdu.ErrTruncated, 0},
		{"E039 cut inside the element", "32 01 06 00 01 00 8d 13 00 85 eb 47 42", asdu.ErrTruncated, 0},
		{"E039 cut inside the time", "24 01 03 00 01 00 bc 02 00 00 80 66 43 00 f3 69 2d 8d 4e 07", asdu.ErrTruncated, 0},
		{"E040 no objects", "01 00 03 00 01 00 64 00 00 01", asdu.ErrNoObjects, 0},
		{"E040 no elements with SQ=1", "01 80 14 00 01 00 64 00 00", asdu.ErrNoObjects, 0},
		{"E040 no objects of an unknown type", "34 00 06 00 01 00 64 00 00 01", asdu.ErrNoObjects, 0},
		{"E041 one object announced too many", "01 02 03 00 01 00 64 00 00 01", asdu.ErrTruncated, 0},
		{"E041 127 objects announced", "24 7f 03 00 01 00 bc 02 00 00 80 66 43 00 f3 69 2d 8d 4e 07 1a", asdu.ErrTruncated, 0},
		{"E041 one element announced too many", "01 83 14 00 01 00 64 00 00 01 01", asdu.ErrTruncated, 0},
		{"E042 surplus octet", "01 01 03 00 01 00 64 00 00 01 ff", asdu.ErrSurplus, 1},
		{"E042 surplus octet with SQ=1", "01 82 14 00 01 00 64 00 00 01 01 01", asdu.ErrSurplus, 2},
		{"E042 surplus octet of a read", "66 01 05 00 01 00 bc 02 00 00", asdu.ErrSurplus, 1},
		{"E043 SQ=1 with one object on a system command", "64 81 06 00 01 00 00 00 00 14", nil, 1},
		{"E044 two commands", "2d 02 06 00 01 00 88 13 00 01 89 13 00 01", asdu.ErrCount, 2},
		{"E044 two commands with SQ=1", "2d 82 06 00 01 00 88 13 00 01 01", asdu.ErrCount, 2},
		{"E087 addresses run past the highest", "01 82 14 00 01 00 ff ff ff 01 01", asdu.ErrAddressRange, 0},
		{"addresses up to the highest", "01 82 14 00 01 00 fe ff ff 01 01", nil, 2},
		{"SQ=1 with two time-tagged objects", "1e 82 03 00 01 00 64 00 00 01 f3 69 2d 8d 4e 07 1a 01 f3 69 2d 8d 4e 07 1a", asdu.ErrSequence, 2},
		{"directory with an address for each entry", "7e 02 05 00 01 00 30 75 00 01 00 e8 03 00 00 f3 69 2d 8d 4e 07 1a " +
			"31 75 00 01 00 e8 03 00 00 f3 69 2d 8d 4e 07 1a", asdu.ErrSequence, 2},
		{"segment shorter than it says", "7d 01 0d 00 01 00 30 75 00 01 00 01 02 aa", asdu.ErrTruncated, 0},
		{"segment without its length", "7d 01 0d 00 01 00 30 75 00 01 00 01", asdu.ErrTruncated, 0},
		{"segment longer than it says", "7d 01 0d 00 01 00 30 75 00 01 00 01 01 aa bb", asdu.ErrSurplus, 1},
		{"empty segment", "7d 01 0d 00 01 00 30 75 00 01 00 01 00", nil, 1},
		{"two segments", "7d 02 0d 00 01 00 30 75 00 01 00 01 01 aa", asdu.ErrCount, 1},
		{"E045 undefined type", "34 01 06 00 01 00 88 13 00 01", nil, 1},
		{"E046 type 0", "00 01 06 00 01 00 88 13 00 01", nil, 1},
		{"E047 private type with several objects", "ff 03 06 00 01 00 88 13 00 01 02 03 04", nil, 1},
		{"unknown type cut inside the address", "34 01 06 00 01 00 88 13", asdu.ErrTruncated, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := octets(t, tt.hex)
			a, err := asdu.Parse(b[:len(b):len(b)], asdu.Sizes{})
			if !errors.Is(err, tt.want) || (tt.want == nil && err != nil) {
				t.Errorf("Parse = %v, want %v", err, tt.want)
			}
			if got := len(a.AppendObjects(nil)); got != tt.count || a.Count() != tt.count {
				t.Errorf("%d objects, Count %d, want %d", got, a.Count(), tt.count)
			}
			if len(b) >= 6 {
				if h, err := asdu.ParseHeader(b, asdu.Sizes{}); err != nil || h != a.Header {
					t.Errorf("ParseHeader = %+v, %v, want %+v", h, err, a.Header)
				}
			}
		})
	}
}

// TestSizes has hand-made octets of the field sizes other than those of
// IEC 60870-5-104.
func TestSizes(t *testing.T) {
	t.Parallel()
	point := asdu.Object{IOA: 0x64, Value: 1, Quality: asdu.NT}
	far := asdu.Object{IOA: 0x0201, Value: 1, Quality: asdu.NT}
	farther := asdu.Object{IOA: 0x030201, Value: 1, Quality: asdu.NT}
	h := asdu.Header{Type: asdu.M_SP_NA_1, Cause: asdu.Spontaneous, N: 1, CA: 0x2A}
	with := func(h asdu.Header, ca uint16, oa uint8) asdu.Header { h.CA, h.OA = ca, oa; return h }
	tests := []struct {
		name  string
		sizes asdu.Sizes
		hex   string
		h     asdu.Header
		objs  []asdu.Object
	}{
		{"1 1 1", asdu.Sizes{COT: 1, CA: 1, IOA: 1}, "01 01 03 2a 64 41", h, []asdu.Object{point}},
		{"1 1 2", asdu.Sizes{COT: 1, CA: 1, IOA: 2}, "01 01 03 2a 01 02 41", h, []asdu.Object{far}},
		{"1 2 2", asdu.Sizes{COT: 1, CA: 2, IOA: 2}, "01 01 03 2a 01 01 02 41", with(h, 0x012A, 0), []asdu.Object{far}},
		{"2 1 3", asdu.Sizes{COT: 2, CA: 1, IOA: 3}, "01 01 03 07 2a 01 02 03 41", with(h, 0x2A, 7), []asdu.Object{farther}},
		{"2 2 1", asdu.Sizes{COT: 2, CA: 2, IOA: 1}, "01 01 03 07 2a 01 64 41", with(h, 0x012A, 7), []asdu.Object{point}},
		{"only the address is set", asdu.Sizes{IOA: 2}, "01 01 03 07 2a 01 01 02 41", with(h, 0x012A, 7), []asdu.Object{far}},
		{"two objects", asdu.Sizes{COT: 1, CA: 1, IOA: 2}, "01 02 03 2a 01 02 41 64 00 41",
			asdu.Header{Type: 1, Cause: 3, N: 2, CA: 0x2A}, []asdu.Object{far, point}},
		{"two elements", asdu.Sizes{COT: 1, CA: 1, IOA: 1}, "0b 82 14 2a fe ff ff 00 18 fc 80",
			asdu.Header{Type: 11, Cause: 20, SQ: true, N: 2, CA: 0x2A},
			[]asdu.Object{{IOA: 0xFE, Value: 1<<32 - 1}, {IOA: 0xFF, Value: 1<<32 - 1000, Quality: asdu.IV}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := octets(t, tt.hex)
			a, err := asdu.Parse(b, tt.sizes)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(a.Header, tt.h); diff != "" {
				t.Errorf("header (-got +want):\n%s", diff)
			}
			if diff := cmp.Diff(a.AppendObjects(nil), tt.objs); diff != "" {
				t.Errorf("objects (-got +want):\n%s", diff)
			}
			got, err := asdu.Append(nil, tt.sizes, tt.h, tt.objs)
			if err != nil || hex.EncodeToString(got) != hex.EncodeToString(b) {
				t.Errorf("Append = %x, %v, want %x", got, err, b)
			}
		})
	}
}

func TestSizesRefuse(t *testing.T) {
	t.Parallel()
	small := asdu.Sizes{COT: 1, CA: 1, IOA: 1}
	point := []asdu.Object{{IOA: 100}}
	h := asdu.Header{Type: asdu.M_SP_NA_1, Cause: asdu.Spontaneous, CA: 1}
	with := func(change func(*asdu.Header)) asdu.Header { c := h; change(&c); return c }
	tests := []struct {
		name  string
		sizes asdu.Sizes
		h     asdu.Header
		objs  []asdu.Object
		want  error
	}{
		{"cause of 3 octets", asdu.Sizes{COT: 3}, h, point, asdu.ErrSizes},
		{"common address of 3 octets", asdu.Sizes{CA: 3}, h, point, asdu.ErrSizes},
		{"object address of 4 octets", asdu.Sizes{IOA: 4}, h, point, asdu.ErrSizes},
		{"common address 256 in one octet", small, with(func(h *asdu.Header) { h.CA = 256 }), point, asdu.ErrValue},
		{"originator without octet", small, with(func(h *asdu.Header) { h.OA = 1 }), point, asdu.ErrValue},
		{"cause 64", small, with(func(h *asdu.Header) { h.Cause = 64 }), point, asdu.ErrValue},
		{"object address 256 in one octet", small, h, []asdu.Object{{IOA: 256}}, asdu.ErrAddressRange},
		{"object address 65536 in two octets", asdu.Sizes{IOA: 2}, h, []asdu.Object{{IOA: 65536}}, asdu.ErrAddressRange},
		{"object address 16777216", asdu.Sizes{}, h, []asdu.Object{{IOA: 1 << 24}}, asdu.ErrAddressRange},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			before := []byte{0xAA}
			got, err := asdu.Append(before, tt.sizes, tt.h, tt.objs)
			if !errors.Is(err, tt.want) || len(got) != 1 {
				t.Errorf("Append = %x, %v, want %v and nothing appended", got, err, tt.want)
			}
			if errors.Is(tt.want, asdu.ErrSizes) {
				if _, err := asdu.Parse(octets(t, "01 01 03 00 01 00 64 00 00 01"), tt.sizes); !errors.Is(err, asdu.ErrSizes) {
					t.Errorf("Parse = %v, want %v", err, asdu.ErrSizes)
				}
				if err := tt.sizes.Validate(); !errors.Is(err, asdu.ErrSizes) {
					t.Errorf("Validate = %v, want %v", err, asdu.ErrSizes)
				}
			}
		})
	}
}

func TestSequencePastShortAddress(t *testing.T) {
	t.Parallel()
	_, err := asdu.Parse(octets(t, "01 82 14 2a ff 01 01"), asdu.Sizes{COT: 1, CA: 1, IOA: 1})
	if !errors.Is(err, asdu.ErrAddressRange) {
		t.Errorf("Parse = %v, want %v", err, asdu.ErrAddressRange)
	}
}

// TestReservedBitsAreIgnored sends ones where the standard has reserved bits.
func TestReservedBitsAreIgnored(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, hex string
		want      asdu.Object
	}{
		{"SIQ", "01 01 03 00 01 00 01 00 00 0f", asdu.Object{IOA: 1, Value: 1}},
		{"DIQ", "03 01 03 00 01 00 01 00 00 0e", asdu.Object{IOA: 1, Value: 2}},
		{"QDS", "0b 01 03 00 01 00 01 00 00 05 00 0e", asdu.Object{IOA: 1, Value: 5}},
		{"SEP", "26 01 03 00 01 00 01 00 00 06 00 00 f3 69 2d 8d 4e 07 1a", asdu.Object{IOA: 1, Value: 2, Time: timeV043}},
		{"SPE and QDP", "27 01 03 00 01 00 01 00 00 c1 07 00 00 f3 69 2d 8d 4e 07 1a", asdu.Object{IOA: 1, Value: 1, Time: timeV043}},
		{"OCI and QDP", "28 01 03 00 01 00 01 00 00 f1 07 00 00 f3 69 2d 8d 4e 07 1a", asdu.Object{IOA: 1, Value: 1, Time: timeV043}},
		{"SCO", "2d 01 06 00 01 00 01 00 00 03", asdu.Object{IOA: 1, Value: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, err := asdu.Parse(octets(t, tt.hex), asdu.Sizes{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(a.AppendObjects(nil), []asdu.Object{tt.want}); diff != "" {
				t.Errorf("objects (-got +want):\n%s", diff)
			}
		})
	}
}

func TestAppendObjectsIntoRoom(t *testing.T) {
	room := make([]asdu.Object, 0, 2)
	b := octets(t, "01 82 14 00 01 00 64 00 00 01 01")
	if n := testing.AllocsPerRun(100, func() {
		a, err := asdu.Parse(b, asdu.Sizes{})
		if err != nil || len(a.AppendObjects(room[:0])) != 2 {
			t.Fatal("objects are missing")
		}
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

// timeV043 is 2026-07-14 13:45:27.123, Tuesday, summer time.
const timeV043 asdu.Time = 0x1A074E8D2D69F3
