package image

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/point"
)

func someOverlay(text string) *overlay {
	l := layer{cell: newCell(point.Text), text: text}
	l.set(&point.Update{Value: point.TextValue(text), Time: 5, Arrival: 6, Quality: point.NotTopical, TimeQuality: point.TimeInvalid}, 7)
	return &overlay{
		substituted: &Mark{Author: "anna", Comment: "größer", Time: 1}, blocked: &Mark{Author: "ben", Time: 2},
		entered: l, frozen: l, under: l,
	}
}

// FuzzOverlay: what is read is read without a panic, and is the same when it is
// written and read once more.
func FuzzOverlay(f *testing.F) {
	f.Add(appendOverlay(nil, someOverlay("text"), true))
	f.Add(appendOverlay(nil, &overlay{blocked: &Mark{Time: 1}, frozen: layer{cell: newCell(point.Step)}}, false))
	f.Add([]byte{0})
	f.Add([]byte{overlaySubstituted, 1, 2, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		var first, second overlay
		rest, ok := first.parse(b)
		if !ok {
			return
		}
		if len(rest) > len(b) {
			t.Fatalf("%d octets left of %d", len(rest), len(b))
		}
		beneath := b[0]&overlayBeneath != 0
		again := appendOverlay(nil, &first, beneath)
		if rest, ok := second.parse(again); !ok || len(rest) > 0 {
			t.Fatalf("not read again: %t, %d octets left", ok, len(rest))
		}
		if diff := cmp.Diff(first, second, cmp.AllowUnexported(overlay{}, layer{}, cell{})); diff != "" {
			t.Errorf("differs (-first +second):\n%s", diff)
		}
	})
}

func FuzzRecord(f *testing.F) {
	u := point.Update{Point: 3, Value: point.TextValue("text"), Time: 5, Quality: point.Substituted}
	record := appendRecord(nil, &u, 1)
	f.Add(record)
	record[5] |= recordOverlay
	f.Add(appendTrailer(record, someOverlay("other")))
	f.Add(record)
	f.Fuzz(func(t *testing.T, b []byte) {
		u, events, ok := parseRecord(b)
		if !ok {
			return
		}
		record, trailer, _ := cutTrailer(b)
		if len(record)+len(trailer) > len(b) {
			t.Fatalf("%d and %d octets of %d", len(record), len(trailer), len(b))
		}
		if v, again, ok := parseRecord(appendRecord(nil, &u, events)); !ok || v != u || again != events {
			t.Errorf("read again as %+v %b, was %+v %b", v, again, u, events)
		}
	})
}
