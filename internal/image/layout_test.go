package image

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMovesTellWhereTargetsStand(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		moves  []Move
		seq    uint64
		events uint64
		want   uint64
		gone   []uint64
	}{
		{"none", nil, 1, 0b11, 0b11, nil},
		{"exchanged", []Move{{Seq: 5, Before: []int8{1, 0}, Gone: []uint64{0, 0}}}, 5, 0b01, 0b10, nil},
		{"published afterwards", []Move{{Seq: 5, Before: []int8{1, 0}, Gone: []uint64{0, 0}}}, 6, 0b01, 0b01, nil},
		{"first removed", []Move{{Seq: 5, Before: []int8{1}, Gone: []uint64{7, 0}}}, 1, 0b11, 0b1, []uint64{7}},
		{"removed, and was no event of it", []Move{{Seq: 5, Before: []int8{1}, Gone: []uint64{7, 0}}}, 1, 0b10, 0b1, nil},
		{"new one in its place", []Move{{Seq: 5, Before: []int8{-1}, Gone: []uint64{7}}}, 1, 0b1, 0, []uint64{7}},
		{"one after the other", []Move{
			{Seq: 5, Before: []int8{1, 0, -1}, Gone: []uint64{0, 0}}, {Seq: 9, Before: []int8{2, 1}, Gone: []uint64{8, 0, 0}},
		}, 1, 0b11, 0b10, []uint64{8}},
		{"between two", []Move{
			{Seq: 5, Before: []int8{1, 0, -1}, Gone: []uint64{0, 0}}, {Seq: 9, Before: []int8{2, 1}, Gone: []uint64{8, 0, 0}},
		}, 7, 0b110, 0b11, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var gone []uint64
			got := Moves{3: tt.moves}.Place(3, tt.seq, tt.events, func(key uint64) { gone = append(gone, key) })
			if diff := cmp.Diff(tt.gone, gone); got != tt.want || diff != "" {
				t.Errorf("events %b, want %b; gone (-want +got):\n%s", got, tt.want, diff)
			}
		})
	}
}

func FuzzLayout(f *testing.F) {
	f.Add([]byte{3, 1, 9, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{3, 1, 9, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8})
	f.Add([]byte{3, 2, 9, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		l, ok := parseLayout(b)
		if !ok {
			return
		}
		if diff := cmp.Diff(b, appendLayout(nil, l)); diff != "" {
			t.Errorf("another layout (-want +got):\n%s", diff)
		}
		if move, moved := l.move([]uint64{1, 2, 3}); moved {
			Moves{0: {move}}.Place(0, l.seq, 1<<63|0b111, func(uint64) {})
		}
	})
}
