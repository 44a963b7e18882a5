package iec104

import (
	"context"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// throng is a station that gives every connection a queue of its own.
type throng struct {
	mu     sync.Mutex
	queues []*Queue
}

type throngSession struct {
	supply
	*Queue
}

func (s *throngSession) Next(dst []Event) int { return s.Queue.Next(dst) }
func (s *throngSession) Confirm(n int)        { s.Queue.Confirm(n) }

func (c *throng) Open(conn *ServerConn) (Session, error) {
	s := &throngSession{Queue: NewQueue(1000)}
	s.OnPut(conn.Wake)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queues = append(c.queues, s.Queue)
	return s, nil
}

// publish gives an event to every connection.
func (c *throng) publish(e *Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, q := range c.queues {
		q.Put(e)
	}
}

// BenchmarkCrowdLatency publishes an event to a hundred stations, one every
// five milliseconds, and measures until the last of them has it: alone, and
// beside one that never reads and one that sends garbage without end. An
// iteration is one event.
func BenchmarkCrowdLatency(b *testing.B) {
	alone, beside := crowdLatencies(b, false), crowdLatencies(b, true)
	for _, m := range []struct {
		name string
		all  []time.Duration
	}{{"alone_", alone}, {"beside_bad_", beside}} {
		slices.Sort(m.all)
		b.ReportMetric(float64(m.all[len(m.all)/2])/1000, m.name+"p50_us")
		b.ReportMetric(float64(m.all[len(m.all)*99/100])/1000, m.name+"p99_us")
	}
	b.ReportMetric(0, "ns/op")
}

const crowdSize = 100

func crowdLatencies(b *testing.B, bad bool) []time.Duration {
	b.Helper()
	st := &throng{}
	s, err := NewServer(st, ServerConfig{MaxConnections: 2 * crowdSize, ConnectRate: 1e6})
	if err != nil {
		b.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	parts.Go(func() {
		if err := s.Serve(ctx, l); err != nil {
			b.Error(err)
		}
	})
	defer parts.Wait()
	defer cancel()

	arrived := make(chan struct{}, crowdSize)
	for range crowdSize {
		good := newSink(dialCrowd(b, l), 8)
		good.start(b)
		if _, err := io.ReadFull(good.conn, make([]byte, 6)); err != nil { // STARTDT con
			b.Fatal(err)
		}
		parts.Go(func() {
			for good.until(0) == nil {
				arrived <- struct{}{}
			}
		})
	}
	if bad {
		deaf := newSink(dialCrowd(b, l), 8)
		deaf.start(b)
		parts.Go(func() { rude(ctx, l.Addr().String()) })
	}
	return st.pace(b, arrived)
}

func dialCrowd(b *testing.B, l net.Listener) net.Conn {
	b.Helper()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	return conn
}

// rude sends garbage and connects again whenever it is thrown out.
func rude(ctx context.Context, addr string) {
	garbage := make([]byte, 4096)
	for ctx.Err() == nil {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		for err == nil {
			_, err = conn.Write(garbage)
		}
		_ = conn.Close()
	}
}

// pace publishes b.N events and returns how long each took to all stations.
func (c *throng) pace(b *testing.B, arrived <-chan struct{}) []time.Duration {
	b.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	all := make([]time.Duration, 0, b.N)
	e := event(1, 1)
	for range b.N {
		<-tick.C
		begin := time.Now()
		c.publish(&e)
		for range crowdSize {
			<-arrived
		}
		all = append(all, time.Since(begin))
	}
	return all
}
