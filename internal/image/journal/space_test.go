package journal

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/point"
)

func checkpoint(t *testing.T, j *Journal, seq uint64) {
	t.Helper()
	if err := j.Checkpoint(seq, func(w io.Writer) error { _, err := fmt.Fprint(w, seq); return err }); err != nil {
		t.Fatal(err)
	}
}

func trimAll(t *testing.T, j *Journal, seq uint64) {
	t.Helper()
	for c := range point.Class(dictionary) {
		if err := j.Trim(c, seq); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFullJournalRecoversWhenTrimmed(t *testing.T) {
	t.Parallel()
	fs := newMemFS()
	opts := Options{Segment: minSegment, Limit: 20 * minSegment}
	j := mustOpen(t, fs, opts)
	seq := uint64(0)
	var err error
	for err == nil && seq < 1e6 {
		if err = commit(j, records(seq+1, seq+10)); err == nil {
			seq += 10
		}
	}
	s := j.Status()
	if !errors.Is(err, ErrFull) || s.State != Full || !errors.Is(s.Cause, ErrFull) || s.Used > opts.Limit || s.Used < opts.Limit*9/10 {
		t.Fatalf("append: %v, status %+v", err, s)
	}
	if err := j.Define(7, nil); err != nil {
		t.Fatalf("define while full: %v", err)
	}
	trimAll(t, j, seq) // without a checkpoint nothing goes
	if j.Accepting() == nil {
		t.Fatal("accepts again without a checkpoint")
	}
	checkpoint(t, j, seq)
	if err := j.Trim(point.ClassCounter, 30); err != nil {
		t.Fatal(err)
	}
	if j.Accepting() == nil {
		t.Fatalf("accepts again with %d of %d octets used", j.Status().Used, opts.Limit)
	}
	trimAll(t, j, seq)
	if s := j.Status(); s.State != Accepting || s.Used > opts.Limit/4 || s.Segments[0] != 1 {
		t.Fatalf("status after trim %+v", s)
	}
	mustCommit(t, j, seq+1, seq+10)
	used := j.Status().Used
	mustClose(t, j)
	j = mustOpen(t, fs, opts)
	defer mustClose(t, j)
	if got := j.Status().Used; got != used {
		t.Errorf("%d octets used after reopen, %d before", got, used)
	}
}

func TestBatchThatNeverFitsDoesNotStopOthers(t *testing.T) {
	t.Parallel()
	j := mustOpen(t, newMemFS(), Options{Segment: minSegment, Limit: 8 * minSegment})
	defer mustClose(t, j)
	if err := commit(j, []Record{{Seq: 1, Payload: make([]byte, 9*minSegment)}}); !errors.Is(err, ErrFull) {
		t.Fatalf("append: %v", err)
	}
	mustCommit(t, j, 1, 10)
}

func TestFullDiskRecoversWhenThereIsRoom(t *testing.T) {
	t.Parallel()
	for _, preallocate := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			fs := newMemFS()
			j := mustOpen(t, fs, Options{Segment: minSegment, Limit: 1 << 20, Preallocate: preallocate})
			mustCommit(t, j, 1, 100)
			fs.SetRoom(1000)
			if err := j.Define(1, make([]byte, 2000)); err != nil {
				t.Fatal(err)
			}
			if err := commit(j, records(101, 400)); !errors.Is(err, ErrFull) || !errors.Is(err, errNoSpace) {
				t.Fatalf("committed with %v", err)
			}
			if s := j.Status(); s.State != NoSpace || s.Committed != 100 {
				t.Fatalf("status %+v", s)
			}
			if err := j.Append(records(401, 401), nil); !errors.Is(err, ErrFull) {
				t.Fatalf("append while full: %v", err)
			}
			if err := j.Define(2, make([]byte, 2000)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Second)
			if j.Accepting() == nil {
				t.Fatal("accepts without room")
			}
			fs.SetRoom(-1)
			time.Sleep(probeInterval + time.Millisecond)
			synctest.Wait()
			if err := j.Accepting(); err != nil {
				t.Fatalf("does not accept: %v", err)
			}
			mustCommit(t, j, 401, 500)
			_ = j.Close()
			j = mustOpen(t, fs.crash(nil), Options{})
			seqs, gaps := readRecords(t, j, places{})
			if diff := cmp.Diff(seqs, append(sequence(1, 100), sequence(401, 500)...)); diff != "" || len(gaps) > 0 {
				t.Fatalf("gaps %v, %s", gaps, diff)
			}
			var ids []uint32
			if err := j.Definitions(func(id uint32, _ []byte) error { ids = append(ids, id); return nil }); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(ids, []uint32{1, 2}); diff != "" || len(j.Recovery().Damage) > 0 {
				t.Fatalf("damage %v, definitions %s", j.Recovery().Damage, diff)
			}
			mustClose(t, j)
		})
	}
}

func TestTrimmedPositionIsAGap(t *testing.T) {
	t.Parallel()
	j := mustOpen(t, newMemFS(), Options{Segment: minSegment})
	defer mustClose(t, j)
	for from := uint64(1); from < 1000; from += 10 {
		mustCommit(t, j, from, from+9)
	}
	early := j.Reader(Position{}, 0)
	defer mustClose(t, early)
	dst := make([]Record, 5)
	if n, _, err := early.Next(dst); n != 5 || err != nil {
		t.Fatalf("%d records: %v", n, err)
	}
	checkpoint(t, j, 600)
	trimAll(t, j, 1000)
	seqs, gaps := readRecords(t, j, places{})
	if len(gaps) != dictionary {
		t.Fatalf("gaps %+v, want one in each class", gaps)
	}
	missing := map[uint64]bool{}
	for _, g := range gaps {
		if g.After != 0 || g.Before > 601 {
			t.Errorf("gap %+v, nothing above 600 may be trimmed", g)
		}
		for seq := g.After + 1; seq < g.Before; seq++ {
			if class(seq) == g.Class {
				missing[seq] = true
			}
		}
	}
	if len(seqs)+len(missing) != 1000 || len(missing) < 300 {
		t.Errorf("%d records read, %d in gaps", len(seqs), len(missing))
	}
	// A reader without a gap begins behind what was trimmed.
	from := places{}
	for _, g := range gaps {
		from[g.Class] = g.Before - 1
	}
	if again, gaps := readRecords(t, j, from); len(gaps) > 0 || !cmp.Equal(again, seqs) {
		t.Errorf("from %v: gaps %v, %d records, want %d", from, gaps, len(again), len(seqs))
	}
	// One that was in a segment reads it to its end.
	if n, gaps, err := early.Next(dst); n == 0 || len(gaps) > 0 || err != nil || dst[0].Seq != 6 {
		t.Errorf("reader in a trimmed segment: %d records, gaps %v, %v", n, gaps, err)
	}
}
