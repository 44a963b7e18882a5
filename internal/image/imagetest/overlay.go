package imagetest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"busbar/internal/image"
	"busbar/internal/mapping"
	"busbar/internal/point"
)

// by is who puts overlays over points in the tests.
func by(after time.Duration) image.Mark {
	return image.Mark{Author: "operator", Comment: "test of the sensor", Time: noon + point.Instant(after)}
}

func substitute(t *testing.T, im image.Image, p point.Index, v float64, after time.Duration) {
	t.Helper()
	if err := im.Substitute(t.Context(), p, image.Substitution{Mark: by(after), Value: point.FloatValue(v)}); err != nil {
		t.Fatalf("Substitute: %v", err)
	}
}

func block(t *testing.T, im image.Image, p point.Index, after time.Duration) {
	t.Helper()
	if err := im.Block(t.Context(), p, by(after)); err != nil {
		t.Fatalf("Block: %v", err)
	}
}

func release(t *testing.T, im image.Image, p point.Index, what point.Quality) {
	t.Helper()
	if err := im.Release(t.Context(), p, what); err != nil {
		t.Fatalf("Release: %v", err)
	}
}

// shows fails unless the point has this value, a number, and this quality.
func shows(t *testing.T, im image.Image, p point.Index, v float64, q point.Quality) {
	t.Helper()
	s := state(t, im, p)
	if got, ok := s.Value.Number(); !ok || got != v || s.Quality != q {
		t.Errorf("point shows %v (%t) %s, want %v %s", got, ok, s.Quality, v, q)
	}
}

func beneath(t *testing.T, im image.Image, p point.Index) point.State {
	t.Helper()
	s, ok := im.Beneath(p)
	if !ok {
		t.Fatalf("there is nothing beneath point %d", p)
	}
	return s
}

// told is what a follower must get: value, quality, for which gates.
type told struct {
	value   float64
	quality point.Quality
	events  uint64
}

// tells fails unless the follower gets exactly these changes.
func tells(t *testing.T, f image.Follower, want ...told) {
	t.Helper()
	var got []told
	for _, c := range collect(t, f, len(want)) {
		v, _ := c.Value.Number()
		got = append(got, told{v, c.Quality, c.Events})
	}
	if len(got) != len(want) {
		t.Fatalf("changes %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("change %d is %v, want %v", i, got[i], want[i])
		}
	}
	idle(t, f)
}

func substituted(t *testing.T, im image.Image) {
	const sb = point.Substituted
	p := gated(im, mapping.Gate{Deadband: 5})
	publish(t, im, float(p, 1, 0))
	f, latest := im.Follow(image.Every), im.Follow(image.Latest)
	defer f.Close()
	defer latest.Close()
	collect(t, latest, 1)
	substitute(t, im, p, 2, time.Minute)
	tells(t, f, told{2, sb, 1})
	tells(t, latest, told{2, sb, 0})
	equal(t, "state", point.State{
		Value: point.FloatValue(2), Quality: sb, Time: noon + point.Instant(time.Minute), Arrival: noon + point.Instant(time.Minute), Seq: im.Seq(),
	}, state(t, im, p))
	publish(t, im, float(p, 50, time.Second), point.Update{Point: p, Quality: point.NotTopical, Flags: point.KeepValue})
	idle(t, f)
	idle(t, latest)
	shows(t, im, p, 2, sb)
	if s := beneath(t, im, p); s.Value.Float() != 50 || s.Quality != point.NotTopical {
		t.Errorf("beneath lies %+v, want 50, not topical", s)
	}
	o, ok := im.Overlay(p)
	if !ok || o.Blocked != nil || *o.Substituted != by(time.Minute) || o.Beneath != beneath(t, im, p) {
		t.Errorf("overlay %+v, %t", o, ok)
	}
	substitute(t, im, p, 3, 2*time.Minute) // within the dead band
	substitute(t, im, p, 30, 3*time.Minute)
	tells(t, f, told{3, sb, 0}, told{30, sb, 1})
	release(t, im, p, sb)
	release(t, im, p, sb) // in vain
	tells(t, f, told{50, point.NotTopical, 1})
	shows(t, im, p, 50, point.NotTopical)
	equal(t, "source time", noon+point.Instant(time.Second), state(t, im, p).Time)
	if _, ok := im.Overlay(p); ok {
		t.Error("there is an overlay after its release")
	}
	publish(t, im, float(p, 51, 2*time.Second))
	tells(t, f, told{51, 0, 1})
}

// releasedInOrder: nobody may take for late what is shown when a substitution ends.
func releasedInOrder(t *testing.T, im image.Image) {
	p := floats(im, "a")[0]
	publish(t, im, float(p, 1, 0))
	f := im.Follow(image.Every)
	defer f.Close()
	substitute(t, im, p, 2, time.Minute)
	release(t, im, p, point.Substituted)
	got := collect(t, f, 2)
	if got[1].Time < got[0].Time || got[1].TimeQuality != point.TimeSubstituted || got[1].Flags != 0 {
		t.Errorf("released at %v (%d, flags %b) after %v", got[1].Time, got[1].TimeQuality, got[1].Flags, got[0].Time)
	}
	publish(t, im, float(p, 3, time.Second)) // is not late: the source has said nothing newer
	if c := collect(t, f, 1)[0]; c.Flags != 0 {
		t.Errorf("an update newer than the state beneath has flags %b", c.Flags)
	}
}

func blocked(t *testing.T, im image.Image) {
	const bl = point.Blocked
	p := gated(im, mapping.Gate{})
	publish(t, im, float(p, 1, 0))
	f := im.Follow(image.Every)
	defer f.Close()
	block(t, im, p, time.Minute)
	equal(t, "source time", noon, state(t, im, p).Time)
	publish(t, im, float(p, 2, time.Second))
	tells(t, f, told{1, bl, 1})
	block(t, im, p, 2*time.Minute) // is blocked already
	if o, _ := im.Overlay(p); *o.Blocked != by(time.Minute) || o.Substituted != nil {
		t.Errorf("overlay %+v", o)
	}
	idle(t, f)
	shows(t, im, p, 1, bl)
	release(t, im, p, bl)
	tells(t, f, told{2, 0, 1})
}

func substitutedAndBlocked(t *testing.T, im image.Image) {
	const sb, bl = point.Substituted, point.Blocked
	p := gated(im, mapping.Gate{})
	f := im.Follow(image.Every)
	defer f.Close()
	publish(t, im, float(p, 1, 0))
	block(t, im, p, time.Minute)
	publish(t, im, float(p, 2, 1))
	substitute(t, im, p, 10, 2*time.Minute)
	equal(t, "overlays", image.Overlaid{Substituted: 1, Blocked: 1}, im.Overlaid())
	release(t, im, p, sb)
	tells(t, f, told{1, 0, 1}, told{1, bl, 1}, told{10, sb | bl, 1}, told{1, bl, 1})
	substitute(t, im, p, 11, 3*time.Minute)
	release(t, im, p, bl)
	publish(t, im, float(p, 3, 2))
	block(t, im, p, 4*time.Minute)
	publish(t, im, float(p, 4, 3))
	release(t, im, p, sb) // what was frozen is of the source
	tells(t, f, told{11, sb | bl, 1}, told{11, sb, 1}, told{11, sb | bl, 1}, told{3, bl, 1})
	substitute(t, im, p, 12, 5*time.Minute)
	release(t, im, p, sb|bl)
	tells(t, f, told{12, sb | bl, 1}, told{4, 0, 1})
	equal(t, "overlays", image.Overlaid{}, im.Overlaid())
}

func overlaidUnknown(t *testing.T, im image.Image) {
	p := floats(im, "a")[0]
	f := im.Follow(image.Every)
	defer f.Close()
	block(t, im, p, 0)
	shows(t, im, p, 0, unknown.Quality|point.Blocked)
	release(t, im, p, point.Blocked)
	equal(t, "state", unknown, state(t, im, p))
	substitute(t, im, p, 5, time.Minute)
	equal(t, "beneath", unknown, beneath(t, im, p))
	publish(t, im, point.Update{Point: p, Flags: point.KeepValue}) // there is no value
	equal(t, "beneath", unknown, beneath(t, im, p))
	release(t, im, p, point.Substituted)
	equal(t, "state", unknown, state(t, im, p))
	tells(t, f, told{0, unknown.Quality | point.Blocked, 0}, told{0, unknown.Quality, 0}, told{5, point.Substituted, 0}, told{0, unknown.Quality, 0})
	retained := float(p, 7, 0)
	retained.Flags = point.Retained
	publish(t, im, retained) // the first
	shows(t, im, p, 7, 0)
}

func beneathByTheRules(t *testing.T, im image.Image) {
	p := gated(im, mapping.Gate{Late: true})
	publish(t, im, float(p, 1, 10))
	substitute(t, im, p, 2, time.Minute)
	f := im.Follow(image.Every)
	defer f.Close()
	late, retained, restored := float(p, 3, 5), float(p, 4, 10), point.Update{Point: p, Quality: point.NotTopical, Flags: point.KeepValue | point.Restored}
	retained.Flags = point.Retained
	publish(t, im, late, retained)
	equal(t, "value", 1, beneath(t, im, p).Value.Float())
	publish(t, im, restored)
	equal(t, "quality", point.NotTopical, beneath(t, im, p).Quality)
	shows(t, im, p, 2, point.Substituted)
	idle(t, f)
	release(t, im, p, point.Substituted)
	tells(t, f, told{1, point.NotTopical, 1})
	// It was told, so that taking it back is told as well.
	publish(t, im, point.Update{Point: p, Flags: point.KeepValue | point.Restored})
	tells(t, f, told{1, 0, 1})
	publish(t, im, restored)
	tells(t, f, told{1, point.NotTopical, 0})
}

func overlaysRefused(t *testing.T, im image.Image) {
	p := im.Define([]image.Definition{{ID: "a", Type: point.Float}, {ID: "text", Type: point.Text}, {ID: "sys/journal/fill", Type: point.Float}})
	long := strings.Repeat("x", image.MaxSubstitute+1)
	for _, c := range []struct {
		name string
		at   point.Index
		s    image.Substitution
		want error
	}{
		{"no point", p[2] + 1, image.Substitution{Mark: by(0), Value: point.FloatValue(1)}, image.ErrNoPoint},
		{"another type", p[0], image.Substitution{Mark: by(0), Value: point.IntValue(1)}, image.ErrOverlay},
		{"no value", p[0], image.Substitution{Mark: by(0)}, image.ErrOverlay},
		{"no time", p[0], image.Substitution{Value: point.FloatValue(1)}, image.ErrOverlay},
		{"quality that is not entered", p[0], image.Substitution{Mark: by(0), Value: point.FloatValue(1), Quality: point.Blocked}, image.ErrOverlay},
		{"long text", p[1], image.Substitution{Mark: by(0), Value: point.TextValue(long)}, image.ErrOverlay},
		{"long author", p[0], image.Substitution{Mark: image.Mark{Author: long, Time: 1}, Value: point.FloatValue(1)}, image.ErrOverlay},
		{"system point", p[2], image.Substitution{Mark: by(0), Value: point.FloatValue(1)}, image.ErrOverlay},
	} {
		if err := im.Substitute(t.Context(), c.at, c.s); !errors.Is(err, c.want) {
			t.Errorf("%s: Substitute = %v, want %v", c.name, err, c.want)
		}
	}
	if err := im.Block(t.Context(), p[2], by(0)); !errors.Is(err, image.ErrOverlay) {
		t.Errorf("Block of a system point = %v", err)
	}
	if err := im.Release(t.Context(), p[0], point.Invalid); !errors.Is(err, image.ErrOverlay) {
		t.Errorf("Release of IV = %v", err)
	}
	equal(t, "sequence number", 0, im.Seq())
	equal(t, "overlays", image.Overlaid{}, im.Overlaid())
	s := image.Substitution{Mark: by(0), Value: point.TextValue("entered"), Quality: point.NotTopical, At: noon - 5}
	if err := im.Substitute(t.Context(), p[1], s); err != nil {
		t.Fatal(err)
	}
	equal(t, "text", point.State{Value: s.Value, Quality: point.Substituted | point.NotTopical, Time: noon - 5, Arrival: noon, Seq: 1}, state(t, im, p[1]))
}

func overlaysDropped(t *testing.T, im image.Image) {
	p := floats(im, "stays", "goes", "changes")
	for _, at := range p {
		publish(t, im, float(at, 1, 0))
		substitute(t, im, at, 2, time.Second)
	}
	q := im.Define([]image.Definition{{ID: "stays", Type: point.Float}, {ID: "changes", Type: point.Int}})
	equal(t, "overlays", image.Overlaid{Substituted: 1, Dropped: 2}, im.Overlaid())
	shows(t, im, q[0], 2, point.Substituted)
	equal(t, "state of another type", unknown, state(t, im, q[1]))
	if _, ok := im.Overlay(p[1]); ok {
		t.Error("a removed point has an overlay")
	}
	publish(t, im, point.Update{Point: q[1], Value: point.IntValue(4), Time: noon})
	shows(t, im, q[1], 4, 0)
}

func overlaysKept(t *testing.T, l *lives) {
	const sb, bl = point.Substituted, point.Blocked
	p := gated(l, mapping.Gate{})
	if err := l.SaveCursor("c", image.Position{}); err != nil { // so that nothing is trimmed
		t.Fatal(err)
	}
	publish(t, l, float(p, 1, 0))
	block(t, l, p, time.Minute)
	publish(t, l, float(p, 2, 1), point.Update{Point: p, Quality: point.NotTopical, Flags: point.KeepValue})
	substitute(t, l, p, 10, 2*time.Minute)
	publish(t, l, float(p, 3, 2))
	for range 3 {
		s := state(t, l, p)
		o, _ := l.Overlay(p)
		o.Beneath.Source = 0
		l.again(t)
		gated(l, mapping.Gate{})
		equal(t, "state", s, state(t, l, p))
		again, ok := l.Overlay(p)
		if !ok {
			t.Fatal("the overlay is gone")
		}
		equal(t, "overlay", o, again)
		f := l.Follow(image.Every)
		publish(t, l, point.Update{Point: p, Quality: point.NotTopical, Flags: point.KeepValue | point.Restored}) // as the host does
		idle(t, f)
		f.Close()
		publish(t, l, float(p, 4, time.Duration(l.Seq())))
		time.Sleep(5 * time.Second)
	}
	release(t, l, p, sb)
	shows(t, l, p, 1, bl)
	l.again(t)
	gated(l, mapping.Gate{})
	shows(t, l, p, 1, bl)
	release(t, l, p, bl)
	l.again(t)
	gated(l, mapping.Gate{})
	shows(t, l, p, 4, 0)
	equal(t, "overlays", image.Overlaid{}, l.Overlaid())
	f := l.Resume(image.Position{})
	tells(t, f, told{1, 0, 1}, told{1, bl, 1}, told{10, sb | bl, 1}, told{1, bl, 1}, told{4, 0, 1})
	f.Close()
	f = l.Follow(image.Every)
	publish(t, l, float(p, 4, time.Hour))
	tells(t, f, told{4, 0, 0})
}

// frozenAsItWas: a point was not topical since the restart when it was blocked. That it is
// frozen like this outlives the process, though the quality beneath does not.
func frozenAsItWas(t *testing.T, l *lives) {
	const sb, bl, nt = point.Substituted, point.Blocked, point.NotTopical
	p := gated(l, mapping.Gate{})
	publish(t, l, float(p, 1, 0), point.Update{Point: p, Quality: nt, Flags: point.KeepValue | point.Restored})
	block(t, l, p, time.Minute)
	substitute(t, l, p, 2, time.Minute)
	l.again(t)
	gated(l, mapping.Gate{})
	release(t, l, p, sb)
	shows(t, l, p, 1, nt|bl)
}
