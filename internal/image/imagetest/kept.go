package imagetest

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/image"
	"busbar/internal/mapping"
	"busbar/internal/point"
)

// Keeper is an image that outlives its process.
type Keeper interface {
	image.Image
	Close() error
}

// Reopener returns, for one test, what opens the image: empty at first, and then as
// the one before it was when it was closed.
type Reopener func(t *testing.T) (open func() Keeper)

// RunKept runs the part of the suite that is about what outlives a process. It
// runs inside of a synctest bubble.
func RunKept(t *testing.T, reopener Reopener) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, *lives)
	}{
		{"states outlive the process", statesKept},
		{"indices outlive the process", indicesKept},
		{"another type forgets the state for good", typesKept},
		{"gates outlive the process", gatesKept},
		{"gates that are defined later were there", gatesDefinedLater},
		{"what is restored is not kept", restoredNotKept},
		{"late changes are events and no states", lateKept},
		{"overlays outlive the process", overlaysKept},
		{"what was frozen is no better in another process", frozenAsItWas},
		{"overlays in any order outlive the process", overlaysAtRandomKept},
		{"numbers go on", numbersKept},
		{"cursors outlive the process", cursorsKept},
		{"resume delivers the events before and all after", resumesOver},
		{"resume leaves out what another place has", resumesByClass},
		{"changes of points that are gone are not delivered", goneNotDelivered},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &lives{open: reopener(t)}
				l.Keeper = l.open()
				defer func() { l.end(t) }()
				c.run(t, l)
			})
		})
	}
}

// lives is an image that is closed and opened again.
type lives struct {
	Keeper
	open func() Keeper
}

func (l *lives) end(t *testing.T) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// again closes the image and opens it again.
func (l *lives) again(t *testing.T) {
	t.Helper()
	l.end(t)
	l.Keeper = l.open()
}

func statesKept(t *testing.T, l *lives) {
	defs := []image.Definition{
		{ID: "single", Type: point.Single}, {ID: "double", Type: point.Double}, {ID: "step", Type: point.Step},
		{ID: "bits", Type: point.Bits}, {ID: "int", Type: point.Int}, {ID: "float", Type: point.Float},
		{ID: "counter", Type: point.Counter}, {ID: "text", Type: point.Text}, {ID: "never", Type: point.Float},
	}
	p := l.Define(defs)
	var want []point.State
	for i, v := range []point.Value{
		point.SingleValue(true), point.DoubleValue(point.DoubleOn), point.StepValue(-7, true), point.BitsValue(1 << 31),
		point.IntValue(-1 << 60), point.FloatValue(0.1), point.CounterValue(5), point.TextValue("grün"),
	} {
		u := point.Update{
			Point: p[i], Value: v, Time: noon + point.Instant(i), Arrival: noon + point.Instant(time.Hour), Source: 3,
			Quality: point.Quality(1 << i), TimeQuality: point.TimeQuality(i & 3),
		}
		publish(t, l, u)
		s := state(t, l, p[i])
		s.Source = 0 // is another one in another process
		want = append(want, s)
	}
	want = append(want, unknown)
	for range 3 {
		l.again(t)
		p = l.Define(defs)
		var got []point.State
		for i := range p {
			got = append(got, state(t, l, p[i]))
		}
		equal(t, "states", want, got)
		time.Sleep(5 * time.Second)
	}
}

func indicesKept(t *testing.T, l *lives) {
	p := floats(l, "a", "b", "c")
	publish(t, l, float(p[1], 1, 0))
	floats(l, "a", "c")
	publish(t, l, float(p[0], 1, 0))
	l.again(t)
	again := floats(l, "c", "a", "b", "d")
	equal(t, "indices of a and c", []point.Index{p[2], p[0]}, again[:2])
	if again[2] <= p[2] || again[3] <= p[2] || again[2] == again[3] {
		t.Errorf("b and d have %v after %v, want new ones", again[2:], p)
	}
	equal(t, "state of b", unknown, state(t, l, again[2]))
	l.again(t)
	equal(t, "indices", again, floats(l, "c", "a", "b", "d"))
}

func typesKept(t *testing.T, l *lives) {
	p := gated(l, mapping.Gate{})
	publish(t, l, float(p, 1, 0))
	equal(t, "index", p, l.Define([]image.Definition{{ID: "a", Type: point.Int}})[0])
	equal(t, "index", p, floats(l, "a")[0])
	l.again(t)
	equal(t, "index", p, gated(l, mapping.Gate{}))
	equal(t, "state", unknown, state(t, l, p))
	f := l.Follow(image.Every)
	publish(t, l, float(p, 1, 0))
	equal(t, "events", []uint64{1}, events(t, f, 1))
}

func gatesKept(t *testing.T, l *lives) {
	gates := []mapping.Gate{{}, {Deadband: 10}, {}}
	p := gated(l, gates...)
	publish(t, l, float(p, 1, 1), float(p, 2, 2))
	for i, closed := range []bool{false, true, true} {
		if closed {
			l.again(t)
		}
		floats(l, "a") // leaves the gates as they are
		gated(l, gates...)
		f := l.Follow(image.Every)
		publish(t, l, float(p, 2, time.Duration(10*i+10)))
		equal(t, "events", []uint64{0}, events(t, f, 1))
		f.Close()
		time.Sleep(5 * time.Second)
	}
	l.again(t)
	gated(l, gates...)
	f := l.Follow(image.Every)
	publish(t, l, float(p, 11.5, 100), float(p, 11.5, 101))
	equal(t, "events", []uint64{0b111, 0}, events(t, f, 2))
}

func gatesDefinedLater(t *testing.T, l *lives) {
	p := gated(l, mapping.Gate{})
	publish(t, l, float(p, 1, 1))
	l.again(t)
	gated(l, mapping.Gate{}, mapping.Gate{})
	f := l.Follow(image.Every)
	publish(t, l, float(p, 1, 2))
	equal(t, "events", []uint64{0b10}, events(t, f, 1))
	f.Close()
	l.again(t)
	gated(l, mapping.Gate{}, mapping.Gate{})
	f = l.Follow(image.Every)
	publish(t, l, float(p, 1, 3))
	equal(t, "events", []uint64{0}, events(t, f, 1))
}

func restoredNotKept(t *testing.T, l *lives) {
	p := gated(l, mapping.Gate{})
	publish(t, l, float(p, 1, 1))
	f := l.Resume(image.At(1))
	publish(t, l, point.Update{Point: p, Quality: point.NotTopical, Flags: point.KeepValue | point.Restored})
	equal(t, "quality", point.NotTopical, next(t, f, 1)[0].Quality)
	f.Close()
	for range 3 { // and it does not come with a checkpoint
		l.again(t)
		gated(l, mapping.Gate{})
		equal(t, "quality", 0, state(t, l, p).Quality)
		idle(t, l.Resume(image.At(1)))
		publish(t, l, point.Update{Point: p, Quality: point.NotTopical, Flags: point.KeepValue | point.Restored})
		equal(t, "quality", point.NotTopical, state(t, l, p).Quality)
		time.Sleep(5 * time.Second)
	}
	f = l.Follow(image.Every)
	publish(t, l, float(p, 1, 2))
	equal(t, "events", []uint64{0}, events(t, f, 1))
	equal(t, "quality", 0, state(t, l, p).Quality)
}

func lateKept(t *testing.T, l *lives) {
	p := gated(l, mapping.Gate{Late: true}, mapping.Gate{})
	publish(t, l, float(p, 1, 10), float(p, 2, 5))
	l.again(t)
	gated(l, mapping.Gate{Late: true}, mapping.Gate{})
	equal(t, "value", 1, state(t, l, p).Value.Float())
	got := collect(t, l.Resume(image.Position{}), 2)
	equal(t, "flags", point.Late, got[1].Flags)
	equal(t, "events", 0b01, got[1].Events)
	f := l.Follow(image.Every)
	publish(t, l, float(p, 1, 11))
	equal(t, "events", []uint64{0}, events(t, f, 1))
}

func numbersKept(t *testing.T, l *lives) {
	p := floats(l, "a")[0]
	for i := range 10 {
		publish(t, l, float(p, float64(i), time.Duration(i)))
		if got := l.Seq(); got != uint64(i+1) {
			t.Fatalf("sequence number %d, want %d", got, i+1)
		}
		l.again(t)
		floats(l, "a")
	}
}

func cursorsKept(t *testing.T, l *lives) {
	p := floats(l, "a")
	for i := range 10 {
		publish(t, l, float(p[0], float64(i), time.Duration(i)))
	}
	cursors(t, l)
	l.again(t)
	equal(t, "cursors", map[string]image.Position{"a/1": {1, 2, 3}, "b": {7, 8, 9}}, l.Cursors())
}

// resumesOver publishes more than the log in memory holds, of which every third
// is an event.
func resumesOver(t *testing.T, l *lives) {
	const before, after = 30_000, 60_000
	p := gated(l, mapping.Gate{Deadband: 2})
	send := func(from, to int) {
		for i := from; i < to; i++ {
			publish(t, l, float(p, float64(i), time.Duration(i)))
		}
	}
	send(0, before)
	if err := l.SaveCursor("c", image.At(1000)); err != nil {
		t.Fatal(err)
	}
	l.again(t)
	gated(l, mapping.Gate{Deadband: 2})
	f := l.Resume(l.Cursors()["c"])
	send(before, after)
	last := uint64(1000)
	for last < after {
		dst := make([]image.Change, 700)
		n, gap, err := f.Next(t.Context(), dst)
		if err != nil || gap > 0 {
			t.Fatalf("Next: gap %d, error %v", gap, err)
		}
		for _, c := range dst[:n] {
			want := last + 1
			for want <= before && want%3 != 1 {
				want++
			}
			if c.Seq != want || c.Value.Float() != float64(want-1) || (c.Events == 1) != (want%3 == 1) || c.Time != noon+point.Instant(want-1) {
				t.Fatalf("change %+v after %d, want %d", c, last, want)
			}
			last = c.Seq
		}
	}
	idle(t, f)
	send(after, after+1)
	equal(t, "goes on", uint64(after+1), next(t, f, 8)[0].Seq)
}

func resumesByClass(t *testing.T, l *lives) {
	gates := []mapping.Gate{{OnUpdate: true}}
	defs := []image.Definition{{ID: "m", Type: point.Int, Gates: gates}, {ID: "s", Type: point.Single, Gates: gates}, {ID: "c", Type: point.Counter, Gates: gates}}
	p := l.Define(defs)
	for i := range 4 {
		at := noon + point.Instant(i)
		publish(t, l, point.Update{Point: p[0], Value: point.IntValue(1), Time: at}, point.Update{Point: p[1], Value: point.SingleValue(true), Time: at},
			point.Update{Point: p[2], Value: point.CounterValue(1), Time: at})
	}
	l.again(t)
	l.Define(defs)
	var pos image.Position
	pos[point.ClassMeasured], pos[point.ClassStatus], pos[point.ClassCounter] = 1, 8, 12
	var got []uint64
	for _, c := range collect(t, l.Resume(pos), 4) {
		got = append(got, c.Seq)
	}
	if diff := cmp.Diff([]uint64{4, 7, 10, 11}, got); diff != "" {
		t.Errorf("sequence numbers (-want +got):\n%s", diff)
	}
}

func goneNotDelivered(t *testing.T, l *lives) {
	gates := []mapping.Gate{{}}
	p := l.Define([]image.Definition{{ID: "stays", Type: point.Float, Gates: gates}, {ID: "goes", Type: point.Float, Gates: gates}, {ID: "changes", Type: point.Float, Gates: gates}})
	publish(t, l, float(p[0], 1, 0), float(p[1], 2, 0), float(p[2], 3, 0), float(p[0], 4, 0))
	l.again(t)
	l.Define([]image.Definition{{ID: "stays", Type: point.Float}, {ID: "changes", Type: point.Int}})
	got := collect(t, l.Resume(image.Position{}), 2)
	if got[0].Seq != 1 || got[1].Seq != 4 {
		t.Errorf("changes %d and %d, want 1 and 4", got[0].Seq, got[1].Seq)
	}
}
