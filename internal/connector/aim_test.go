package connector

import (
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/image"
	"busbar/internal/plant"
)

func TestTargetsAreTheSameWhereverTheyStand(t *testing.T) {
	t.Parallel()
	a, b, c := placed{key: 1<<32 | 1}, placed{key: 2<<32 | 1}, placed{key: 1<<32 | 2}
	tests := []struct {
		name     string
		was, now []placed
		want     []int8
		moved    bool
	}{
		{"first time", nil, []placed{a, b}, nil, false},
		{"unchanged", []placed{a, b}, []placed{a, b}, []int8{0, 1}, false},
		{"last removed", []placed{a, b}, []placed{a}, []int8{0}, false},
		{"one added", []placed{a}, []placed{a, b}, []int8{0, -1}, false},
		{"first removed", []placed{a, b}, []placed{b}, []int8{1}, true},
		{"exchanged", []placed{a, b, c}, []placed{c, b, a}, []int8{2, 1, 0}, true},
		{"one put before", []placed{a}, []placed{b, a}, []int8{-1, 0}, true},
		{"another address", []placed{a, b}, []placed{c, b}, []int8{0, 1}, false},
		{"another connector", []placed{a}, []placed{b}, []int8{-1}, true},
		{"another address where the other one has moved", []placed{a, b}, []placed{b, c}, []int8{1, -1}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for i := range tt.was {
				tt.was[i].id = TargetID(i + 1)
			}
			before, moved := claim(tt.was, tt.now)
			if diff := cmp.Diff(tt.want, before); diff != "" || moved != tt.moved {
				t.Errorf("moved %v, want %v; before (-want +got):\n%s", moved, tt.moved, diff)
			}
			for i := range before {
				if want := TargetID(before[i] + 1); tt.now[i].id != want {
					t.Errorf("target %d has id %d, want %d", i, tt.now[i].id, want)
				}
			}
		})
	}
}

// A target goes on with its id, so that its events that wait stay its own, and
// with its dead band.
func TestTargetsKeepTheirEventsWhenOthersAreRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		coarse := func(p *plant.Point) { p.To[0].Deadband = &plant.Deadband{Value: 100} }
		both := pointOf("a", "s", to("t", 1), coarse, to("t", 2))
		h, f := feedHost(t, both)
		h.wantBatch(f, "1:a@1 2:a@2 | a=-* ")
		log := h.image.Follow(image.Every)
		defer log.Close()
		events := func(payload string, want uint64) {
			t.Helper()
			h.deliver("s", "a", payload)
			var c [1]image.Change
			if _, _, err := log.Next(t.Context(), c[:]); err != nil || c[0].Events != want {
				t.Errorf("%s is an event of the targets %b, want %b (%v)", payload, c[0].Events, want, err)
			}
		}
		events("1", 0b11)
		events("10", 0b10)
		h.wantBatch(f, "a=1 a=10 ")
		h.mustApply(plantOf(sAndT(), pointOf("a", "s", to("t", 2))))
		h.wantBatch(f, "2:a@2 | ")
		events("10", 0)
		events("1", 0b1)
	})
}

// What was read for targets that have changed meanwhile waits for the new ones: it may
// be of before the change, or of after it.
func TestChangesReadWhileTargetsChangeAreDeliveredToTheNewOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		always := func(p *plant.Point) { p.To[len(p.To)-1].OnUpdate = true }
		h, f := feedHost(t, pointOf("a", "s", to("t", 1), to("t", 2), always))
		h.wantNext(f, "a a | a=-*")
		h.deliver("s", "a", "1")
		h.deliver("s", "a", "1")
		h.mustApply(plantOf(sAndT(), pointOf("a", "s", to("t", 2), always, to("t", 1))))
		h.deliver("s", "a", "1")
		if b, ok, err := f.(*feed).follow(t.Context()); ok || err != nil { // as if the plant had changed just before
			t.Fatalf("batch %+v, %v before the new targets", b, err)
		}
		h.wantNext(f, "a a |")
		h.wantNext(f, "a=1/11 a=1/1 a=1/1")
	})
}
