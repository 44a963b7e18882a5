package journal

import (
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"busbar/internal/point"
)

// TestReadersFollowGrowthAndTrim has readers that keep up, and slow ones that
// are trimmed away, beside publishers of checkpoints and cursors.
func TestReadersFollowGrowthAndTrim(t *testing.T) {
	t.Parallel()
	fs, err := NewDisk(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	const total = 20000
	j := mustOpen(t, fs, Options{Segment: minSegment, Preallocate: true})
	defer mustClose(t, j)
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() { followAll(t, j, total, 1+i*7) })
	}
	var stop atomic.Bool
	var trimmer sync.WaitGroup
	trimmer.Go(func() {
		for !stop.Load() {
			at := j.Committed()
			if err := j.Checkpoint(at, func(w io.Writer) error { _, err := fmt.Fprint(w, at); return err }); err != nil {
				t.Error(err)
			}
			for c := range point.Class(dictionary) {
				if err := j.Trim(c, at); err != nil {
					t.Error(err)
				}
			}
			if err := j.SaveCursor("follower", Position{at, at, at}); err != nil {
				t.Error(err)
			}
		}
	})
	for seq := uint64(1); seq <= total; seq += 10 {
		batch := records(seq, seq+9)
		if seq%1000 == 1 {
			mustCommit(t, j, seq, seq+9)
		} else if err := j.Append(batch, nil); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	stop.Store(true)
	trimmer.Wait()
	if d := j.Recovery().Damage; len(d) > 0 {
		t.Errorf("damage %v", d)
	}
}

// followAll reads up to record total and accounts for every record: it is read or
// in a gap of its class, exactly once.
func followAll(t *testing.T, j *Journal, total uint64, size int) {
	r := j.Reader(Position{}, 0)
	defer mustClose(t, r)
	dst := make([]Record, size)
	seen := make([]bool, total+1)
	left := total
	account := func(seq uint64) {
		if seq > total || seen[seq] {
			t.Errorf("record %d twice", seq)
			return
		}
		seen[seq] = true
		left--
	}
	last := uint64(0)
	for left > 0 && !t.Failed() {
		all := j.Committed() >= total
		n, gaps, err := r.Next(dst)
		if err != nil || all && n == 0 && len(gaps) == 0 {
			t.Errorf("%d records are neither read nor in a gap: %v", left, err)
			return
		}
		for _, g := range gaps {
			for seq := g.After + 1; seq < g.Before; seq++ {
				if class(seq) == g.Class {
					account(seq)
				}
			}
		}
		for _, rec := range dst[:n] {
			checkRecord(t, rec)
			if rec.Seq <= last {
				t.Errorf("record %d after %d", rec.Seq, last)
			}
			last = rec.Seq
			account(rec.Seq)
		}
		if n == 0 {
			runtime.Gosched()
		}
	}
}

func TestHotPathDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	fs, err := NewDisk(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	j := mustOpen(t, fs, Options{})
	defer mustClose(t, j)
	r := j.Reader(Position{}, 0)
	defer mustClose(t, r)
	batch := records(1, 1000)
	dst := make([]Record, 1000)
	done := make(chan error, 1)
	committed := func(err error) { done <- err }
	seq, last := uint64(0), uint64(0)
	allocs := testing.AllocsPerRun(50, func() {
		for i := range batch {
			seq++
			batch[i].Seq = seq
		}
		if err := j.Append(batch, committed); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		for n := 1; n > 0; {
			if n, _, err = r.Next(dst); err != nil {
				t.Fatal(err)
			}
			if n > 0 {
				last = dst[n-1].Seq
			}
		}
	})
	if allocs > 20 { // now and then a segment, a cursor file
		t.Errorf("%v allocations for 1,000 records", allocs)
	}
	if last != seq {
		t.Errorf("read up to %d of %d", last, seq)
	}
}
