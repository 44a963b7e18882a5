package imagetest

import (
	"testing"
	"time"

	"busbar/internal/image"
	"busbar/internal/mapping"
	"busbar/internal/point"
)

// gated defines one float point with these gates.
func gated(im image.Image, gates ...mapping.Gate) point.Index {
	return im.Define([]image.Definition{{ID: "a", Type: point.Float, Gates: gates}})[0]
}

// events returns what the changes of the next n are events of.
func events(t *testing.T, f image.Follower, n int) []uint64 {
	t.Helper()
	var got []uint64
	for _, c := range collect(t, f, n) {
		got = append(got, c.Events)
	}
	return got
}

func eventsOfGates(t *testing.T, im image.Image) {
	p := gated(im, mapping.Gate{}, mapping.Gate{Deadband: 1}, mapping.Gate{OnUpdate: true, Late: true})
	f := im.Follow(image.Every)
	late := float(p, 9, 0)
	restored := point.Update{Point: p, Quality: point.NotTopical, Flags: point.KeepValue | point.Restored}
	publish(t, im, float(p, 1, 1), float(p, 1, 2), float(p, 1.5, 3), float(p, 3, 4), late, restored, float(p, 3, 5))
	equal(t, "events", []uint64{0b111, 0b100, 0b101, 0b111, 0b100, 0, 0b100}, events(t, f, 7))
}

func gatesOverDefine(t *testing.T, im image.Image) {
	f := im.Follow(image.Every)
	p := gated(im, mapping.Gate{})
	publish(t, im, float(p, 1, 1))
	gated(im, mapping.Gate{}, mapping.Gate{}) // the first stays, the second is new
	publish(t, im, float(p, 1, 2))
	equal(t, "the same index", p, im.Define([]image.Definition{{ID: "a", Type: point.Float}})[0]) // gates stay
	publish(t, im, float(p, 2, 3))
	im.Define([]image.Definition{{ID: "a", Type: point.Float, Gates: []mapping.Gate{}}})
	publish(t, im, float(p, 3, 4))
	equal(t, "events", []uint64{0b1, 0b10, 0b11, 0}, events(t, f, 4))
}

func resumes(t *testing.T, im image.Image) {
	defs := []image.Definition{{ID: "m", Type: point.Float, Gates: []mapping.Gate{{}}}, {ID: "s", Type: point.Single, Gates: []mapping.Gate{{}}}}
	p := im.Define(defs)
	for i := range 4 {
		at := noon + point.Instant(i)*point.Instant(time.Second)
		publish(t, im, float(p[0], float64(i), time.Duration(i)*time.Second),
			point.Update{Point: p[1], Value: point.SingleValue(i%2 == 0), Time: at, Arrival: at})
	}
	var pos image.Position
	pos[point.ClassMeasured], pos[point.ClassStatus], pos[point.ClassCounter] = 1, 4, 8
	f := im.Resume(pos)
	var got []uint64
	for _, c := range collect(t, f, 5) {
		got = append(got, c.Seq)
	}
	equal(t, "sequence numbers", []uint64{3, 5, 6, 7, 8}, got)
	publish(t, im, float(p[0], 9, time.Minute))
	equal(t, "goes on", uint64(9), next(t, f, 1)[0].Seq)
	idle(t, im.Resume(image.At(9)))
}

func cursors(t *testing.T, im image.Image) {
	for name, pos := range map[string]image.Position{"a/1": {1, 2, 3}, "b": {4, 5, 6}, "c": {}} {
		if err := im.SaveCursor(name, pos); err != nil {
			t.Fatalf("SaveCursor: %v", err)
		}
	}
	if err := im.SaveCursor("b", image.Position{7, 8, 9}); err != nil {
		t.Fatalf("SaveCursor: %v", err)
	}
	im.DropCursor("c")
	im.DropCursor("never there")
	equal(t, "cursors", map[string]image.Position{"a/1": {1, 2, 3}, "b": {7, 8, 9}}, im.Cursors())
}
