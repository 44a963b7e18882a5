package journal

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/point"
)

// statusRecords returns records of class status, so that they share a chain.
func statusRecords(from, to uint64) []Record {
	out := records(from, to)
	for i := range out {
		out[i].Class = point.ClassStatus
	}
	return out
}

// long returns longer payloads, of which fewer fill a segment.
func long(batch []Record) []Record {
	for i := range batch {
		batch[i].Payload = bytes.Repeat(batch[i].Payload, 12)
	}
	return batch
}

func TestTruncationLosesNothingBeforeIt(t *testing.T) {
	t.Parallel()
	base := newMemFS()
	j := mustOpen(t, base, Options{Segment: 64 << 10})
	seq := uint64(0)
	for len(j.chains[0].segs) < 2 || j.chains[0].newest().end < 61<<10 {
		if err := commit(j, long(statusRecords(seq+1, seq+4))); err != nil {
			t.Fatal(err)
		}
		seq += 4
	}
	unclosed := base.clone()
	unclosed.unproven(t)
	mustClose(t, j)
	name := j.chains[0].newest().name()
	data := base.Data(name)
	if len(data) < 60<<10 {
		t.Fatalf("last segment has %d octets", len(data))
	}
	ends := frameEnds(data)
	last := ends[0].seq - 1
	for cut := range data {
		for len(ends) > 0 && ends[0].off <= cut {
			last, ends = ends[0].seq, ends[1:]
		}
		truncateAt(t, unclosed, name, data, cut, last/4*4, false) // the newest group is there wholly or not at all
		if cut%8 == 0 {
			truncateAt(t, base, name, data, cut, last, true)
		}
		if t.Failed() {
			return
		}
	}
}

// frameEnds returns where each record of a segment ends.
func frameEnds(b []byte) (out []frameEnd) {
	for off := headerSize; off < len(b); {
		f, v := parse(b[off:], 0, 0, none)
		if v != whole {
			return out
		}
		off += f.size()
		if f.kind == kindRecord {
			out = append(out, frameEnd{off, f.seq})
		}
	}
	return out
}

type frameEnd struct {
	off int
	seq uint64
}

func truncateAt(t *testing.T, base *memFS, name string, data []byte, cut int, want uint64, closed bool) {
	t.Helper()
	fs := &memFS{base.With(name, data[:cut:cut])}
	opts, err := Options{Segment: 64 << 10}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	j := newJournal(fs, opts)
	if err := j.recover(); err != nil {
		t.Fatalf("cut at %d: %v", cut, err)
	}
	r := j.Reader(Position{want - 2}, 0)
	defer mustClose(t, r)
	var dst [1]Record
	for seq := want - 1; seq <= want; seq++ {
		n, _, err := r.Next(dst[:])
		if err != nil || n != 1 || dst[0].Seq != seq || !bytes.Equal(dst[0].Payload, bytes.Repeat(payload(seq), 12)) {
			t.Errorf("cut at %d: read %d records, %d in place of %d: %v", cut, n, dst[0].Seq, seq, err)
		}
	}
	if n, _, err := r.Next(dst[:]); n != 0 || err != nil {
		t.Errorf("cut at %d: record %d after the cut: %v", cut, dst[0].Seq, err)
	}
	if closed && len(j.Recovery().Damage) == 0 {
		t.Errorf("cut at %d: no damage reported", cut)
	}
	if cut%64 == 0 {
		j := mustOpen(t, fs, opts)
		defer mustClose(t, j)
		if err := commit(j, statusRecords(j.Committed()+1, j.Committed()+1)); err != nil {
			t.Errorf("cut at %d: append after it: %v", cut, err)
		}
	}
}

// TestBitFlipLosesOneRecord turns one bit anywhere in the segments. Only where nothing
// proves that the newest group was durable is it lost as a whole.
func TestBitFlipLosesOneRecord(t *testing.T) {
	t.Parallel()
	base := newMemFS()
	j := mustOpen(t, base, Options{Segment: 16 << 10})
	for from := uint64(1); from < 2400; from += 100 {
		mustCommit(t, j, from, from+99)
	}
	unclosed := base.clone()
	mustClose(t, j)
	for run := range uint64(1000) {
		rnd := rand.New(rand.NewPCG(run, 2))
		fs, closed := base.clone(), run%3 > 0
		if !closed {
			fs = unclosed.clone()
		}
		names := slices.DeleteFunc(names(fs), func(n string) bool { return !strings.HasSuffix(n, suffix) })
		name := names[rnd.IntN(len(names))]
		data := fs.Data(name)
		at := rnd.IntN(len(data))
		data[at] ^= 1 << rnd.IntN(8)
		fs.Put(name, data)
		checkFlip(t, fs, name, at, closed)
		if t.Failed() {
			return
		}
	}
}

func names(fs *memFS) []string {
	out, _ := fs.List()
	slices.Sort(out)
	return out
}

func checkFlip(t *testing.T, fs *memFS, name string, at int, closed bool) {
	t.Helper()
	alarms := 0
	j := mustOpen(t, fs, Options{Segment: 16 << 10, Damaged: func(Damage) { alarms++ }})
	defer mustClose(t, j)
	seqs, gaps := readRecords(t, j, places{})
	lost := 2400 - len(seqs)
	torn := !closed && lost == 100 && seqs[len(seqs)-1] == 2300 && len(j.Recovery().Torn) > 0
	if lost > 1 && !torn {
		t.Errorf("%s:%d: %d records lost", name, at, lost)
	}
	found := j.Recovery()
	if len(found.Damage) != alarms || closed && alarms == 0 || lost > 0 && alarms+len(found.Torn) == 0 {
		t.Errorf("%s:%d: %d records lost, %d alarms, recovery %+v", name, at, lost, alarms, found)
	}
	if lost == 1 && closed && len(gaps) != 1 {
		// Only behind the newest record of a chain can a gap not be seen.
		if chain, _, _ := parseSegmentName(name); j.chains[chain].newest().name() != name || len(gaps) > 0 {
			t.Errorf("%s:%d: gaps %v", name, at, gaps)
		}
	}
	for _, d := range found.Damage {
		if d.Records() < uint64(lost) || d.File != name {
			t.Errorf("%s:%d: %d records lost, damage %v of at most %d", name, at, lost, d, d.Records())
		}
	}
}

func TestMissingFilesAreReported(t *testing.T) {
	t.Parallel()
	base := newMemFS()
	j := mustOpen(t, base, Options{Segment: minSegment})
	for from := uint64(1); from < 1000; from += 10 {
		mustCommit(t, j, from, from+9)
	}
	mustClose(t, j)
	for _, name := range names(base) {
		if name == stateFile || name == otherState {
			continue
		}
		fs := base.clone()
		fs.Drop(name)
		j := mustOpen(t, fs, Options{Segment: minSegment})
		chain, first, _ := parseSegmentName(name)
		oldest := first == j.chains[chain].segs[0].before+1 || j.chains[chain].segs[0].before >= first
		if d := j.Recovery().Damage; !oldest && (len(d) != 1 || d[0].File != name) {
			t.Errorf("without %s: damage %v", name, d)
		}
		seqs, _ := readRecords(t, j, places{})
		if len(seqs) < 900 || len(seqs) >= 1000 {
			t.Errorf("without %s: %d records", name, len(seqs))
		}
		mustClose(t, j)
	}
}

// stateOf returns a journal of ten records with a cursor, and its state files.
func stateOf(t *testing.T) *memFS {
	t.Helper()
	fs := newMemFS()
	j := mustOpen(t, fs, Options{})
	mustCommit(t, j, 1, 10)
	if err := j.SaveCursor("scada", Position{4, 2, 3}); err != nil {
		t.Fatal(err)
	}
	mustClose(t, j)
	return fs
}

// spoil changes an octet of a file.
func (m *memFS) spoil(name string) {
	data := m.Data(name)
	data[20] ^= 7
	m.Put(name, data)
}

func TestOneStateFileIsEnough(t *testing.T) {
	t.Parallel()
	for _, name := range []string{stateFile, otherState} {
		for what, lose := range map[string]func(*memFS){
			"missing": func(fs *memFS) { fs.Drop(name) },
			"damaged": func(fs *memFS) { fs.spoil(name) },
			"empty":   func(fs *memFS) { fs.Put(name, nil) },
		} {
			t.Run(name+" "+what, func(t *testing.T) {
				t.Parallel()
				fs := stateOf(t)
				lose(fs)
				for range 2 {
					j := mustOpen(t, fs, Options{})
					if diff := cmp.Diff(map[string]Position{"scada": {4, 2, 3}}, j.Cursors()); diff != "" {
						t.Errorf("cursors (-want +got):\n%s", diff)
					}
					if d := j.Recovery().Damage; lose != nil && (len(d) != 1 || d[0].File != name) || lose == nil && len(d) > 0 {
						t.Errorf("damage %v", d)
					}
					mustClose(t, j)
					lose = nil // it was written again
				}
			})
		}
	}
}

func TestLostStateBeginsAtTheOldestRecords(t *testing.T) {
	t.Parallel()
	for what, lose := range map[string]func(*memFS, string){
		"missing": func(fs *memFS, name string) { fs.Drop(name) },
		"damaged": func(fs *memFS, name string) { fs.spoil(name) },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			fs := stateOf(t)
			lose(fs, stateFile)
			lose(fs, otherState)
			j := mustOpen(t, fs, Options{})
			if d := j.Recovery().Damage; len(d) != 1 || d[0].File != stateFile {
				t.Errorf("damage %v, want one of the state", d)
			}
			want := map[string]Position{Lost: {}}
			if diff := cmp.Diff(want, j.Cursors()); diff != "" {
				t.Errorf("cursors (-want +got):\n%s", diff)
			}
			if seqs, _ := readRecords(t, j, places{}); len(seqs) != 10 {
				t.Errorf("%d records", len(seqs))
			}
			mustClose(t, j)
			j = mustOpen(t, fs, Options{})
			defer mustClose(t, j)
			if diff := cmp.Diff(want, j.Cursors()); diff != "" || len(j.Recovery().Damage) > 0 {
				t.Errorf("damage %v; cursors after another start (-want +got):\n%s", j.Recovery().Damage, diff)
			}
		})
	}
}

// TestOneStateFileIsEnoughAtAnyTime loses either file at power cuts, while cursors are
// set, removed, and what they do not hold is trimmed.
func TestOneStateFileIsEnoughAtAnyTime(t *testing.T) {
	t.Parallel()
	for run := range uint64(60) {
		synctest.Test(t, func(t *testing.T) { loseOneState(t, run) })
	}
}

func loseOneState(t *testing.T, run uint64) {
	rnd := rand.New(rand.NewPCG(run, 11))
	fs := newMemFS()
	if run%3 > 0 {
		fs.CutAfter(20 + rnd.IntN(600))
	}
	j := mustOpen(t, fs, Options{Segment: minSegment, Limit: 1 << 20})
	at, named := map[string]uint64{}, map[string]uint64{} // by name: its cursor, and what was acknowledged since it is known
	last := uint64(0)
	for range 60 {
		if commit(j, records(last+1, last+100)) != nil {
			break
		}
		last += 100
		for name := range at {
			named[name] = last
		}
		name := fmt.Sprint("consumer ", rnd.IntN(2))
		if at[name] == 0 || rnd.IntN(3) == 0 {
			at[name] = max(at[name], last-uint64(rnd.IntN(50)))
			if err := j.SaveCursor(name, Position{at[name], at[name], at[name]}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Duration(rnd.IntN(90)) * time.Millisecond)
		trim(j)
	}
	_ = j.Close() // perhaps without power
	after := fs.crash(rnd)
	after.Drop(stateName(rnd.IntN(2)))
	j = mustOpen(t, after, Options{Segment: minSegment, Limit: 1 << 20})
	defer mustClose(t, j)
	for name, upTo := range named {
		pos, ok := j.Cursors()[name]
		if !ok || pos[0] > at[name] {
			t.Fatalf("run %d: cursor %s is %v, want at most %d", run, name, pos, at[name])
		}
		seqs, gaps := readRecords(t, j, places{pos[0], pos[1], pos[2]})
		if len(gaps) > 0 || len(seqs) > 0 && seqs[len(seqs)-1] < upTo {
			t.Fatalf("run %d: from %v there are %d records and gaps %v, want all up to %d", run, pos, len(seqs), gaps, upTo)
		}
	}
}

// trim removes what no cursor holds.
func trim(j *Journal) {
	for c := range point.Class(point.Classes) {
		to := j.Committed()
		for _, list := range []map[string]Position{j.Saved(), j.Cursors()} {
			for _, pos := range list {
				to = min(to, pos[c])
			}
		}
		j.floor.Store(j.Committed())
		_ = j.Trim(c, to) // it may fail without power
	}
}

// FuzzState reads arbitrary octets as a state file.
func FuzzState(f *testing.F) {
	fs := newMemFS()
	j, err := Open(fs, Options{})
	if err == nil {
		err = errors.Join(j.SaveCursor("a", Position{}), j.Close())
	}
	if err != nil {
		f.Fatal(err)
	}
	whole := fs.Data(stateFile)
	whole = whole[:len(whole)-trailerSize]
	f.Add(whole)
	f.Add(whole[:len(whole)-8])
	f.Add(whole[:stateHead])
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseState(b)
		if err == nil && (len(s.content) > len(b) || len(s.cursors) > len(b)) {
			t.Errorf("%d octets of content and %d cursors in %d octets", len(s.content), len(s.cursors), len(b))
		}
	})
}

// FuzzSegment reads arbitrary octets as the newest and as an older segment.
func FuzzSegment(f *testing.F) {
	base := newMemFS()
	j := mustOpen(f, base, Options{Segment: minSegment})
	for from := uint64(1); from < 200; from += 20 {
		if err := commit(j, statusRecords(from, from+19)); err != nil {
			f.Fatal(err)
		}
	}
	mustClose(f, j)
	segments := slices.DeleteFunc(names(base), func(n string) bool { return !strings.HasSuffix(n, suffix) })
	for _, name := range segments {
		data := base.Data(name)
		f.Add(data, true)
		f.Add(data[:len(data)-7], false)
		f.Add(slices.Concat(data[:100], data[160:]), false)
	}
	f.Add(make([]byte, 500), true)
	f.Fuzz(func(t *testing.T, b []byte, newest bool) {
		if len(b) > 1<<20 {
			return
		}
		fs := base.clone()
		name := segments[0]
		if newest {
			name = segments[len(segments)-1]
		}
		fs.Put(name, b)
		j := mustOpen(t, fs, Options{Segment: minSegment})
		defer mustClose(t, j)
		r := j.Reader(Position{}, 0)
		defer mustClose(t, r)
		last := uint64(0)
		for dst := make([]Record, 16); ; {
			n, gaps, err := r.Next(dst)
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			for _, rec := range dst[:n] {
				if rec.Seq <= last {
					t.Fatalf("record %d after record %d", rec.Seq, last)
				}
				last = rec.Seq
			}
			if n == 0 && len(gaps) == 0 {
				return
			}
		}
	})
}
