package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/point"
)

var errNoSpace error = syscall.ENOSPC

// payload is what the tests store in record seq: the number in each octet
// group, so that a record tells by itself whether it is the right one.
func payload(seq uint64) []byte {
	b := make([]byte, 8, 100)
	binary.LittleEndian.PutUint64(b, seq*0x9e3779b97f4a7c15)
	for i := range int(seq % 83) {
		b = append(b, byte(seq)+byte(i))
	}
	return b
}

// places is a place in each class, the quiet one too.
type places [dictionary]uint64

func class(seq uint64) point.Class { return point.Class(seq * 7 % 11 % dictionary) }

// records returns the records from … to, both included.
func records(from, to uint64) []Record {
	var out []Record
	for seq := from; seq <= to; seq++ {
		out = append(out, Record{Seq: seq, Class: class(seq), Payload: payload(seq)})
	}
	return out
}

func mustOpen(t testing.TB, fs FS, opts Options) *Journal {
	t.Helper()
	j, err := Open(fs, opts)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func mustClose(t testing.TB, c io.Closer) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

// commit appends records and waits until they are committed.
func commit(j *Journal, batch []Record) error {
	done := make(chan error, 1)
	if err := j.Append(batch, func(err error) { done <- err }); err != nil {
		return err
	}
	return <-done
}

func mustCommit(t testing.TB, j *Journal, from, to uint64) {
	t.Helper()
	if err := commit(j, records(from, to)); err != nil {
		t.Fatal(err)
	}
}

// readAll reads everything after a position and checks that the order holds
// and that each record is what was appended.
func readRecords(t testing.TB, j *Journal, from places) (seqs []uint64, gaps []Gap) {
	t.Helper()
	r := j.Reader(Position(from[:point.Classes]), from[Quiet])
	defer mustClose(t, r)
	dst := make([]Record, 64)
	for {
		n, g, err := r.Next(dst)
		if err != nil {
			t.Fatal(err)
		}
		gaps = append(gaps, g...)
		if n == 0 && len(g) == 0 {
			return seqs, gaps
		}
		for _, rec := range dst[:n] {
			checkRecord(t, rec)
			if len(seqs) > 0 && rec.Seq <= seqs[len(seqs)-1] {
				t.Fatalf("record %d after record %d", rec.Seq, seqs[len(seqs)-1])
			}
			seqs = append(seqs, rec.Seq)
		}
	}
}

func checkRecord(t testing.TB, r Record) {
	t.Helper()
	if r.Class != class(r.Seq) || string(r.Payload) != string(payload(r.Seq)) {
		t.Fatalf("record %d: class %d, payload %x", r.Seq, r.Class, r.Payload)
	}
}

func sequence(from, to uint64) []uint64 {
	var out []uint64
	for seq := from; seq <= to; seq++ {
		out = append(out, seq)
	}
	return out
}

func TestRecordsAreReadInOrderAfterReopen(t *testing.T) {
	t.Parallel()
	for _, preallocate := range []bool{false, true} {
		t.Run(fmt.Sprintf("preallocate=%t", preallocate), func(t *testing.T) {
			t.Parallel()
			fs, err := NewDisk(t.TempDir() + "/journal")
			if err != nil {
				t.Fatal(err)
			}
			opts := Options{Segment: minSegment, Preallocate: preallocate}
			j := mustOpen(t, fs, opts)
			for from := uint64(1); from < 2000; from += 20 {
				mustCommit(t, j, from, from+19)
			}
			seqs, gaps := readRecords(t, j, places{})
			if diff := cmp.Diff(seqs, sequence(1, 2000)); diff != "" || len(gaps) > 0 {
				t.Fatalf("gaps %v, %s", gaps, diff)
			}
			mustClose(t, j)
			j = mustOpen(t, fs, opts)
			defer mustClose(t, j)
			mustCommit(t, j, 2001, 2010)
			seqs, gaps = readRecords(t, j, places{900, 950, 1000, 975})
			var want []uint64
			for _, seq := range sequence(1, 2010) {
				if seq > (places{900, 950, 1000, 975})[class(seq)] {
					want = append(want, seq)
				}
			}
			if diff := cmp.Diff(seqs, want); diff != "" || len(gaps) > 0 {
				t.Fatalf("gaps %v, %s", gaps, diff)
			}
			if r := j.Recovery(); len(r.Damage)+len(r.Torn) > 0 || j.Committed() != 2010 {
				t.Fatalf("recovery %+v, committed %d", r, j.Committed())
			}
		})
	}
}

func TestSecondProcessIsLockedOut(t *testing.T) {
	t.Parallel()
	fs, err := NewDisk(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	j := mustOpen(t, fs, Options{})
	if _, err := Open(fs, Options{}); !errors.Is(err, ErrLocked) {
		t.Fatalf("second open: %v", err)
	}
	mustClose(t, j)
	mustClose(t, mustOpen(t, fs, Options{}))
}

func TestAppendRefusesWhatBreaksTheContract(t *testing.T) {
	t.Parallel()
	j := mustOpen(t, newMemFS(), Options{})
	defer mustClose(t, j)
	mustCommit(t, j, 1, 10)
	for name, batch := range map[string][]Record{
		"sequence number repeated":  {{Seq: 10}},
		"sequence number goes back": {{Seq: 12}, {Seq: 11}},
		"unknown class":             {{Seq: 11, Class: Quiet + 1}},
		"payload too long":          {{Seq: 11, Payload: make([]byte, MaxRecord+1)}},
	} {
		if err := commit(j, batch); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := commit(j, nil); err != nil {
		t.Errorf("empty batch: %v", err)
	}
	long := []Record{{Seq: 11, Payload: make([]byte, MaxRecord)}}
	if err := commit(j, long); err != nil {
		t.Fatal(err)
	}
	r := j.Reader(Position{10, 10, 10}, 10)
	defer mustClose(t, r)
	dst := make([]Record, 4)
	if n, _, err := r.Next(dst); n != 1 || err != nil || len(dst[0].Payload) != MaxRecord {
		t.Fatalf("%d records, %v", n, err)
	}
}

func TestDefinitionsOutliveTheProcess(t *testing.T) {
	t.Parallel()
	fs := newMemFS()
	for life := range uint32(3) {
		j := mustOpen(t, fs, Options{})
		for id := life * 10; id < life*10+10; id++ {
			if err := j.Define(id, fmt.Appendf(nil, "point %d", id)); err != nil {
				t.Fatal(err)
			}
		}
		mustCommit(t, j, uint64(life)+1, uint64(life)+1)
		fs = fs.crash(nil)
		_ = j.Close() // of the process that lost its disk
		j = mustOpen(t, fs, Options{})
		next := uint32(0)
		err := j.Definitions(func(id uint32, payload []byte) error {
			if id != next || string(payload) != fmt.Sprintf("point %d", id) {
				t.Errorf("definition %d of %d: %q", id, next, payload)
			}
			next++
			return nil
		})
		if err != nil || next != life*10+10 {
			t.Fatalf("%d definitions in life %d: %v", next, life, err)
		}
		mustClose(t, j)
	}
}
