package journal

import (
	"errors"
	"fmt"
	"io"
	"strings"
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
	if err := commit(j, nil); err != nil {
		t.Fatalf("an empty batch while full, which tells that the definition is kept: %v", err)
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

// TestRefusalTakesAlongWhatFollows has a group for which there is no room, and one
// that was appended meanwhile and would fit.
func TestRefusalTakesAlongWhatFollows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fs := newMemFS()
		type settled struct {
			upTo uint64
			err  error
		}
		var told []settled
		j := mustOpen(t, fs, Options{Segment: minSegment, Limit: 1 << 20, Settled: func(upTo uint64, err error) {
			told = append(told, settled{upTo, err})
		}})
		mustCommit(t, j, 1, 10)
		appended := make(chan bool)
		full := true
		fs.SetHook(func(_ int, op, name string) error {
			if op == "write" && full && strings.HasSuffix(name, suffix) {
				full = false
				<-appended
				return errNoSpace
			}
			return nil
		})
		results := make(chan error, 2)
		if err := j.Append(records(11, 40), func(err error) { results <- err }); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := j.Append(records(41, 42), func(err error) { results <- err }); err != nil {
			t.Fatal(err)
		}
		close(appended)
		for range 2 {
			if err := <-results; !errors.Is(err, errNoSpace) {
				t.Errorf("committed with %v, want %v", err, errNoSpace)
			}
		}
		if j.Settled() != 42 || j.Committed() != 10 {
			t.Errorf("settled %d, committed %d, want 42 and 10", j.Settled(), j.Committed())
		}
		time.Sleep(2 * probeInterval)
		mustCommit(t, j, 43, 50)
		if n := len(told); told[0] != (settled{10, nil}) || told[1].upTo != 42 || !errors.Is(told[1].err, errNoSpace) || told[n-1] != (settled{50, nil}) {
			t.Errorf("told %v, want 10 committed, up to 42 refused and 50 committed", told)
		}
		mustClose(t, j)
		j = mustOpen(t, fs, Options{})
		if seqs, _ := readRecords(t, j, places{}); !cmp.Equal(seqs, append(sequence(1, 10), sequence(43, 50)...)) {
			t.Errorf("records %v", seqs)
		}
		mustClose(t, j)
	})
}

func TestAdmittedIsTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fs := newMemFS()
		j := mustOpen(t, fs, Options{Segment: minSegment, Limit: 8 * minSegment, Pending: 2000})
		size := func(batch []Record) (octets int64) {
			for _, r := range batch {
				octets += int64(len(r.Payload))
			}
			return octets
		}
		fs.SetSyncTime(time.Second)
		seq, refused := uint64(0), map[error]int{}
		for range 1000 {
			batch := records(seq+1, seq+7)
			if err := j.Admit(len(batch), size(batch)); err != nil {
				for _, is := range []error{ErrFull, ErrBusy} {
					if errors.Is(err, is) {
						refused[is]++
					}
				}
				time.Sleep(time.Second)
				continue
			}
			if err := j.Append(batch, nil); err != nil {
				t.Fatalf("batch from %d was admitted, and not taken: %v", seq+1, err)
			}
			seq += 7
			if s := j.Status(); s.Queued == 0 || s.Lag < 0 || s.Lag > 3*time.Second {
				t.Errorf("status %+v with a batch on its way", s)
			}
		}
		if refused[ErrBusy] == 0 || refused[ErrFull] == 0 || len(refused) != 2 {
			t.Errorf("refused %v, want that it was busy, and full at the end", refused)
		}
		if s := j.Status(); s.State != Full || s.Queued != 0 || s.Lag != 0 {
			t.Errorf("status %+v at the end", s)
		}
		mustClose(t, j)
	})
}

// TestGapsOutliveAFailedRead has gaps in all classes, and cannot open a file of the last
// one at first.
func TestGapsOutliveAFailedRead(t *testing.T) {
	t.Parallel()
	fs := newMemFS()
	j := mustOpen(t, fs, Options{Segment: minSegment})
	defer mustClose(t, j)
	for from := uint64(1); from < 1000; from += 10 {
		mustCommit(t, j, from, from+9)
	}
	checkpoint(t, j, 600)
	trimAll(t, j, 600)
	broken := errors.New("I/O error")
	fs.SetHook(func(_ int, op, name string) error {
		if op == "open" && strings.HasPrefix(name, chainName(int(Quiet))) {
			return broken
		}
		return nil
	})
	r := j.Reader(Position{}, 0)
	defer mustClose(t, r)
	dst := make([]Record, 5)
	for range 2 {
		if n, gaps, err := r.Next(dst); n != 0 || len(gaps) > 0 || !errors.Is(err, broken) {
			t.Fatalf("%d records, gaps %v: %v", n, gaps, err)
		}
	}
	fs.SetHook(nil)
	for want := dictionary; want >= 0; want -= dictionary {
		if n, gaps, err := r.Next(dst); n != 5 || len(gaps) != want || err != nil {
			t.Fatalf("%d records, gaps %v: %v", n, gaps, err)
		}
	}
}
