package image

import (
	"log/slog"
	"slices"
	"testing"

	"busbar/internal/image/journal"
	"busbar/internal/point"
)

// TestCursorNeverGoesBack delivers records that come out of order.
func TestCursorNeverGoesBack(t *testing.T) {
	t.Parallel()
	m := New(Options{Log: 64})
	index := m.Define([]Definition{{ID: "a", Type: point.Int}})[0]
	m.log = newChanges(64, 1000)
	p := &past{image: m, keeper: &keeper{log: slog.New(slog.DiscardHandler)}}
	payload := appendRecord(nil, &point.Update{Point: index, Value: point.IntValue(1)}, 1)
	for _, seq := range []uint64{3, 5, 4, 5, 6, 2, 9} {
		p.batch = append(p.batch, journal.Record{Seq: seq, Payload: payload})
	}
	f := &everyFollower{waiter: newWaiter(), image: m, cursor: 3, past: p}
	var got []uint64
	for p.at < len(p.batch) {
		before, dst := f.cursor, make([]Change, 4)
		for _, c := range dst[:p.deliver(f, dst)] {
			got = append(got, c.Seq)
		}
		if f.cursor < before {
			t.Errorf("cursor %d after %d", f.cursor, before)
		}
	}
	if want := []uint64{3, 5, 6, 9}; !slices.Equal(got, want) {
		t.Errorf("delivered %v, want %v", got, want)
	}
}
