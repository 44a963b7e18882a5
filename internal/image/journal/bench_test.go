package journal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"busbar/internal/point"
)

// benchPayload is as long as a record of the process image.
const benchPayload = 64

// floorLog is the least that a durable log can do: it appends the same octets
// to files of the same size, sums them, and syncs. It has one chain, no
// readers, no limits and no recovery.
type floorLog struct {
	dir  string
	file *os.File
	size int
	next int
	buf  []byte
}

func (l *floorLog) commit(batch []Record) error {
	l.buf = l.buf[:0]
	for i := range batch {
		var h [frameHeader]byte
		at := len(l.buf)
		binary.LittleEndian.PutUint32(h[4:], uint32(len(batch[i].Payload)))
		binary.LittleEndian.PutUint64(h[8:], batch[i].Seq)
		l.buf = append(append(l.buf, h[:]...), batch[i].Payload...)
		binary.LittleEndian.PutUint32(l.buf[at:], crc32.Checksum(l.buf[at+4:], castagnoli))
	}
	if l.file == nil || l.size+len(l.buf) > defaultSegment {
		if l.file != nil {
			if err := l.file.Close(); err != nil {
				return err
			}
			if err := os.Remove(l.file.Name()); err != nil { // as a trim does
				return err
			}
		}
		f, err := os.Create(filepath.Join(l.dir, fmt.Sprint(l.next)))
		if err != nil {
			return err
		}
		l.file, l.size, l.next = f, 0, l.next+1
	}
	if _, err := l.file.WriteAt(l.buf, int64(l.size)); err != nil {
		return err
	}
	l.size += len(l.buf)
	return diskFile{l.file}.Sync()
}

// BenchmarkGroupCommit commits 1,000 records at a time, each group when the one
// before it is durable, with two readers that follow. The floor commits the
// same records in turn with it, so that both see the same disk. One operation
// is one record.
func BenchmarkGroupCommit(b *testing.B) {
	for _, classes := range []int{1, 3} {
		for _, preallocate := range []bool{false, true} {
			b.Run(fmt.Sprintf("classes=%d/preallocate=%t", classes, preallocate), func(b *testing.B) {
				benchCommit(b, classes, 1000, preallocate)
			})
		}
	}
}

func benchCommit(b *testing.B, classes, size int, preallocate bool) {
	j, stop := benchJournal(b, preallocate)
	defer stop()
	floor := &floorLog{dir: b.TempDir()}
	batch := make([]Record, size)
	for i := range batch {
		batch[i].Payload = make([]byte, benchPayload)
		batch[i].Class = point.Class((i + 2) % 3)
		if classes == 1 {
			batch[i].Class = point.ClassMeasured
		}
	}
	done := make(chan error, 1)
	committed := func(err error) { done <- err }
	var took, tookFloor time.Duration
	seq := uint64(0)
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n += size {
		for i := range batch {
			seq++
			batch[i].Seq = seq
		}
		start := time.Now()
		if err := floor.commit(batch); err != nil {
			b.Fatal(err)
		}
		between := time.Now()
		if err := j.Append(batch, committed); err != nil {
			b.Fatal(err)
		}
		if err := <-done; err != nil {
			b.Fatal(err)
		}
		tookFloor += between.Sub(start)
		took += time.Since(between)
	}
	b.StopTimer()
	b.ReportMetric(float64(seq)/took.Seconds(), "records/s")
	b.ReportMetric(float64(seq)/tookFloor.Seconds(), "floor-records/s")
	b.ReportMetric(tookFloor.Seconds()/took.Seconds(), "ratio-to-floor")
}

// benchJournal opens a journal on the disk with two readers and a trimmer.
func benchJournal(b *testing.B, preallocate bool) (*Journal, func()) {
	fs, err := NewDisk(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	j := mustOpen(b, fs, Options{Preallocate: preallocate})
	j.floor.Store(none) // as if there was a checkpoint
	var stop atomic.Bool
	var wg sync.WaitGroup
	wake := make(chan struct{})
	for range 2 {
		wg.Go(func() {
			r := j.Reader(Position{}, 0)
			defer r.Close()
			dst := make([]Record, 256)
			for !stop.Load() {
				n, _, err := r.Next(dst)
				if err != nil {
					b.Error(err)
					return
				}
				if n == 0 {
					select {
					case <-wake:
					case <-time.After(time.Millisecond):
					}
				}
			}
		})
	}
	wg.Go(func() {
		for !stop.Load() {
			for c := range point.Class(dictionary) {
				if err := j.Trim(c, j.Committed()); err != nil {
					b.Error(err)
				}
			}
			<-time.After(10 * time.Millisecond)
		}
	})
	return j, func() {
		stop.Store(true)
		close(wake)
		wg.Wait()
		mustClose(b, j)
	}
}

// BenchmarkAppend appends batches of 10 from one goroutine as fast as the disk
// takes the groups that they make. One operation is one record.
func BenchmarkAppend(b *testing.B) {
	j, stop := benchJournal(b, true)
	defer stop()
	batch := make([]Record, 10)
	for i := range batch {
		batch[i] = Record{Class: point.Class(i % 3), Payload: make([]byte, benchPayload)}
	}
	slots := make(chan struct{}, 10000)
	committed := func(err error) {
		if err != nil {
			b.Error(err)
		}
		<-slots
	}
	seq := uint64(0)
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n += len(batch) {
		for i := range batch {
			seq++
			batch[i].Seq = seq
		}
		slots <- struct{}{}
		if err := j.Append(batch, committed); err != nil {
			b.Fatal(err)
		}
	}
	if err := commit(j, nil); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(float64(j.Status().Records)/float64(j.Status().Groups), "records/group")
}

// BenchmarkRead reads what is on the disk, merged from three chains. One
// operation is one record.
func BenchmarkRead(b *testing.B) {
	fs, err := NewDisk(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	j := mustOpen(b, fs, Options{})
	defer mustClose(b, j)
	const total = 500_000
	batch := make([]Record, 1000)
	for seq := uint64(0); seq < total; {
		for i := range batch {
			seq++
			batch[i] = Record{Seq: seq, Class: point.Class(seq % 3), Payload: make([]byte, benchPayload)}
		}
		if err := commit(j, batch); err != nil {
			b.Fatal(err)
		}
	}
	dst := make([]Record, 256)
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; {
		r := j.Reader(Position{}, 0)
		for got := 1; got > 0 && n < b.N; n += got {
			if got, _, err = r.Next(dst); err != nil {
				b.Fatal(err)
			}
		}
		mustClose(b, r)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
