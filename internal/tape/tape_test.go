package tape

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
)

// texts reads what a tape holds.
func texts(t *Tape) (all []string) {
	t.Reader().Read(func(r Record) bool {
		all = append(all, string(r.Octets))
		return true
	})
	return all
}

func TestTapeKeepsTheLast(t *testing.T) {
	t.Parallel()
	d := NewDeck(Limits{Link: 4096})
	tp := d.Open(Link{ID: "a.1"})
	var want []string
	for i := range 10_000 {
		text := fmt.Sprintf("%d:%s", i, bytes.Repeat([]byte{'x'}, rand.IntN(300)))
		tp.Record(i%2 == 0, []byte(text))
		want = append(want, text)
		if i%97 != 0 {
			continue
		}
		got := texts(tp)
		if len(got) == 0 || len(got) > len(want) {
			t.Fatalf("%d records of %d", len(got), len(want))
		}
		octets := 0
		for n, text := range got {
			if text != want[len(want)-len(got)+n] {
				t.Fatalf("record %d is %q, want %q", n, text, want[len(want)-len(got)+n])
			}
			octets += len(text) + headerSize
		}
		if octets > 4096 || len(got) < len(want) && octets < 4096-headerSize-310 {
			t.Fatalf("%d octets in a ring of 4096", octets)
		}
	}
}

func TestReaderIsToldOfAGap(t *testing.T) {
	t.Parallel()
	d := NewDeck(Limits{Link: 1024})
	tp := d.Open(Link{})
	r := tp.Newest()
	for i := range 100 {
		tp.Record(true, binary.LittleEndian.AppendUint32(make([]byte, 36), uint32(i)))
	}
	n, last := 0, uint64(0)
	lost := r.Read(func(rec Record) bool { n, last = n+1, rec.Position; return true })
	if n == 0 || lost != uint64(100-n)*(headerSize+40) || last != 99*(headerSize+40) {
		t.Errorf("%d records up to %d, %d octets lost", n, last, lost)
	}
	if lost := r.Read(func(Record) bool { t.Error("read twice"); return true }); lost != 0 {
		t.Errorf("%d octets lost, want none", lost)
	}
}

func TestWhatIsTooLongIsAGap(t *testing.T) {
	t.Parallel()
	d := NewDeck(Limits{Link: 1024})
	tp := d.Open(Link{})
	tp.Record(true, []byte("before"))
	tp.Record(true, make([]byte, 2000))
	tp.Record(false, []byte("after"))
	if got := texts(tp); len(got) != 1 || got[0] != "after" {
		t.Errorf("tape holds %q, want what came after", got)
	}
}

// TestMemoryIsBounded opens and ends many links that all write as much as they can.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	const total = 1 << 20
	d := NewDeck(Limits{Link: 64 << 10, Total: total})
	frame := make([]byte, 200)
	var open []*Tape
	for i := range 3000 {
		tp := d.Open(Link{ID: fmt.Sprint(i)})
		open = append(open, tp)
		for range 20 {
			open[rand.IntN(len(open))].Record(true, frame)
		}
		for range 100 {
			tp.Record(false, frame)
		}
		if i%3 == 0 {
			n := rand.IntN(len(open))
			open[n].End()
			open = append(open[:n], open[n+1:]...)
		}
		if i%50 == 0 && d.Octets() > total {
			t.Fatalf("%d octets with %d links, want at most %d", d.Octets(), len(open), total)
		}
	}
	if got := d.Octets(); got > total {
		t.Fatalf("%d octets, want at most %d", got, total)
	}
	for _, tp := range open {
		tp.End()
	}
	if n := len(d.Tapes()); n > maxClosed || n == 0 {
		t.Errorf("%d tapes of ended links, want up to %d", n, maxClosed)
	}
}

func TestTapesMayBeUsedTogether(t *testing.T) {
	t.Parallel()
	d := NewDeck(Limits{Link: 8 << 10, Total: 256 << 10})
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for i := range 50 {
				tp := d.Open(Link{Connector: "c", Conn: uint64(i)})
				for range 200 {
					tp.Record(true, make([]byte, 1+n*40))
				}
				tp.Name(func(l *Link) { l.Certificate = "CN=x" })
				for _, other := range d.Tapes() {
					other.Reader().Read(func(r Record) bool { return len(r.Octets) > 0 })
				}
				tp.End()
				tp.Record(true, []byte{1})
			}
		})
	}
	all.Wait()
}

func TestWithoutADeckNothingHappens(t *testing.T) {
	t.Parallel()
	var d *Deck
	tp := d.Open(Link{})
	tp.Record(true, []byte{1})
	tp.Name(func(*Link) { t.Error("called") })
	tp.End()
	if len(d.Tapes()) != 0 {
		t.Error("there are tapes")
	}
}

func BenchmarkRecord(b *testing.B) {
	for _, size := range []int{30, 300, 3000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			tp := NewDeck(Limits{}).Open(Link{})
			frame := make([]byte, size)
			b.ReportAllocs()
			for range b.N {
				tp.Record(true, frame)
			}
		})
	}
}
