package image_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/image"
	"busbar/internal/mapping"
	"busbar/internal/point"
)

// TestPowerCutKeepsOverlays cuts the power at every step of the disk during a
// history of overlays, with checkpoints and updates in between. Afterwards each point must
// be, with its overlay and with what lies beneath, as after a step of the history that is
// not before the last one that was acknowledged.
func TestPowerCutKeepsOverlays(t *testing.T) {
	t.Parallel()
	cuts := 0
	for ; ; cuts++ {
		done := false
		synctest.Test(t, func(t *testing.T) {
			h := &history{rnd: rand.New(rand.NewPCG(uint64(cuts), 5)), fs: newMemFS()}
			h.fs.CutAfter(1 + cuts)
			done = h.live(t)
			h.fs = h.fs.crash(h.rnd)
			h.check(t)
		})
		if t.Failed() {
			t.Fatalf("power cut after %d steps", cuts)
		}
		if done {
			break
		}
		if cuts > 2000 {
			t.Fatal("the history is never over")
		}
	}
	if cuts < 50 {
		t.Errorf("power was cut at %d steps only", cuts)
	}
}

// history is a history of overlays, and what it led to.
type history struct {
	rnd   *rand.Rand
	fs    memFS
	steps []snapshot // before any step, and after each that was begun, of an image that nothing happens to
	acked int        // of steps
}

// snapshot is all that is told of the points.
type snapshot struct {
	States   []point.State
	Overlays []image.Overlay
}

var historyDefs = []image.Definition{
	{ID: "float", Type: point.Float, Gates: []mapping.Gate{{}}}, {ID: "text", Type: point.Text}, {ID: "never", Type: point.Double},
}

// shot looks at the points, defined anew.
func shot(im image.Image, p []point.Index) (s snapshot) {
	for _, at := range p {
		state, _ := im.State(at)
		o, _ := im.Overlay(at)
		state.Source, o.Beneath.Source = 0, 0
		s.States, s.Overlays = append(s.States, state), append(s.Overlays, o)
	}
	return s
}

// live runs the history until it is over or the power is cut. done tells that it is over.
func (h *history) live(t *testing.T) (done bool) {
	t.Helper()
	m := image.New(image.Options{})
	p := m.Define(historyDefs)
	h.steps = []snapshot{shot(m, p)}
	e, err := image.Open(h.fs, tiny)
	if err != nil {
		return false
	}
	defer e.Close() //nolint:errcheck // without power
	e.Define(historyDefs)
	safe := h.script(t, m, p, func() error { return nil })
	for i, step := range h.script(t, e, p, e.Checkpoint) {
		if err := safe[i](); err != nil {
			t.Fatal(err)
		}
		h.steps = append(h.steps, shot(m, p))
		if step() != nil {
			return false
		}
		h.acked = i + 1
		if diff := cmp.Diff(h.steps[h.acked], shot(e, p), cmp.Comparer(point.Value.Equal)); diff != "" {
			t.Fatalf("after step %d (-want +got):\n%s", i, diff)
		}
	}
	return true
}

func (h *history) script(t *testing.T, e image.Image, p []point.Index, checkpoint func() error) []func() error {
	at := point.Instant(time.Hour)
	mark := func() image.Mark {
		at++
		return image.Mark{Author: "operator", Comment: fmt.Sprint("at ", at), Time: at}
	}
	publish := func(i int, v point.Value) func() error {
		return func() error {
			at++
			kept := make(chan error, 1)
			if err := e.Publish(t.Context(), []point.Update{{Point: p[i], Value: v, Time: at, Arrival: at}}, func(err error) { kept <- err }); err != nil {
				return err
			}
			return <-kept
		}
	}
	substitute := func(i int, v point.Value) func() error {
		return func() error {
			return e.Substitute(t.Context(), p[i], image.Substitution{Mark: mark(), Value: v})
		}
	}
	block := func(i int) func() error { return func() error { return e.Block(t.Context(), p[i], mark()) } }
	release := func(i int, q point.Quality) func() error {
		return func() error { return e.Release(t.Context(), p[i], q) }
	}
	pause := func() error { time.Sleep(1500 * time.Millisecond); return nil } // until there is a checkpoint
	const sb, bl = point.Substituted, point.Blocked
	return []func() error{
		publish(0, point.FloatValue(1)), substitute(0, point.FloatValue(10)), publish(0, point.FloatValue(2)), publish(1, point.TextValue("one")), block(1),
		checkpoint, publish(0, point.FloatValue(3)), block(0), publish(1, point.TextValue("two")), block(2), substitute(1, point.TextValue("entered")), pause,
		publish(0, point.FloatValue(4)), release(0, sb), publish(1, point.TextValue("three")), checkpoint, release(1, sb), release(2, bl), publish(0, point.FloatValue(5)),
		release(0, bl), release(1, bl), substitute(2, point.DoubleValue(point.DoubleOn)), checkpoint, substitute(0, point.FloatValue(11)), publish(0, point.FloatValue(6)),
		substitute(0, point.FloatValue(12)), release(2, sb), publish(2, point.DoubleValue(point.DoubleOff)), block(2), pause, publish(1, point.TextValue("four")),
	}
}

// check opens the image again and compares. What is left must go on to be so.
func (h *history) check(t *testing.T) {
	t.Helper()
	for range 2 {
		e := mustOpen(t, h.fs, tiny)
		got, diff := shot(e, e.Define(historyDefs)), ""
		for _, want := range h.steps[h.acked:] {
			if diff = cmp.Diff(want, got, cmp.Comparer(point.Value.Equal)); diff == "" {
				break
			}
		}
		if diff != "" {
			t.Errorf("as after no step from %d to %d (-want +got):\n%s", h.acked, len(h.steps)-1, diff)
		}
		time.Sleep(1500 * time.Millisecond)
		mustClose(t, e)
	}
}
