package journal

import (
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBatchesShareASync(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fs := newMemFS()
		j := mustOpen(t, fs, Options{})
		mustCommit(t, j, 1, 30) // begins all segments
		fs.SetSyncTime(10 * time.Millisecond)
		start := time.Now()
		var at []time.Duration
		for seq := uint64(31); seq <= 130; seq++ {
			batch := records(seq, seq)
			batch[0].Class = 0
			if err := j.Append(batch, func(error) { at = append(at, time.Since(start)) }); err != nil {
				t.Fatal(err)
			}
			if seq == 31 {
				synctest.Wait() // the first is committed at once, the others wait for its sync
			}
		}
		if time.Since(start) > 0 {
			t.Fatal("append waited for the disk")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		for i, d := range at {
			want := 20 * time.Millisecond
			if i == 0 {
				want = 10 * time.Millisecond
			}
			if d != want {
				t.Fatalf("batch %d committed after %v, want %v", i, d, want)
			}
		}
		if s := j.Status(); len(at) != 100 || s.Groups != 3 || s.Records != 130 {
			t.Fatalf("%d callbacks, status %+v", len(at), s)
		}
		mustClose(t, j)
	})
}

func TestSlowDiskBoundsWhatWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fs := newMemFS()
		fs.SetSyncTime(time.Minute)
		j := mustOpen(t, fs, Options{Pending: 64 << 10})
		var err error
		seq := uint64(0)
		for err == nil && seq < 10000 {
			seq++
			err = j.Append(records(seq, seq), nil)
		}
		if s := j.Status(); !errors.Is(err, ErrBusy) || s.Pending > 64<<10 || s.Pending < 60<<10 || s.State != Accepting {
			t.Fatalf("append: %v, status %+v", err, s)
		}
		time.Sleep(time.Hour)
		if s := j.Status(); s.Pending != 0 || s.Committed != seq-1 {
			t.Fatalf("status %+v", s)
		}
		mustCommit(t, j, seq, seq)
		mustClose(t, j)
	})
}

func TestCursorsAreSavedSoonAndNeverAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fs := newMemFS()
		j := mustOpen(t, fs, Options{})
		mustCommit(t, j, 1, 30)
		save := func(name string, p Position) {
			if err := j.SaveCursor(name, p); err != nil {
				t.Fatal(err)
			}
		}
		save("a", Position{10, 20, 30})
		save("dropped", Position{1, 1, 1})
		j.DropCursor("dropped")
		time.Sleep(100 * time.Millisecond)
		if diff := cmp.Diff(savedCursors(t, fs), map[string]Position{"a": {10, 20, 30}}); diff != "" {
			t.Fatal(diff)
		}
		fs.SetSyncTime(300 * time.Millisecond)
		if err := j.Append(records(31, 60), nil); err != nil {
			t.Fatal(err)
		}
		save("b", Position{60, 40, 20})
		time.Sleep(500 * time.Millisecond) // state saved, records not yet synced
		if diff := cmp.Diff(savedCursors(t, fs)["b"], Position{30, 30, 20}); diff != "" {
			t.Fatal(diff)
		}
		time.Sleep(5 * time.Second)
		if diff := cmp.Diff(savedCursors(t, fs)["b"], Position{60, 40, 20}); diff != "" {
			t.Fatal(diff)
		}
		if diff := cmp.Diff(j.Cursors(), savedCursors(t, fs)); diff != "" {
			t.Fatal(diff)
		}
		mustClose(t, j)
	})
}

// savedCursors returns what a power cut now would leave.
func savedCursors(t *testing.T, fs *memFS) map[string]Position {
	t.Helper()
	return fs.durableCursors(t)
}

func TestCursorSaveIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fs := newMemFS()
		j := mustOpen(t, fs, Options{})
		mustCommit(t, j, 1, 30)
		fs.SetRoom(0)
		if err := j.SaveCursor("a", Position{1, 2, 3}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		if err := j.Status().SaveError; !errors.Is(err, errNoSpace) {
			t.Fatalf("save error %v", err)
		}
		fs.SetRoom(-1)
		time.Sleep(1100 * time.Millisecond)
		if err := j.Status().SaveError; err != nil || len(savedCursors(t, fs)) != 1 {
			t.Fatalf("save error %v, saved %v", err, savedCursors(t, fs))
		}
		mustClose(t, j)
	})
}

func TestDamagedCheckpointGivesTheOneBefore(t *testing.T) {
	t.Parallel()
	fs := newMemFS()
	j := mustOpen(t, fs, Options{})
	mustCommit(t, j, 1, 30)
	if err := j.Checkpoint(31, func(io.Writer) error { return nil }); !errors.Is(err, ErrInvalid) {
		t.Fatalf("checkpoint ahead of the commit: %v", err)
	}
	for seq := uint64(10); seq <= 30; seq += 10 {
		checkpoint(t, j, seq)
	}
	failed := errors.New("no state")
	if err := j.Checkpoint(30, func(io.Writer) error { return failed }); !errors.Is(err, failed) {
		t.Fatalf("checkpoint that fails: %v", err)
	}
	mustClose(t, j)
	fs = fs.crash(nil)
	wantCheckpoint(t, fs, 30, "30", 0)
	b := fs.Data(checkpointName(30))
	b[1] ^= 4
	fs.Put(checkpointName(30), b)
	wantCheckpoint(t, fs, 20, "20", 1)
	fs.Put(checkpointName(20), nil)
	wantCheckpoint(t, fs, 0, "", 2)
}

func wantCheckpoint(t *testing.T, fs *memFS, seq uint64, content string, damage int) {
	t.Helper()
	j := mustOpen(t, fs, Options{})
	defer mustClose(t, j)
	got, r, err := j.LoadCheckpoint()
	if err != nil || got != seq || len(j.Recovery().Damage) != damage {
		t.Fatalf("checkpoint %d: %v, damage %v", got, err, j.Recovery().Damage)
	}
	if (r == nil) != (content == "") {
		t.Fatalf("checkpoint %d: reader %v", got, r)
	}
	if r == nil {
		return
	}
	defer mustClose(t, r)
	if b, err := io.ReadAll(r); err != nil || string(b) != content {
		t.Fatalf("checkpoint %d holds %q: %v", got, b, err)
	}
}
