package journal

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"

	"busbar/internal/point"
)

// promises is what the journal has promised so far.
type promises struct {
	mu         sync.Mutex
	acked      map[uint64]bool
	ends       map[uint64]bool // records that end a batch which was appended
	defined    map[uint32]bool // definitions that acknowledged records need
	done       places          // trimmed at most up to here
	cursor     Position        // as far as it was ever set
	checkpoint uint64          // newest that was stored
}

func (p *promises) ack(batch []Record, from, to uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range batch {
		p.acked[r.Seq] = true
	}
	for id := from; id <= to; id++ {
		p.defined[id] = true
	}
}

// append notes that a batch is appended.
func (p *promises) append(end uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ends[end] = true
}

// TestPowerCutLosesNothingAcknowledged cuts the power at random moments, in
// several lives of the same directory, also while it is opened. What is there
// afterwards is a beginning of what was appended, over all classes, and ends with a
// whole batch.
func TestPowerCutLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	for run := range uint64(1000) {
		rnd := rand.New(rand.NewPCG(run, 1))
		fs := newMemFS()
		p := &promises{acked: map[uint64]bool{}, ends: map[uint64]bool{0: true}, defined: map[uint32]bool{}}
		for life := range 3 {
			fs.CutAfter(1 + rnd.IntN(160))
			live(fs, p, rnd, run%2 == 0)
			if rnd.IntN(8) == 0 {
				rnd = rand.New(rand.NewPCG(run, uint64(life)))
				fs = fs.crash(nil)
			} else {
				fs = fs.crash(rnd)
			}
			if rnd.IntN(2) == 0 { // and again while it recovers
				fs.CutAfter(1 + rnd.IntN(40))
				if j, err := Open(fs, cutOptions(false)); err == nil {
					_ = j.Close()
				}
				fs = fs.crash(rnd)
			}
			p.check(t, fs, fmt.Sprintf("run %d, life %d", run, life))
			if t.Failed() {
				return
			}
		}
	}
}

func cutOptions(preallocate bool) Options {
	return Options{Segment: minSegment, Limit: 1 << 20, Preallocate: preallocate}
}

// live is a process that appends, reads, saves cursors, trims and stores
// checkpoints until the power is cut.
func live(fs *memFS, p *promises, rnd *rand.Rand, preallocate bool) {
	j, err := Open(fs, cutOptions(preallocate))
	if err != nil {
		return
	}
	defer j.Close() //nolint:errcheck // without power
	seq := j.Committed()
	defined := uint32(0)
	if err := j.Definitions(func(id uint32, _ []byte) error { defined = id; return nil }); err != nil {
		return
	}
	since := defined + 1
	var wg sync.WaitGroup
	defer wg.Wait()
	for j.Status().State != Failed {
		if rnd.IntN(4) == 0 {
			defined++
			if j.Define(defined, []byte("definition")) != nil {
				return
			}
		}
		batch := records(seq+1, seq+1+rnd.Uint64N(40))
		seq += uint64(len(batch))
		p.append(seq)
		needs := defined
		wg.Add(1)
		err := j.Append(batch, func(err error) {
			defer wg.Done()
			if err == nil {
				p.ack(batch, since, needs)
			}
		})
		if err != nil {
			wg.Done()
			return
		}
		if rnd.IntN(3) == 0 {
			wg.Wait()
			p.consume(j, rnd, seq)
		}
	}
}

// consume does what consumers and the image do.
func (p *promises) consume(j *Journal, rnd *rand.Rand, seq uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch rnd.IntN(4) {
	case 0:
		// Sometimes ahead of what is committed.
		p.cursor = Position{seq, seq + 50, j.Committed()}
		_ = j.SaveCursor("scada", p.cursor)
		if rnd.IntN(2) == 0 {
			j.save()
		}
	case 1:
		at := j.Committed()
		if j.Checkpoint(at, func(w io.Writer) error { _, err := fmt.Fprint(w, at); return err }) == nil {
			p.checkpoint = at
		}
	case 2:
		to := j.Committed() - min(j.Committed(), 100)
		c := point.Class(rnd.IntN(dictionary))
		p.done[c] = max(p.done[c], min(to, p.checkpoint))
		_ = j.Trim(c, to)
	}
}

func (p *promises) check(t *testing.T, fs *memFS, name string) {
	t.Helper()
	fs.SetHook(nil)
	j := mustOpen(t, fs, cutOptions(false))
	defer mustClose(t, j)
	if r := j.Recovery(); len(r.Damage) > 0 {
		t.Errorf("%s: damage %v", name, r.Damage)
	}
	seqs, gaps := readRecords(t, j, places{})
	for _, g := range gaps {
		if g.Before-1 > p.done[g.Class] {
			t.Errorf("%s: gap %+v, trimmed at most to %d", name, g, p.done)
		}
	}
	there := map[uint64]bool{}
	for _, seq := range seqs {
		there[seq] = true
	}
	newest := j.Committed()
	if n := len(seqs); n > 0 && seqs[n-1] > newest {
		t.Errorf("%s: committed %d, newest record %d", name, newest, seqs[n-1])
	}
	for seq := range p.acked {
		if seq > newest {
			t.Fatalf("%s: record %d was acknowledged, committed is %d", name, seq, newest)
		}
	}
	for seq := uint64(1); seq <= newest; seq++ {
		if !there[seq] && seq > p.done[class(seq)] {
			t.Fatalf("%s: record %d is not there, the newest is %d, acknowledged %t", name, seq, newest, p.acked[seq])
		}
	}
	if !p.ends[newest] {
		t.Errorf("%s: the newest record is %d, in the middle of a batch", name, newest)
	}
	maps.DeleteFunc(p.ends, func(seq uint64, _ bool) bool { return seq > newest }) // numbers that are given again
	for cursor, pos := range j.Cursors() {
		for c, seq := range pos {
			if seq > j.Committed() || seq > p.cursor[c] {
				t.Errorf("%s: cursor %s is at %d, was set to %d, committed is %d", name, cursor, pos, p.cursor, j.Committed())
			}
		}
	}
	p.checkRest(t, j, name)
}

func (p *promises) checkRest(t *testing.T, j *Journal, name string) {
	t.Helper()
	missing := maps.Clone(p.defined)
	err := j.Definitions(func(id uint32, _ []byte) error { delete(missing, id); return nil })
	if err != nil || len(missing) > 0 {
		t.Errorf("%s: definitions %v missing: %v", name, missing, err)
	}
	seq, r, err := j.LoadCheckpoint()
	if err != nil || seq < p.checkpoint {
		t.Errorf("%s: checkpoint %d, want %d: %v", name, seq, p.checkpoint, err)
	}
	if r == nil {
		return
	}
	defer mustClose(t, r)
	if b, err := io.ReadAll(r); err != nil || string(b) != fmt.Sprint(seq) {
		t.Errorf("%s: checkpoint %d holds %q: %v", name, seq, b, err)
	}
}

// TestNothingIsAcknowledgedBeforeItIsSynced looks at the disk in each callback.
func TestNothingIsAcknowledgedBeforeItIsSynced(t *testing.T) {
	t.Parallel()
	fs := newMemFS()
	j := mustOpen(t, fs, Options{Segment: minSegment})
	defer mustClose(t, j)
	order := make(chan uint64, 1000)
	for seq := uint64(1); seq <= 1000; seq++ {
		err := j.Append(records(seq, seq), func(err error) {
			if err != nil {
				t.Error(err)
			}
			if !fs.hasDurable(seq) {
				t.Errorf("record %d acknowledged and not durable", seq)
			}
			order <- seq
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for want := range uint64(1000) {
		if got := <-order; got != want+1 {
			t.Fatalf("callback of %d in place of %d", got, want+1)
		}
	}
}

func TestNothingIsAcknowledgedBeforeNewCursorsAreSaved(t *testing.T) {
	t.Parallel()
	fs := newMemFS()
	j := mustOpen(t, fs, Options{Segment: minSegment})
	defer mustClose(t, j)
	for seq := uint64(1); seq <= 50; seq++ {
		name := fmt.Sprintf("consumer %d", seq)
		if err := j.SaveCursor(name, Position{seq - 1, seq - 1, seq - 1}); err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		err := j.Append(records(seq, seq), func(err error) {
			if err != nil {
				t.Error(err)
			}
			for _, s := range fs.durableStates(t) { // either may be lost
				if pos, ok := s.cursors[name]; !ok || pos[0] > seq-1 {
					t.Errorf("record %d acknowledged, and of the new cursor there is %v, %v", seq, pos, ok)
				}
			}
			close(done)
		})
		if err != nil {
			t.Fatal(err)
		}
		<-done
	}
}

// durableCursors returns the cursors that a power cut now would leave.
func (m *memFS) durableCursors(t *testing.T) (cursors map[string]Position) {
	t.Helper()
	var younger state
	for _, s := range m.durableStates(t) {
		if s.generation > younger.generation {
			younger = s
		}
	}
	return younger.cursors
}

// durableStates returns what a power cut now would leave of the state files.
func (m *memFS) durableStates(t *testing.T) (states []state) {
	t.Helper()
	m.Durable(func(name string, b []byte) {
		if name != stateFile && name != otherState {
			return
		}
		s, err := parseState(b[:len(b)-trailerSize])
		if err != nil {
			t.Error(err)
		}
		states = append(states, s)
	})
	return states
}

// unproven leaves nothing in the state files of what was durable.
func (m *memFS) unproven(t *testing.T) {
	t.Helper()
	fresh := newMemFS()
	mustClose(t, mustOpen(t, fresh, Options{}))
	for i := range 2 {
		m.Put(stateName(i), fresh.Data(stateName(i)))
	}
}

// hasDurable says whether a power cut now would leave record seq.
func (m *memFS) hasDurable(seq uint64) (found bool) {
	m.Durable(func(name string, b []byte) {
		chain, first, ok := parseSegmentName(name)
		if !ok || chain != int(class(seq)) || first > seq || found {
			return
		}
		for b = b[headerSize:]; len(b) > 0; {
			f, v := parse(b, chain, 0, none)
			if v != whole {
				return
			}
			if f.kind == kindRecord && f.seq == seq {
				found = string(f.payload) == string(payload(seq))
				return
			}
			b = b[f.size():]
		}
	})
	return found
}

func TestFailedSyncStopsForGood(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"sync", "syncdir", "write"} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			fs := newMemFS()
			j := mustOpen(t, fs, Options{Segment: minSegment})
			mustCommit(t, j, 1, 50)
			broken := errors.New("I/O error")
			syncs := map[string]int{}
			fs.SetHook(func(_ int, did, name string) error {
				if _, _, ok := parseSegmentName(name); !ok && did != "syncdir" {
					return nil
				}
				if did == "sync" {
					syncs[name]++
				}
				if did == op {
					return broken
				}
				return nil
			})
			if err := commit(j, records(51, 350)); !errors.Is(err, ErrFailed) || !errors.Is(err, broken) {
				t.Fatalf("committed with %v", err)
			}
			if err := j.Append(records(351, 351), nil); !errors.Is(err, ErrFailed) {
				t.Fatalf("append after it: %v", err)
			}
			if err := j.Define(1, nil); !errors.Is(err, ErrFailed) {
				t.Fatalf("define after it: %v", err)
			}
			if s := j.Status(); s.State != Failed || !errors.Is(s.Cause, broken) || s.Committed != 50 {
				t.Fatalf("status %+v", s)
			}
			for name, n := range syncs {
				if n > 2 { // the header, and the group that failed
					t.Errorf("%s was synced %d times", name, n)
				}
			}
			if seqs, _ := readRecords(t, j, places{}); len(seqs) != 50 {
				t.Fatalf("%d records", len(seqs))
			}
			_ = j.Close()
			after := fs.crash(nil)
			j = mustOpen(t, after, Options{})
			defer mustClose(t, j)
			mustCommit(t, j, 351, 360)
			seqs, _ := readRecords(t, j, places{})
			if r := j.Recovery(); len(seqs) != 60 || len(r.Damage) > 0 {
				t.Fatalf("%d records, recovery %+v", len(seqs), r)
			}
		})
	}
}
