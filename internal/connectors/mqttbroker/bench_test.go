package mqttbroker

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"busbar/internal/connector"
	"busbar/internal/image/journal"
)

// payload is a usual sensor message.
const payload = `{"device":"ons4711","data":{"temperature":23.5,"humidity":41.2,"status":"ok"},"timestamp":"2026-01-15T10:30:00.000Z"}`

// keeping is a sink that keeps every message after a while, all that came in
// the meantime together.
type keeping struct {
	*sink
	each  time.Duration // zero: at once
	notes bool          // what is delivered

	mu      sync.Mutex
	waiting []func(error)
}

func (k *keeping) Deliver(_ context.Context, m connector.Message, committed func(error)) error {
	if k.notes {
		k.delivered <- delivery{m.Selector, string(m.Payload), nil}
	}
	if committed == nil {
		return nil
	}
	if k.each == 0 {
		committed(nil)
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.waiting = append(k.waiting, committed)
	if len(k.waiting) == 1 {
		time.AfterFunc(k.each, k.commit)
	}
	return nil
}

func (k *keeping) commit() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, committed := range k.waiting {
		committed(nil)
	}
	k.waiting = k.waiting[:0]
}

// BenchmarkQoS1 measures 50 publishers of QoS 1 that each send the next message
// when the last one is acknowledged. They share the machine with the broker.
func BenchmarkQoS1(b *testing.B) {
	for _, each := range []time.Duration{0, time.Millisecond} {
		b.Run(fmt.Sprintf("commit after %v", each), func(b *testing.B) {
			const publishers = 50
			k := &keeping{sink: newSink(), each: each}
			r := startSink(b, k, k.sink, slog.NewTextHandler(io.Discard, nil), times{connect: patience, write: patience}, nil)
			var clients []*wire
			for i := range publishers {
				w, _ := r.signIn(b, "3.1.1", fmt.Sprint(i), 0)
				if err := w.conn.SetReadDeadline(time.Time{}); err != nil {
					b.Fatal(err)
				}
				clients = append(clients, w)
			}
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for i, w := range clients {
				n := b.N / publishers
				if i < b.N%publishers {
					n++
				}
				message := w.message(fmt.Sprintf("bench/%03d/data", i), 1, 1, false, payload)
				wg.Go(func() {
					var ack [4]byte
					for range n {
						if _, err := w.conn.Write(message); err != nil {
							b.Error(err)
							return
						}
						if _, err := io.ReadFull(w.r, ack[:]); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
		})
	}
}

// BenchmarkWindow measures one publisher of QoS 1 that has so many messages
// open, on the journal of a disk and without one. With window 1 every message waits for
// a sync of its own.
func BenchmarkWindow(b *testing.B) {
	for _, durable := range []bool{false, true} {
		for _, window := range []int{1, 20, 200} {
			b.Run(fmt.Sprintf("journal=%v/window=%d", durable, window), func(b *testing.B) {
				var fs journal.FS
				if durable {
					disk, err := journal.NewDisk(b.TempDir())
					if err != nil {
						b.Fatal(err)
					}
					fs = disk
				}
				r := startHost(b, fs, nil)
				w, _ := r.signIn(b, "5", "d", 0)
				if err := w.conn.SetReadDeadline(time.Time{}); err != nil {
					b.Fatal(err)
				}
				message := w.message("a", 1, 1, false, payload)
				b.ReportAllocs()
				b.ResetTimer()
				pump(b, w, message, window)
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
			})
		}
	}
}

// pump publishes b.N messages, of which at most window are open.
func pump(b *testing.B, w *wire, message []byte, window int) {
	b.Helper()
	burst := bytes.Repeat(message, window)
	var acks [4 * 1024]byte
	sent, acknowledged := 0, 0
	for acknowledged < b.N {
		if n := min(b.N-sent, window-(sent-acknowledged)); n > 0 {
			if _, err := w.conn.Write(burst[:n*len(message)]); err != nil {
				b.Fatal(err)
			}
			sent += n
		}
		n, err := io.ReadAtLeast(w.r, acks[:min(len(acks), 4*(sent-acknowledged))], 4)
		if err == nil && n%4 > 0 {
			var rest int
			rest, err = io.ReadFull(w.r, acks[n:n+4-n%4])
			n += rest
		}
		if err != nil {
			b.Fatal(err)
		}
		acknowledged += n / 4
	}
}
