package iec104

import (
	"testing"

	"busbar/iec104/asdu"
)

// TestReplaysOfSeveralBreaks loses a connection again and again before the
// repeats are through: what comes again is recognised all the same.
func TestReplaysOfSeveralBreaks(t *testing.T) {
	t.Parallel()
	const n = 10 // as many as the station sends without acknowledgement
	h := asdu.Header{Type: asdu.M_SP_TB_1, Cause: asdu.Spontaneous, CA: 1}
	r := NewReplays(n)
	seen := func(i int) bool { return r.Seen(&h, &asdu.Object{IOA: 1, Value: uint32(i % 2), Time: numberTag(i)}) }
	r.Started()
	for i := range n {
		if seen(i) {
			t.Fatalf("event %d is new", i)
		}
	}
	for b := range 20 {
		r.Started()
		for i := range b%4 + 1 {
			if !seen(i) {
				t.Fatalf("after %d breaks event %d is not recognised", b+1, i)
			}
		}
	}
	r.Started()
	for i := range n {
		if !seen(i) {
			t.Fatalf("at last event %d is not recognised", i)
		}
	}
	for i := range n {
		if seen(n + i) {
			t.Fatalf("event %d is new", n+i)
		}
	}
}
