package image_test

import (
	"testing"

	"busbar/internal/image"
	"busbar/internal/mapping"
	"busbar/internal/point"
)

func TestGatesThatMoveGoOnWithWhatTheyRemember(t *testing.T) {
	t.Parallel()
	m := image.New(image.Options{})
	coarse, fine := mapping.Gate{Deadband: 100}, mapping.Gate{}
	define := func(before []int8, gates ...mapping.Gate) point.Index {
		return m.Define([]image.Definition{{ID: "a", Type: point.Float, Gates: gates, Before: before}})[0]
	}
	p := define(nil, coarse, fine)
	f := m.Follow(image.Every)
	defer f.Close()
	events := func(v float64, want uint64) {
		t.Helper()
		if err := m.Publish(t.Context(), []point.Update{{Point: p, Value: point.FloatValue(v)}}, nil); err != nil {
			t.Fatal(err)
		}
		var c [1]image.Change
		if _, _, err := f.Next(t.Context(), c[:]); err != nil || c[0].Events != want {
			t.Errorf("%v is an event of the targets %b, want %b (%v)", v, c[0].Events, want, err)
		}
	}
	events(1, 0b11)
	events(50, 0b10)
	define([]int8{1, -1, 0}, fine, fine, coarse)
	events(50, 0b010)  // of the new one only
	events(100, 0b011) // 99 since the last event of the coarse one
	define([]int8{2}, coarse)
	events(1, 0)
	events(200, 0b1)
}
