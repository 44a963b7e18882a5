package image_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"busbar/internal/image"
	"busbar/internal/image/journal"
	"busbar/internal/image/journal/memfs"
	"busbar/internal/mapping"
	"busbar/internal/point"
)

// oneFloat defines one point with one target that wants every update.
func oneFloat(im image.Image) point.Index {
	return im.Define([]image.Definition{{ID: "a", Type: point.Float, Gates: []mapping.Gate{{OnUpdate: true}}}})[0]
}

func at(p point.Index, n int) point.Update {
	return point.Update{Point: p, Value: point.FloatValue(float64(n)), Time: point.Instant(n), Arrival: point.Instant(n)}
}

// kept publishes and waits until it is committed.
func kept(t *testing.T, im image.Image, batch ...point.Update) error {
	t.Helper()
	done := make(chan error, 1)
	if err := im.Publish(t.Context(), batch, func(err error) { done <- err }); err != nil && !errors.Is(<-done, err) {
		t.Errorf("Publish = %v, committed with another error", err)
	} else if err != nil {
		return err
	}
	return <-done
}

// TestCommittedComesAfterTheSync looks, in each callback, at what a power cut at that
// moment would leave.
func TestCommittedComesAfterTheSync(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fs := newMemFS()
		fs.SetSyncTime(3 * time.Millisecond)
		e := mustOpen(t, fs, image.Options{})
		p := oneFloat(e)
		var wg sync.WaitGroup
		start := time.Now()
		for n := 1; n <= 100; n++ {
			wg.Add(1)
			err := e.Publish(t.Context(), []point.Update{at(p, n)}, func(err error) {
				defer wg.Done()
				if got := newestDurable(t, fs); err != nil || got < uint64(n) {
					t.Errorf("change %d was acknowledged, up to %d was on disk, error %v", n, got, err)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			if n%7 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		wg.Wait()
		if time.Since(start) < 3*time.Millisecond {
			t.Error("nothing took the time of a sync")
		}
		mustClose(t, e)
	})
}

// newestDurable returns the newest change that a power cut now would leave.
func newestDurable(t *testing.T, fs memFS) uint64 {
	after := memFS{memfs.New(journal.ErrLocked)}
	fs.Durable(after.Put)
	j, err := journal.Open(after, journal.Options{})
	if err != nil {
		t.Error(err)
		return 0
	}
	defer j.Close() //nolint:errcheck // a copy
	return j.Committed()
}

// TestTruncationLosesNothingBeforeIt cuts the newest file of a chain at each octet.
func TestTruncationLosesNothingBeforeIt(t *testing.T) {
	t.Parallel()
	for _, chain := range []string{"measured-", "quiet-", "definitions-", "checkpoint-"} {
		synctest.Test(t, func(t *testing.T) {
			base := newMemFS()
			e := mustOpen(t, base, tiny)
			gates := []mapping.Gate{{Deadband: 1.5}}
			p := e.Define([]image.Definition{{ID: "a", Type: point.Float, Gates: gates}})[0]
			for n := 1; n <= 40; n++ {
				if err := kept(t, e, at(p, n)); err != nil {
					t.Fatal(err)
				}
				if n == 20 && chain == "checkpoint-" {
					time.Sleep(2 * time.Second) // the first is written
				}
			}
			unclosed := memFS{base.Clone()}
			mustClose(t, e)
			truncateEach(t, unclosed, chain, gates)
		})
	}
}

func truncateEach(t *testing.T, base memFS, chain string, gates []mapping.Gate) {
	names, err := base.List()
	if err != nil {
		t.Fatal(err)
	}
	newest := ""
	for _, name := range names {
		if strings.HasPrefix(name, chain) {
			newest = max(newest, name)
		}
	}
	data := base.Data(newest)
	last := uint64(0)
	for size := range len(data) + 1 {
		fs := memFS{base.With(newest, data[:size:size])}
		e := mustOpen(t, fs, tiny)
		p := e.Define([]image.Definition{{ID: "a", Type: point.Float, Gates: gates}})[0]
		s, _ := e.State(p)
		if s.Seq < last || s.Seq > 0 && s.Value.Float() != float64(s.Seq) {
			t.Errorf("%s cut at %d: state %+v, the octet before it left %d", newest, size, s, last)
		}
		if chain != "definitions-" {
			last = s.Seq
		}
		if err := kept(t, e, at(p, 1000)); err != nil {
			t.Errorf("%s cut at %d: publish: %v", newest, size, err)
		}
		mustClose(t, e)
	}
	if last != 40 && chain != "definitions-" {
		t.Errorf("uncut, %d changes are left, want 40", last)
	}
}

// TestFullDiskRefusesAndGoesOn has no room on the disk for a while.
func TestFullDiskRefusesAndGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fs := newMemFS()
		e := mustOpen(t, fs, image.Options{})
		p := e.Define([]image.Definition{{ID: "a", Type: point.Float, Gates: []mapping.Gate{{}}}})[0]
		f := e.Follow(image.Every)
		if err := kept(t, e, at(p, 1)); err != nil {
			t.Fatal(err)
		}
		fs.SetRoom(10)
		if err := kept(t, e, at(p, 2), at(p, 3)); !errors.Is(err, journal.ErrFull) {
			t.Fatalf("committed with %v, want %v", err, journal.ErrFull)
		}
		s := e.Status()
		if s.Accepting || s.Failed || !strings.Contains(s.Reason, "no space") {
			t.Errorf("status %+v, want the reason", s)
		}
		seq := e.Seq()
		if err := kept(t, e, at(p, 4)); !errors.Is(err, journal.ErrFull) || e.Seq() != seq {
			t.Errorf("Publish = %v, newest change %d after %d, want nothing changed", err, e.Seq(), seq)
		}
		fs.SetRoom(-1)
		time.Sleep(3 * time.Second)
		if s := e.Status(); !s.Accepting || s.Reason != "" {
			t.Fatalf("status %+v, want that it accepts again", s)
		}
		// What was refused comes again, and is neither late nor seen before.
		if err := kept(t, e, at(p, 2), at(p, 3)); err != nil {
			t.Fatal(err)
		}
		var got []uint64
		for _, c := range follow(t, f, 0, e.Seq()) {
			if c.Flags != 0 || c.Events != 1 {
				t.Errorf("change %+v, want an event", c)
			}
			got = append(got, uint64(c.Value.Float()))
		}
		if want := []uint64{1, 2, 3, 2, 3}; !equal(got, want) {
			t.Errorf("followed %v, want %v", got, want)
		}
		_ = e.Close()
		e = mustOpen(t, fs.crash(nil), image.Options{})
		if got := events(t, e.Resume(image.Position{}), 3); !equal(got, []uint64{1, 2, 3}) {
			t.Errorf("kept events %v, want 1, 2 and 3", got)
		}
		mustClose(t, e)
	})
}

// TestFailedSyncStopsUntilTheNextStart lets a sync fail once.
func TestFailedSyncStopsUntilTheNextStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fs := newMemFS()
		e := mustOpen(t, fs, image.Options{})
		p := oneFloat(e)
		f := e.Follow(image.Every)
		if err := kept(t, e, at(p, 1)); err != nil {
			t.Fatal(err)
		}
		broken := errors.New("I/O error")
		fs.SetHook(func(_ int, op, name string) error {
			if op == "sync" && strings.HasSuffix(name, ".seg") {
				return broken
			}
			return nil
		})
		if err := kept(t, e, at(p, 2)); !errors.Is(err, broken) {
			t.Fatalf("committed with %v, want %v", err, broken)
		}
		fs.SetHook(nil)
		time.Sleep(time.Minute)
		if err := kept(t, e, at(p, 3)); !errors.Is(err, journal.ErrFailed) {
			t.Errorf("Publish = %v, want %v", err, journal.ErrFailed)
		}
		if s := e.Status(); s.Accepting || !s.Failed || !strings.Contains(s.Reason, "I/O error") {
			t.Errorf("status %+v, want the reason", s)
		}
		if got := events(t, f, 2); !equal(got, []uint64{1, 2}) {
			t.Errorf("followed %v, want both", got)
		}
		_ = e.Close()
		e = mustOpen(t, fs.crash(nil), image.Options{})
		oneFloat(e)
		if err := kept(t, e, at(p, 4)); err != nil || !e.Status().Accepting {
			t.Errorf("Publish after the next start = %v", err)
		}
		if got := events(t, e.Resume(image.Position{}), 2); !equal(got, []uint64{1, 4}) {
			t.Errorf("kept events %v, want 1 and 4", got)
		}
		mustClose(t, e)
	})
}

// TestFullJournalWaitsForItsConsumers fills the journal while a consumer takes nothing.
func TestFullJournalWaitsForItsConsumers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := mustOpen(t, newMemFS(), tiny)
		p := oneFloat(e)
		if err := e.SaveCursor("slow", image.Position{}); err != nil {
			t.Fatal(err)
		}
		n := 0
		var err error
		for err == nil && n < 1e6 {
			n++
			err = kept(t, e, at(p, n))
			time.Sleep(20 * time.Millisecond) // there are checkpoints, and nothing is trimmed
		}
		refused := n
		if !errors.Is(err, journal.ErrFull) || uint64(n) != e.Seq()+1 || n < 250 {
			t.Fatalf("refused after %d changes with %v, newest %d", n, err, e.Seq())
		}
		if s, _ := e.State(p); s.Value.Float() != float64(n-1) {
			t.Errorf("state %v, want what was before the refusal", s.Value)
		}
		if s := e.Status(); s.Accepting || s.Used > s.Limit || s.Used < s.Limit*9/10 {
			t.Errorf("status %+v", s)
		}
		f := e.Resume(e.Cursors()["slow"])
		if got := events(t, f, refused-1); got[0] != 1 || got[len(got)-1] != uint64(refused-1) {
			t.Errorf("events %d to %d, want 1 to %d", got[0], got[len(got)-1], refused-1)
		}
		if err := e.SaveCursor("slow", image.At(e.Seq())); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		if err := kept(t, e, at(p, refused)); err != nil {
			t.Errorf("Publish after the consumer has taken everything: %v", err)
		}
		mustClose(t, e)
	})
}

// TestQuietChangesDoNotFillTheJournal has a consumer that takes nothing, and
// changes that are no events of it.
func TestQuietChangesDoNotFillTheJournal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := mustOpen(t, newMemFS(), tiny)
		p := e.Define([]image.Definition{{ID: "a", Type: point.Float, Gates: []mapping.Gate{{Deadband: 1e9}}}})[0]
		if err := e.SaveCursor("slow", image.Position{}); err != nil {
			t.Fatal(err)
		}
		for n := range 5000 {
			if err := kept(t, e, at(p, n)); err != nil {
				t.Fatalf("change %d: %v", n, err)
			}
			time.Sleep(20 * time.Millisecond)
		}
		if got := events(t, e.Resume(image.Position{}), 1); !equal(got, []uint64{0}) {
			t.Errorf("events %v, want the first change", got)
		}
		mustClose(t, e)
	})
}

// TestBusyDiskMakesPublishersWait has a disk that is slower than the publisher.
func TestBusyDiskMakesPublishersWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fs := newMemFS()
		e := mustOpen(t, fs, image.Options{Pending: 1000})
		p := oneFloat(e)
		fs.SetSyncTime(100 * time.Millisecond)
		start := time.Now()
		for n := 1; n <= 100; n++ {
			if err := e.Publish(t.Context(), []point.Update{at(p, n)}, nil); err != nil {
				t.Fatalf("change %d: %v", n, err)
			}
		}
		if d := time.Since(start); d < 200*time.Millisecond || e.Seq() != 100 {
			t.Errorf("%d changes after %v, want all of them, and that they have waited", e.Seq(), d)
		}
		fs.SetSyncTime(time.Minute)
		err := error(nil)
		for n := 0; err == nil && n < 1000; n++ {
			err = e.Publish(t.Context(), []point.Update{at(p, n)}, nil)
		}
		if !errors.Is(err, journal.ErrBusy) {
			t.Errorf("a disk that hangs: %v, want %v", err, journal.ErrBusy)
		}
		time.Sleep(3 * time.Minute)
		mustClose(t, e)
	})
}

func equal(a, b []uint64) bool { return slices.Equal(a, b) }

// events reads n changes and returns their values.
func events(t *testing.T, f image.Follower, n int) (values []uint64) {
	t.Helper()
	for len(values) < n {
		dst := make([]image.Change, 100)
		n, gap, err := f.Next(t.Context(), dst)
		if err != nil || gap > 0 {
			t.Fatalf("Next: gap %d, error %v", gap, err)
		}
		for _, c := range dst[:n] {
			values = append(values, uint64(c.Value.Float()))
		}
	}
	return values
}
