package image_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"busbar/internal/image"
	"busbar/internal/image/journal"
	"busbar/internal/point"
)

// read reads until nothing comes for a minute. It returns the changes and what
// was lost before each of them, the last number after them.
func read(t *testing.T, f image.Follower) (changes []uint64, gaps map[uint64]uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	gaps = map[uint64]uint64{}
	lost := uint64(0)
	for dst := make([]image.Change, 10); ; {
		n, gap, err := f.Next(ctx, dst)
		if lost += gap; errors.Is(err, context.DeadlineExceeded) {
			if lost > 0 {
				gaps[0] = lost
			}
			return changes, gaps
		}
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 && lost > 0 {
			gaps[dst[0].Seq], lost = lost, 0
		}
		for _, c := range dst[:n] {
			changes = append(changes, c.Seq)
		}
	}
}

func numbers(from, to uint64) (list []uint64) {
	for ; from <= to; from++ {
		list = append(list, from)
	}
	return list
}

// send publishes changes one by one and does not wait for the disk.
func send(t *testing.T, e *image.Embedded, p point.Index, from, to int) {
	t.Helper()
	for n := from; n <= to; n++ {
		if err := e.Publish(t.Context(), []point.Update{at(p, n)}, nil); err != nil {
			t.Fatalf("change %d: %v", n, err)
		}
	}
}

// TestFollowersThatFallBehind have a log in memory of 64 changes.
func TestFollowersThatFallBehind(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		run  func(t *testing.T, fs memFS, e *image.Embedded, p point.Index)
		want []uint64
		gaps map[uint64]uint64
	}{
		{"go on from the journal", func(t *testing.T, _ memFS, e *image.Embedded, p point.Index) {
			send(t, e, p, 1, 300)
		}, numbers(1, 300), nil},
		{"wait for what is not yet committed", func(t *testing.T, fs memFS, e *image.Embedded, p point.Index) {
			fs.SetSyncTime(10 * time.Second)
			send(t, e, p, 1, 300)
		}, numbers(1, 300), nil},
		{"have a gap where the disk was full", func(t *testing.T, fs memFS, e *image.Embedded, p point.Index) {
			send(t, e, p, 1, 20)
			synctest.Wait()
			fs.SetRoom(0)
			var batch []point.Update
			for n := 21; n <= 220; n++ {
				batch = append(batch, at(p, n))
			}
			if err := kept(t, e, batch...); !errors.Is(err, journal.ErrFull) {
				t.Fatalf("committed with %v, want %v", err, journal.ErrFull)
			}
			fs.SetRoom(-1)
			time.Sleep(20 * time.Second)
			send(t, e, p, 221, 320)
		}, append(numbers(1, 20), numbers(221, 320)...), map[uint64]uint64{221: 200}},
		{"have a gap where the disk has failed", func(t *testing.T, fs memFS, e *image.Embedded, p point.Index) {
			send(t, e, p, 1, 20)
			synctest.Wait()
			fs.SetSyncTime(time.Second)
			fs.SetHook(func(_ int, op, name string) error {
				if op == "sync" && strings.HasSuffix(name, ".seg") {
					return errors.New("I/O error")
				}
				return nil
			})
			send(t, e, p, 21, 220)
		}, append(numbers(1, 20), numbers(157, 220)...), map[uint64]uint64{157: 136}},
		{"have a gap where changes are not to be kept", func(t *testing.T, _ memFS, e *image.Embedded, p point.Index) {
			send(t, e, p, 1, 10)
			for range 100 {
				u := point.Update{Point: p, Quality: point.NotTopical, Flags: point.KeepValue | point.Restored}
				if err := e.Publish(t.Context(), []point.Update{u}, nil); err != nil {
					t.Fatal(err)
				}
			}
			send(t, e, p, 111, 112)
		}, append(numbers(1, 10), numbers(49, 112)...), map[uint64]uint64{49: 38}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fs := newMemFS()
				e := mustOpen(t, fs, image.Options{Log: 64})
				p := oneFloat(e)
				f := e.Follow(image.Every)
				tt.run(t, fs, e, p)
				got, gaps := read(t, f)
				if !equal(got, tt.want) {
					t.Errorf("changes %v, want %v", got, tt.want)
				}
				if len(gaps) != len(tt.gaps) {
					t.Errorf("gaps %v, want %v", gaps, tt.gaps)
				}
				for before, n := range tt.gaps {
					if gaps[before] != n {
						t.Errorf("gaps %v, want %v", gaps, tt.gaps)
					}
				}
				f.Close()
				if err := e.Close(); err != nil && !errors.Is(err, journal.ErrFailed) && e.Status().Failed {
					t.Error(err)
				}
			})
		})
	}
}

// TestFollowerOvertakenWhileItReads reads the journal slowly while the log in memory
// goes on, and never catches up before the end.
func TestFollowerOvertakenWhileItReads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := mustOpen(t, newMemFS(), image.Options{Log: 64, Segment: 4 << 10, Limit: 1 << 20})
		p := oneFloat(e)
		f := e.Resume(image.Position{})
		defer f.Close()
		sent, last := 0, uint64(0)
		for last < 3000 {
			if sent < 3000 {
				send(t, e, p, sent+1, sent+100)
				sent += 100
			}
			dst := make([]image.Change, 70)
			n, gap, err := f.Next(t.Context(), dst)
			if err != nil || gap > 0 {
				t.Fatalf("Next: gap %d, error %v", gap, err)
			}
			for _, c := range dst[:n] {
				if c.Seq != last+1 || c.Value.Float() != float64(c.Seq) {
					t.Fatalf("change %d with value %v after %d", c.Seq, c.Value, last)
				}
				last = c.Seq
			}
		}
		mustClose(t, e)
	})
}

// TestTrimmedPositionIsAGap resumes where nothing is kept any more.
func TestTrimmedPositionIsAGap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fs := newMemFS()
		e := mustOpen(t, fs, tiny)
		p := oneFloat(e)
		for n := 1; n <= 1000; n++ {
			if err := kept(t, e, at(p, n)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		mustClose(t, e)
		e = mustOpen(t, fs, tiny)
		oneFloat(e)
		got, gaps := read(t, e.Resume(image.Position{}))
		first := got[0]
		if first < 100 || !equal(got, numbers(first, 1000)) || len(gaps) != 1 || gaps[first] != first-1 {
			t.Errorf("changes from %d on, %d of them, gaps %v", first, len(got), gaps)
		}
		mustClose(t, e)
	})
}

// TestWaitingFollowersEndWithTheImage closes the image while followers wait for the
// log, and for the disk.
func TestWaitingFollowersEndWithTheImage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fs := newMemFS()
		e := mustOpen(t, fs, image.Options{Log: 64})
		p := oneFloat(e)
		ended := make(chan error)
		behind := e.Follow(image.Every)
		fs.SetSyncTime(time.Hour)
		send(t, e, p, 1, 100)
		for _, f := range []image.Follower{behind, e.Follow(image.Every)} {
			go func() {
				_, _, err := f.Next(t.Context(), make([]image.Change, 10))
				ended <- err
			}()
		}
		synctest.Wait()
		closed := make(chan error)
		go func() { closed <- e.Close() }()
		for range 2 {
			if err := <-ended; !errors.Is(err, image.ErrClosed) {
				t.Errorf("Next = %v, want %v", err, image.ErrClosed)
			}
		}
		if err := <-closed; err != nil {
			t.Error(err)
		}
		if err := e.SaveCursor("a", image.Position{}); !errors.Is(err, image.ErrClosed) {
			t.Errorf("SaveCursor = %v, want %v", err, image.ErrClosed)
		}
		if err := kept(t, e, at(p, 1)); !errors.Is(err, image.ErrClosed) || e.Status().Accepting {
			t.Errorf("Publish = %v, want %v", err, image.ErrClosed)
		}
	})
}
