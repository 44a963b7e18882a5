package apci_test

import (
	"testing"

	"busbar/iec104/apci"
)

func TestSeq(t *testing.T) {
	t.Parallel()
	if got := apci.Seq(32767).Next(); got != 0 {
		t.Errorf("32767 is followed by %d, want 0", got)
	}
	for _, tt := range []struct {
		s    apci.Seq
		n    int
		want apci.Seq
	}{
		{0, 1, 1}, {32760, 10, 2}, {2, -3, 32767}, {0, -32768, 0}, {5, 32768 * 3, 5}, {5, -32768*3 - 1, 4},
	} {
		if got := tt.s.Add(tt.n); got != tt.want {
			t.Errorf("%d + %d = %d, want %d", tt.s, tt.n, got, tt.want)
		}
	}
	for _, tt := range []struct {
		from, to apci.Seq
		want     int
	}{
		{0, 0, 0}, {0, 1, 1}, {1, 0, 32767}, {32767, 0, 1}, {32760, 5, 13}, {5, 32760, 32755},
	} {
		if got := tt.from.Distance(tt.to); got != tt.want {
			t.Errorf("from %d to %d: %d, want %d", tt.from, tt.to, got, tt.want)
		}
	}
}

func TestAcknowledges(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name        string
		nr, ack, vs apci.Seq
		want        bool
	}{
		{"nothing outstanding, nothing new", 7, 7, 7, true},
		{"nothing outstanding, one ahead", 8, 7, 7, false},
		{"nothing outstanding, one back", 6, 7, 7, false},
		{"E032 repeated", 3, 3, 9, true},
		{"some", 5, 3, 9, true},
		{"all", 9, 3, 9, true},
		{"E029 never sent", 10, 3, 9, false},
		{"E031 backwards", 2, 3, 9, false},
		{"E036 window across the wrap, before it", 32767, 32760, 5, true},
		{"E036 window across the wrap, after it", 0, 32760, 5, true},
		{"E036 window across the wrap, all", 5, 32760, 5, true},
		{"E036 window across the wrap, never sent", 6, 32760, 5, false},
		{"E036 window across the wrap, backwards", 32759, 32760, 5, false},
		{"largest window", 32766, 0, 32767, true},
	}
	for _, tt := range tests {
		if got := tt.nr.Acknowledges(tt.ack, tt.vs); got != tt.want {
			t.Errorf("%s: N(R) %d in %d … %d: %v, want %v", tt.name, tt.nr, tt.ack, tt.vs, got, tt.want)
		}
	}
}
