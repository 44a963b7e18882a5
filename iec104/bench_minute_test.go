package iec104

import (
	"context"
	"net"
	"os"
	"runtime"
	"runtime/metrics"
	"syscall"
	"testing"
	"time"

	"busbar/iec104/asdu"
)

// minuteRate is how many events are put into the queue per second.
const minuteRate = 100_000

// BenchmarkMinute passes 100,000 events per second for a minute (or the duration in
// BENCH_MINUTE) from a queue over a server and a client, both in this process, and
// reports what was allocated meanwhile. -memprofile shows by whom.
func BenchmarkMinute(b *testing.B) {
	length := time.Minute
	if s := os.Getenv("BENCH_MINUTE"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			b.Fatalf("BENCH_MINUTE is %q, want a duration such as 60s", s)
		}
		length = d
	}
	for range b.N {
		passMinute(b, length)
	}
}

func passMinute(b *testing.B, length time.Duration) {
	queue := NewQueue(1_000_000)
	near, far := loopback(b)
	s, err := NewServer(&queueStation{testSession: testSession{testStation: newTestStation()}, queue: queue}, ServerConfig{})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.ServeConn(ctx, far) }()
	total, got, all := int(length.Seconds()*minuteRate), 0, make(chan struct{})
	objs := make([]asdu.Object, 0, 127)
	c := clientOn(b, near, func(a asdu.ASDU) {
		objs = a.AppendObjects(objs[:0])
		if got += len(objs); got >= total {
			close(all)
		}
	})
	if err := c.StartDT(b.Context()); err != nil {
		b.Fatal(err)
	}
	runtime.GC()
	before := heapSoFar()
	var user, late time.Duration
	user = cpuTime(b)
	begin := time.Now()
	late = feedMinute(queue, total, begin)
	<-all
	took, cpu, after := time.Since(begin), cpuTime(b)-user, heapSoFar()
	if n := queue.Dropped(); n > 0 {
		b.Fatalf("%d events were dropped", n)
	}
	b.ReportMetric(float64(total)/took.Seconds(), "events/s")
	b.ReportMetric(float64(after.objects-before.objects)/float64(total), "allocs/event")
	b.ReportMetric(float64(after.octets-before.octets)/float64(total), "B/event")
	b.ReportMetric(float64(after.cycles-before.cycles), "gc-cycles")
	b.ReportMetric(100*cpu.Seconds()/took.Seconds(), "%cpu")
	b.ReportMetric(float64(late.Microseconds())/1000, "ms-latest-put")
	b.ReportMetric(0, "ns/op")
	if err := c.Close(); err != nil {
		b.Fatal(err)
	}
	cancel()
	<-served
}

// feedMinute puts events into the queue, those of each millisecond at its end. It
// returns how late it was at most.
func feedMinute(queue *Queue, total int, begin time.Time) (late time.Duration) {
	stamp := asdu.NewStamper(nil)
	e := Event{CA: 1, Type: asdu.M_ME_TF_1, Cause: asdu.Spontaneous}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for n := 0; n < total; {
		due := min(total, int(time.Since(begin).Seconds()*minuteRate))
		at := begin.Add(time.Duration(n) * time.Second / minuteRate)
		late = max(late, time.Since(at))
		for ; n < due; n++ {
			e.IOA, e.Value, e.Time = uint32(n%10_000+1), uint32(n), stamp.Stamp(1_800_000_000_000_000_000+int64(n)*10_000)
			queue.Put(&e)
		}
		<-tick.C
	}
	return late
}

// queueStation is a station of one session, whose events come from a queue.
type queueStation struct {
	testSession
	queue *Queue
}

func (s *queueStation) Open(c *ServerConn) (Session, error) {
	s.queue.OnPut(c.Wake)
	return s, nil
}
func (s *queueStation) Started(bool)           {}
func (s *queueStation) Next(dst []Event) int   { return s.queue.Next(dst) }
func (s *queueStation) Confirm(n int)          { s.queue.Confirm(n) }
func (s *queueStation) Background([]Event) int { return 0 }
func (s *queueStation) Closed(error)           {}

// heapCount is what was allocated since the process began.
type heapCount struct{ objects, octets, cycles uint64 }

func heapSoFar() heapCount {
	samples := []metrics.Sample{{Name: "/gc/heap/allocs:objects"}, {Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/cycles/total:gc-cycles"}}
	metrics.Read(samples)
	return heapCount{samples[0].Value.Uint64(), samples[1].Value.Uint64(), samples[2].Value.Uint64()}
}

// cpuTime is what this process has used of the processors.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// clientOn returns a client on a connection.
func clientOn(b *testing.B, conn net.Conn, handler func(asdu.ASDU)) *Client {
	b.Helper()
	c, err := Dial(b.Context(), "", Params{}, WithHandler(handler),
		WithDialer(func(context.Context, string, string) (net.Conn, error) { return conn, nil }))
	if err != nil {
		b.Fatal(err)
	}
	return c
}
