package iec104

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"busbar/iec104/apci"
	"busbar/iec104/asdu"
)

// The benchmarks run over loopback TCP. Each measures a floor in the same run: a
// sender of ready-made APDUs under the same k and w, with the same receiver.

var windows = []struct{ k, w int }{{12, 8}, {1024, 512}, {32767, 16000}}

// sink is the receiver of all benchmarks: it counts objects and acknowledges
// after w frames, whatever the read buffer holds at once.
type sink struct {
	conn    net.Conn
	w       int
	objects int
	frames  uint16
	owed    int
	buf     []byte
	held    int
	ack     [6]byte
}

func newSink(conn net.Conn, w int) *sink {
	return &sink{conn: conn, w: w, buf: make([]byte, 64<<10)}
}

// until reads until n objects have come in all; 0: until the next I frame.
func (s *sink) until(n int) error {
	for before := s.objects; s.objects < n || n == 0 && s.objects == before; {
		got, err := s.conn.Read(s.buf[s.held:])
		if err != nil {
			return err
		}
		s.held += got
		b := s.buf[:s.held]
		for len(b) >= 2 && len(b) >= int(b[1])+2 {
			if b[2]&1 == 0 {
				s.frames = (s.frames + 1) % apci.Modulus
				s.owed++
				if b[6] < 45 {
					s.objects += int(b[7] & 0x7f)
				}
			}
			b = b[int(b[1])+2:]
		}
		s.held = copy(s.buf, b)
		if s.owed >= s.w {
			s.owed = 0
			if _, err := s.conn.Write(apci.AppendS(s.ack[:0], apci.Seq(s.frames))); err != nil {
				return err
			}
		}
	}
	return nil
}

// ready are frames encoded beforehand, each with the same number of objects.
type ready struct {
	frames []byte
	size   int // of one
	per    int // objects in one
}

// readySize is how many octets of frames are made at most: more than caches
// hold, so that the floor reads its frames from memory as a real queue would.
const readySize = 16 << 20

// prepare returns frames with copies of an ASDU that holds per objects.
func prepare(a []byte, per, n int) *ready {
	r := &ready{size: apci.HeaderLen + len(a), per: per}
	frames := min((n+per-1)/per, readySize/r.size)
	r.frames = make([]byte, 0, frames*r.size)
	for range frames {
		r.frames = apci.AppendI(r.frames, 0, 0, a)
	}
	return r
}

// send writes the frames of n objects, over and over as need be, numbered,
// at most k ahead of the acknowledgements and up to outSize octets at once.
func (r *ready) send(conn net.Conn, n, k int) error {
	var vs, ack apci.Seq
	acks := make([]byte, 4096)
	at, total := 0, len(r.frames)/r.size
	for left := (n + r.per - 1) / r.per; left > 0; {
		m := min(k-ack.Distance(vs), left, outSize/r.size, total-at)
		if m == 0 {
			got, err := conn.Read(acks)
			if err != nil {
				return err
			}
			if f, _, err := apci.Parse(acks[got-apci.HeaderLen : got]); err == nil {
				ack = f.NR
			}
			continue
		}
		out := r.frames[at*r.size : (at+m)*r.size]
		for i := range m {
			apci.SetNS(out[i*r.size:], vs)
			apci.SetNR(out[i*r.size:], 0)
			vs = vs.Next()
		}
		if _, err := conn.Write(out); err != nil {
			return err
		}
		left -= m
		at = (at + m) % total
	}
	return nil
}

// loopback returns both ends of a TCP connection.
func loopback(tb testing.TB) (near, far net.Conn) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	if near, err = net.Dial("tcp", l.Addr().String()); err != nil {
		tb.Fatal(err)
	}
	if far, err = l.Accept(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

// floorTime measures the floor for n objects.
func floorTime(b *testing.B, a []byte, per, n, k, w int) time.Duration {
	b.Helper()
	near, far := loopback(b)
	failed := make(chan error, 1)
	frames := prepare(a, per, n)
	begin := time.Now()
	go func() { failed <- frames.send(far, n, k) }()
	if err := newSink(near, w).until(n); err != nil {
		b.Fatal(err)
	}
	d := time.Since(begin)
	if err := <-failed; err != nil {
		b.Fatal(err)
	}
	return d
}

// supply is a session with a backlog of n time-tagged floats, and answers
// interrogations with floats.
type supply struct {
	testSession
	n     int
	items int
	made  []Event
}

// backlog returns a supply of n events, made beforehand as the frames of the
// floor are.
func backlog(n int) *supply {
	s := &supply{n: n, made: make([]Event, min(n, 1<<16))}
	stamp := asdu.NewStamper(nil)
	for i := range s.made {
		e := &s.made[i]
		*e = Event{CA: 1, Type: asdu.M_ME_TF_1, Cause: asdu.Spontaneous}
		e.IOA, e.Value, e.Time = uint32(i+1), uint32(i), stamp.Stamp(1_800_000_000_000_000_000+int64(i)*1000)
	}
	return s
}

func (s *supply) Open(*ServerConn) (Session, error) { return s, nil }
func (s *supply) Started(bool)                      {}
func (s *supply) Confirm(int)                       {}
func (s *supply) Closed(error)                      {}
func (s *supply) Background([]Event) int            { return 0 }

func (s *supply) Next(dst []Event) int {
	n := 0
	for n < len(dst) && s.n > 0 {
		m := copy(dst[n:min(len(dst), n+s.n)], s.made[s.n%len(s.made):])
		n += m
		s.n -= m
	}
	return n
}

func (s *supply) Interrogate(uint16, uint8) Interrogation { return &generator{n: s.items} }

// generator answers with n floats at consecutive addresses.
type generator struct{ n, at int }

func (g *generator) Next(dst []Item) (int, bool) {
	n := min(len(dst), g.n-g.at)
	for i := range dst[:n] {
		g.at++
		dst[i] = Item{Type: asdu.M_ME_NC_1, Object: asdu.Object{IOA: uint32(g.at), Value: uint32(g.at)}}
	}
	return n, g.at == g.n
}

// benchServer returns a sink connected to a server of the station.
func benchServer(b *testing.B, st Station, cfg ServerConfig) *sink {
	b.Helper()
	s, err := NewServer(st, cfg)
	if err != nil {
		b.Fatal(err)
	}
	near, far := loopback(b)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.ServeConn(ctx, far) }()
	b.Cleanup(func() { cancel(); <-done })
	return newSink(near, cfg.Params.W)
}

// start starts data transfer.
func (s *sink) start(b *testing.B) {
	b.Helper()
	if _, err := s.conn.Write(octetsOf(startDTAct)); err != nil {
		b.Fatal(err)
	}
}

// report prints the rate beside that of the floor.
func report(b *testing.B, unit string, n int, ours, floor time.Duration) {
	b.ReportMetric(float64(n)/ours.Seconds(), unit+"/s")
	b.ReportMetric(float64(n)/floor.Seconds(), "floor_"+unit+"/s")
	b.ReportMetric(floor.Seconds()/ours.Seconds(), "x_floor")
	b.ReportMetric(0, "ns/op")
}

// eventASDU returns an ASDU with n time-tagged floats.
func eventASDU(b *testing.B, n int) []byte {
	b.Helper()
	a, err := asdu.Append(nil, asdu.Sizes{}, asdu.Header{Type: asdu.M_ME_TF_1, Cause: asdu.Spontaneous, CA: 1}, make([]asdu.Object, n))
	if err != nil {
		b.Fatal(err)
	}
	return a
}

// BenchmarkEvents sends a backlog of events on one connection; an iteration is
// one event.
func BenchmarkEvents(b *testing.B) {
	for _, most := range []int{1, 16} {
		for _, win := range windows {
			b.Run(fmt.Sprintf("objects=%d/k=%d/w=%d", most, win.k, win.w), func(b *testing.B) {
				compareEvents(b, b.N, most, win.k, win.w)
			})
		}
	}
}

// rounds is how often floor and server take turns in a comparison, so that
// what else the machine does is the same for both.
const rounds = 8

// compareEvents sends n events, in turns with the floor, and reports both.
func compareEvents(b *testing.B, n, most, k, w int) {
	b.Helper()
	var ours, least time.Duration
	a := eventASDU(b, most)
	for range rounds {
		n := (n + rounds - 1) / rounds
		least += floorTime(b, a, most, n, k, w)
		s := benchServer(b, backlog(n), ServerConfig{MaxObjectsPerASDU: most, Params: Params{K: k, W: w}})
		begin := time.Now()
		s.start(b)
		if err := s.until(n); err != nil {
			b.Fatal(err)
		}
		ours += time.Since(begin)
	}
	report(b, "events", n, ours, least)
}

// BenchmarkSequenceWrap sends 100,000 events one by one, past the highest
// sequence number three times; an iteration is all of them.
func BenchmarkSequenceWrap(b *testing.B) {
	const events = 100_000
	compareEvents(b, b.N*events*rounds, 1, 12, 8)
	b.ReportMetric(events*rounds, "events/op")
}

// BenchmarkInterrogation answers a general interrogation of 1,000,000 floats; an
// iteration is one interrogation.
func BenchmarkInterrogation(b *testing.B) {
	const points = 1_000_000
	for _, win := range windows {
		b.Run(fmt.Sprintf("k=%d/w=%d", win.k, win.w), func(b *testing.B) {
			h := asdu.Header{Type: asdu.M_ME_NC_1, Cause: asdu.InterrogatedGeneral, CA: 1, SQ: true}
			objs := make([]asdu.Object, 48)
			for i := range objs {
				objs[i].IOA = uint32(i)
			}
			a, err := asdu.Append(nil, asdu.Sizes{}, h, objs)
			if err != nil {
				b.Fatal(err)
			}
			s := benchServer(b, &supply{testSession: testSession{testStation: newTestStation()}, items: points}, ServerConfig{Params: Params{K: win.k, W: win.w}})
			s.start(b)
			var ours, floor time.Duration
			vs := apci.Seq(0)
			for range b.N {
				floor += floorTime(b, a, 48, points, win.k, win.w)
				begin := time.Now()
				if _, err := s.conn.Write(apci.AppendI(nil, vs, apci.Seq(s.frames), octetsOf(giAct))); err != nil {
					b.Fatal(err)
				}
				vs = vs.Next()
				s.owed = 0
				if err := s.until(s.objects + points); err != nil {
					b.Fatal(err)
				}
				ours += time.Since(begin)
			}
			report(b, "points", b.N*points, ours, floor)
			b.ReportMetric(ours.Seconds()*1000/float64(b.N), "ms/interrogation")
		})
	}
}

// octetsOf returns the octets of a constant of the scripts.
func octetsOf(digits string) []byte { return octets(&testing.T{}, digits) }

// BenchmarkReceive has a client receive events from the sender of the floor,
// and the bare receiver for comparison; an iteration is one event.
func BenchmarkReceive(b *testing.B) {
	for _, most := range []int{1, 16} {
		for _, win := range windows[:2] {
			b.Run(fmt.Sprintf("objects=%d/k=%d/w=%d", most, win.k, win.w), func(b *testing.B) {
				var ours, least time.Duration
				a := eventASDU(b, most)
				n := (b.N + rounds - 1) / rounds
				for range rounds {
					least += floorTime(b, a, most, n, win.k, win.w)
					ours += receiveTime(b, a, most, n, win.k, win.w)
				}
				report(b, "events", n*rounds, ours, least)
			})
		}
	}
}

// receiveTime measures a client that receives and decodes n events.
func receiveTime(b *testing.B, a []byte, per, n, k, w int) time.Duration {
	b.Helper()
	near, far := loopback(b)
	objs, got, all := make([]asdu.Object, 0, 127), 0, make(chan struct{})
	c, err := Dial(b.Context(), "", Params{K: k, W: w},
		WithDialer(func(context.Context, string, string) (net.Conn, error) { return near, nil }),
		WithHandler(func(a asdu.ASDU) {
			objs = a.AppendObjects(objs[:0])
			if got += len(objs); got >= n {
				close(all)
				n = 1 << 62
			}
		}))
	if err != nil {
		b.Fatal(err)
	}
	frames := prepare(a, per, n)
	failed := make(chan error, 1)
	begin := make(chan time.Time, 1)
	go func() {
		_, err := far.Read(make([]byte, 6))
		if err == nil {
			_, err = far.Write(octetsOf(startDTCon))
		}
		begin <- time.Now()
		if err == nil {
			err = frames.send(far, n, k)
		}
		failed <- err
	}()
	if err := c.StartDT(b.Context()); err != nil {
		b.Fatal(err)
	}
	<-all
	d := time.Since(<-begin)
	if err := <-failed; err != nil {
		b.Fatal(err)
	}
	if err := c.Close(); err != nil {
		b.Fatal(err)
	}
	return d
}

// BenchmarkLatency publishes events on an idle link, one per millisecond; an
// iteration is one event.
func BenchmarkLatency(b *testing.B) {
	st := newTestStation()
	s := benchServer(b, st, ServerConfig{Params: Params{K: 12, W: 8}})
	s.start(b)
	near, far := loopback(b)
	e := event(1, 1)
	ours := latencies(b, s, func() { st.queue.Put(&e) })
	frame := apci.AppendI(nil, 0, 0, eventASDU(b, 1))
	least := latencies(b, newSink(near, 1<<30), func() {
		if _, err := far.Write(frame); err != nil {
			b.Error(err)
		}
	})
	for _, m := range []struct {
		name string
		all  []time.Duration
	}{{"", ours}, {"floor_", least}} {
		slices.Sort(m.all)
		b.ReportMetric(float64(m.all[len(m.all)/2])/1000, m.name+"p50_us")
		b.ReportMetric(float64(m.all[len(m.all)*99/100])/1000, m.name+"p99_us")
	}
	b.ReportMetric(0, "ns/op")
}

// latencies measures how long each of b.N published events takes to the sink.
func latencies(b *testing.B, s *sink, publish func()) []time.Duration {
	var published atomic.Int64
	begin := time.Now()
	arrived := make(chan time.Duration)
	go func() {
		defer close(arrived)
		for range b.N {
			if err := s.until(0); err != nil {
				b.Error(err)
				return
			}
			arrived <- time.Since(begin) - time.Duration(published.Load())
		}
	}()
	pace := time.NewTicker(time.Millisecond)
	defer pace.Stop()
	all := make([]time.Duration, 0, b.N)
	for range b.N {
		<-pace.C
		published.Store(int64(time.Since(begin)))
		publish()
		d, ok := <-arrived
		if !ok {
			b.FailNow()
		}
		all = append(all, d)
	}
	return all
}

// BenchmarkIdleConnection measures the memory of idle started connections, of
// both ends together; an iteration is one connection.
func BenchmarkIdleConnection(b *testing.B) {
	const conns = 500
	for range b.N {
		st := newTestStation()
		s, err := NewServer(st, ServerConfig{MaxConnections: conns})
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, conns)
		before := memory()
		var bare uint64
		nears, fars := make([]net.Conn, conns), make([]net.Conn, conns)
		for i := range conns {
			nears[i], fars[i] = loopback(b)
		}
		bare = memory() - before
		for i := range conns {
			go func() { done <- s.ServeConn(ctx, fars[i]) }()
			if _, err := nears[i].Write(octetsOf(startDTAct)); err != nil {
				b.Fatal(err)
			}
			if _, err := nears[i].Read(make([]byte, 6)); err != nil {
				b.Fatal(err)
			}
		}
		used := memory() - before
		b.ReportMetric(float64(used)/conns, "bytes/connection")
		b.ReportMetric(float64(bare)/conns, "sockets_bytes/connection")
		cancel()
		for range conns {
			<-done
		}
	}
	b.ReportMetric(0, "ns/op")
}

// memory returns the octets of heap and stacks in use. Each collection halves
// the stacks that are too large.
func memory() uint64 {
	for range 4 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
