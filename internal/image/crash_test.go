package image_test

import (
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"busbar/internal/image"
	"busbar/internal/image/journal"
	"busbar/internal/point"
)

// tiny are options that make the journal begin segments, trim and write
// checkpoints all the time.
var tiny = image.Options{Log: 64, Segment: 4 << 10, Limit: 64 << 10}

// TestPowerCutLosesNothingAcknowledged cuts the power at random moments, in
// several lives of the same directory, also while it is opened. After each cut the
// image must be what it was up to a change that is not before the last acknowledged
// batch, and decide from then on as if nothing had happened.
func TestPowerCutLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	for run := range uint64(300) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(run, 7))
			l := &lives{model: newModel(rnd), fs: newMemFS()}
			for range 4 {
				if rnd.IntN(2) == 0 { // also while it is opened
					l.fs.CutAfter(1 + rnd.IntN(40))
					if e, err := image.Open(l.fs, tiny); err == nil {
						_ = e.Close()
					}
					l.fs = l.fs.crash(rnd)
				}
				l.live(t)
				l.fs = l.fs.crash(rnd)
			}
		})
		if t.Failed() {
			t.Fatalf("run %d", run)
		}
	}
}

// lives is a directory, and what happens in the processes that have it.
type lives struct {
	*model
	fs     memFS
	acked  uint64         // newest change that was acknowledged
	cursor image.Position // as it was set last
}

// live opens the image, checks it, and publishes until the power is cut.
func (l *lives) live(t *testing.T) {
	t.Helper()
	e := mustOpen(t, l.fs, tiny)
	defer e.Close() //nolint:errcheck // without power, or for the second time
	e.SetSection(1) // each point by itself
	l.begin(t, e)
	f := e.Follow(image.Every)
	defer f.Close()
	var acked atomic.Int64
	var ends []uint64 // newest change of each batch
	l.fs.CutAfter(1 + l.rnd.IntN(200))
	for !e.Status().Failed && len(ends) < 1000 {
		batch := make([]point.Update, 1+l.rnd.IntN(12))
		for i := range batch {
			batch[i] = l.update()
		}
		before := e.Seq()
		err := e.Publish(t.Context(), batch, func(err error) {
			if err == nil {
				acked.Add(1)
			}
		})
		switch {
		case err == nil:
			l.saw(t, follow(t, f, before, e.Seq()))
			ends = append(ends, l.newest())
		case errors.Is(err, journal.ErrFull) && e.Seq() > before:
			t.Errorf("refused, and the newest change is %d after %d", e.Seq(), before)
		}
		l.pause(t, e, err)
	}
	_ = e.Close() // without power
	if n := acked.Load(); n > 0 {
		l.acked = ends[n-1]
	}
}

// begin defines the points and compares what there is with what should be.
func (l *lives) begin(t *testing.T, e *image.Embedded) {
	t.Helper()
	l.define(e)
	cursor := e.Cursors()["consumer"]
	for c := range cursor {
		if cursor[c] > l.cursor[c] {
			t.Errorf("cursor %v, was set to %v", cursor, l.cursor)
		}
		l.acked = max(l.acked, cursor[c]) // it was kept, though that was perhaps not yet told
	}
	l.cursor = cursor
	if err := e.SaveCursor("consumer", cursor); err != nil {
		t.Fatal(err)
	}
	l.recovered(t, e, l.acked, cursor) // takes a second, in which the cursor is saved
}

// pause does what is done beside publishing.
func (l *lives) pause(t *testing.T, e *image.Embedded, err error) {
	t.Helper()
	if l.rnd.IntN(4) == 0 || err != nil {
		for c := range l.cursor { // sometimes ahead of what is committed
			l.cursor[c] += l.rnd.Uint64N(e.Seq() - l.cursor[c] + 1)
		}
		if err != nil {
			l.cursor = image.At(e.Seq())
		}
		if err := e.SaveCursor("consumer", l.cursor); err != nil {
			t.Error(err)
		}
	}
	if l.rnd.IntN(4) == 0 || err != nil {
		time.Sleep(time.Duration(l.rnd.IntN(1500)) * time.Millisecond)
	}
	if l.rnd.IntN(6) == 0 {
		go func() { _ = e.Checkpoint() }() // it may fail without power
	}
	if l.rnd.IntN(15) == 0 {
		l.change()
		l.define(e)
	}
}

// follow reads the changes after one up to another.
func follow(t *testing.T, f image.Follower, after, to uint64) (changes []image.Change) {
	t.Helper()
	for after < to {
		dst := make([]image.Change, 32)
		n, gap, err := f.Next(t.Context(), dst)
		if err != nil || gap > 0 {
			t.Fatalf("Next: gap %d, error %v", gap, err)
		}
		changes = append(changes, dst[:n]...)
		after = dst[n-1].Seq
	}
	return changes
}
