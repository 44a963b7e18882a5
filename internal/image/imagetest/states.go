package imagetest

import (
	"testing"
	"time"

	"busbar/internal/image"
	"busbar/internal/point"
)

// unknown is the state of a point that was never received.
var unknown = point.State{Quality: point.Invalid | point.NotTopical}

func defineKeepsIndices(t *testing.T, im image.Image) {
	first := floats(im, "a", "b", "c")
	second := floats(im, "c", "d", "a")
	if second[0] != first[2] || second[2] != first[0] {
		t.Errorf("indices of c, d, a = %v after a, b, c = %v, want those of a and c kept", second, first)
	}
	third := floats(im, "a", "b", "c", "d")
	seen := map[point.Index]bool{first[0]: true, first[1]: true, first[2]: true, second[1]: true}
	if seen[third[1]] {
		t.Errorf("index %d was given away twice", third[1])
	}
	if p, ok := im.Lookup("d"); !ok || p != second[1] {
		t.Errorf("Lookup(d) = %d, %t, want %d", p, ok, second[1])
	}
	if _, ok := im.Lookup("e"); ok {
		t.Error("Lookup found a point that was never defined")
	}
	for i, id := range []string{"a", "b", "c", "d"} {
		if p, ok := im.Lookup(id); !ok || p != third[i] || im.ID(p) != id {
			t.Errorf("Lookup(%s) = %d, %t, ID = %q, want %d and back", id, p, ok, im.ID(p), third[i])
		}
	}
	for _, p := range []point.Index{first[1], point.None} {
		if id := im.ID(p); id != "" {
			t.Errorf("ID(%d) = %q, want none", p, id)
		}
	}
	if twice := floats(im, "f", "f"); twice[0] != twice[1] {
		t.Errorf("indices of f and f = %v, want the same", twice)
	}
	if _, ok := im.State(first[1]); ok {
		t.Error("the index of a removed point has a state")
	}
	if _, ok := im.State(point.None); ok {
		t.Error("the index of no point has a state")
	}
}

func defineKeepsStates(t *testing.T, im image.Image) {
	p := floats(im, "same", "other")
	publish(t, im, float(p[0], 1, 0), float(p[1], 2, 0))
	same, seq := state(t, im, p[0]), im.Seq()
	q := im.Define([]image.Definition{{ID: "same", Type: point.Float}, {ID: "other", Type: point.Int}})
	equal(t, "indices", p, q)
	equal(t, "state of the same type", same, state(t, im, p[0]))
	equal(t, "state of another type", unknown, state(t, im, p[1]))
	equal(t, "sequence number", seq, im.Seq())
}

func neverReceived(t *testing.T, im image.Image) {
	p := floats(im, "a")
	equal(t, "state", unknown, state(t, im, p[0]))
	equal(t, "sequence number", 0, im.Seq())
}

func publishStores(t *testing.T, im image.Image) {
	p := im.Define([]image.Definition{
		{ID: "single", Type: point.Single}, {ID: "double", Type: point.Double}, {ID: "step", Type: point.Step},
		{ID: "bits", Type: point.Bits}, {ID: "int", Type: point.Int}, {ID: "float", Type: point.Float},
		{ID: "counter", Type: point.Counter}, {ID: "text", Type: point.Text},
	})
	values := []point.Value{
		point.SingleValue(true), point.DoubleValue(point.Indeterminate), point.StepValue(-64, true),
		point.BitsValue(1<<32 - 1), point.IntValue(-1 << 63), point.FloatValue(-0.5),
		point.CounterValue(1<<53 + 1), point.TextValue("größer"),
	}
	batch := make([]point.Update, len(p))
	for i := range p {
		batch[i] = point.Update{
			Point: p[i], Value: values[i], Time: noon + point.Instant(i), Arrival: noon + 100, Source: 9,
			Quality: point.Substituted, TimeQuality: point.TimeSubstituted,
		}
	}
	publish(t, im, batch...)
	clear(batch) // it may be reused
	for i := range p {
		equal(t, values[i].Type().String(), point.State{
			Value: values[i], Time: noon + point.Instant(i), Arrival: noon + 100, Seq: uint64(i + 1), Source: 9,
			Quality: point.Substituted, TimeQuality: point.TimeSubstituted,
		}, state(t, im, p[i]))
	}
	equal(t, "sequence number", uint64(len(p)), im.Seq())
}

func publishCommits(t *testing.T, im image.Image) {
	p := floats(im, "a")
	for _, batch := range [][]point.Update{{float(p[0], 1, 0)}, {}, {float(point.None, 1, 0)}} {
		calls := make(chan error, 2)
		if err := im.Publish(t.Context(), batch, func(err error) { calls <- err }); err != nil {
			t.Fatalf("Publish: %v", err)
		}
		if err := <-calls; err != nil {
			t.Errorf("committed(%v), want nil", err)
		}
		time.Sleep(time.Second)
		if len(calls) > 0 {
			t.Error("committed was called twice")
		}
	}
}

func publishDrops(t *testing.T, im image.Image) {
	p := floats(im, "a", "removed")
	floats(im, "a")
	wrong := float(p[0], 0, 0)
	wrong.Value = point.IntValue(5)
	none := float(p[0], 0, 0)
	none.Value = point.Value{}
	publish(t, im, float(p[1], 1, 0), float(p[1]+1, 1, 0), float(point.None, 1, 0), wrong, none)
	equal(t, "sequence number", 0, im.Seq())
	equal(t, "state", unknown, state(t, im, p[0]))
}

func keepValue(t *testing.T, im image.Image) {
	p := floats(im, "a", "empty")
	f := im.Follow(image.Every)
	defer f.Close()
	first := float(p[0], 1, 0)
	first.TimeQuality = point.TimeSubstituted
	publish(t, im, first,
		point.Update{Point: p[0], Quality: point.NotTopical, Flags: point.KeepValue | point.Restored},
		point.Update{Point: p[0], Quality: point.Invalid, Flags: point.KeepValue, Time: noon + 5, Arrival: noon + 6, Source: 2},
		point.Update{Point: p[1], Flags: point.KeepValue, Time: noon},
	)
	kept, dated := first, first
	kept.Quality, kept.Flags, kept.Source = point.NotTopical, point.Restored, 0
	dated.Quality, dated.Time, dated.Arrival, dated.Source, dated.TimeQuality = point.Invalid, noon+5, noon+6, 2, 0
	equal(t, "changes", []image.Change{{Seq: 1, Update: first}, {Seq: 2, Update: kept}, {Seq: 3, Update: dated}}, collect(t, f, 3))
	equal(t, "state", point.State{
		Value: first.Value, Time: noon + 5, Arrival: noon + 6, Seq: 3, Source: 2, Quality: point.Invalid,
	}, state(t, im, p[0]))
	equal(t, "state without a value", unknown, state(t, im, p[1]))
	idle(t, f)
}

func lateChanges(t *testing.T, im image.Image) {
	for _, c := range []struct {
		name          string
		first, second point.TimeQuality
		after         time.Duration
		late          bool
	}{
		{"older", 0, 0, -time.Nanosecond, true},
		{"equal", 0, 0, 0, false},
		{"newer", 0, 0, time.Nanosecond, false},
		{"arrival is not compared", 0, point.TimeSubstituted, -time.Second, false},
		{"invalid time is not compared", 0, point.TimeInvalid, -time.Second, false},
		{"not compared with an arrival", point.TimeSubstituted, 0, -time.Second, false},
	} {
		p := floats(im, c.name)[0]
		f := im.Follow(image.Every)
		latest := im.Follow(image.Latest)
		first, second := float(p, 1, 0), float(p, 2, c.after)
		first.TimeQuality, second.TimeQuality = c.first, c.second
		publish(t, im, first)
		before := state(t, im, p)
		collect(t, latest, 1)
		publish(t, im, second)
		change := collect(t, f, 2)[1]
		if c.late {
			equal(t, c.name+": state", before, state(t, im, p))
			second.Flags = point.Late
			idle(t, latest)
		} else {
			equal(t, c.name+": value", second.Value, state(t, im, p).Value)
		}
		equal(t, c.name+": change", image.Change{Seq: im.Seq(), Update: second}, change)
		f.Close()
		latest.Close()
	}
}

func retained(t *testing.T, im image.Image) {
	first := float(0, 1, 0)
	stale := first
	stale.Quality = point.NotTopical
	for _, c := range []struct {
		name        string
		before      *point.Update
		after       time.Duration
		timeQuality point.TimeQuality
		used        bool
	}{
		{"first", nil, 0, 0, true},
		{"first without a time", nil, 0, point.TimeSubstituted, true},
		{"newer", &first, 1, 0, true},
		{"same time", &first, 0, 0, false},
		{"older", &first, -1, 0, false},
		{"without a time", &first, 1, point.TimeSubstituted, false},
		{"with an invalid time", &first, 1, point.TimeInvalid, false},
		{"newer, point not topical", &stale, 1, 0, true},
		{"older, point not topical", &stale, -1, 0, false},
		{"without a time, point not topical", &stale, 1, point.TimeSubstituted, true},
	} {
		p := floats(im, c.name)[0]
		if c.before != nil {
			c.before.Point = p
			publish(t, im, *c.before)
		}
		seq := im.Seq()
		u := float(p, 2, c.after)
		u.TimeQuality, u.Flags = c.timeQuality, point.Retained
		publish(t, im, u)
		if used := im.Seq() > seq; used != c.used {
			t.Errorf("%s: in the log: %t, want %t", c.name, used, c.used)
		}
		if used := state(t, im, p).Value.Equal(u.Value); used != c.used {
			t.Errorf("%s: in the state: %t, want %t", c.name, used, c.used)
		}
	}
}
