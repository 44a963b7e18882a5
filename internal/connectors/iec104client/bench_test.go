package iec104client

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"busbar/iec104"
	"busbar/iec104/apci"
	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/image"
	"busbar/internal/image/journal"
	"busbar/internal/plant"
)

// benchPoints is how many points the station of the benchmarks has.
const benchPoints = 300

// source is a station that answers everything at once, and sends events as fast as k and
// the network let it.
type source struct {
	l    net.Listener
	k    int
	pack int // objects in an ASDU

	acked atomic.Int64 // I frames
	news  chan struct{}
	conn  chan net.Conn
	vs    int
}

func newSource(tb testing.TB, k, pack int) *source {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &source{l: l, k: k, pack: pack, news: make(chan struct{}, 1), conn: make(chan net.Conn, 1)}
	go s.serve()
	tb.Cleanup(func() { l.Close() })
	return s
}

// serve serves one connection. Until it has answered an interrogation it sends nothing
// by itself.
func (s *source) serve() {
	conn, err := s.l.Accept()
	if err != nil {
		return
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	frame := make([]byte, 255)
	for {
		if _, err := io.ReadFull(r, frame[:2]); err != nil {
			return
		}
		f := frame[:2+int(frame[1])]
		if _, err := io.ReadFull(r, f[2:]); err != nil {
			return
		}
		switch c := f[2]; {
		case c == 0x07 || c == 0x43:
			_, err = conn.Write([]byte{0x68, 4, c&3 | c&^3<<1, 0, 0, 0})
		case c&3 == 3:
		default:
			s.acknowledge(int(binary.LittleEndian.Uint16(f[4:]) >> 1))
			if c&1 == 0 {
				err = s.answer(conn, f[6:])
			}
		}
		if err != nil {
			return
		}
	}
}

func (s *source) acknowledge(nr int) {
	before := s.acked.Load()
	s.acked.Store(before + int64((nr-int(before))&0x7fff))
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// answer answers an interrogation with the values of all points, and hands the
// connection on.
func (s *source) answer(conn net.Conn, request []byte) error {
	var out []byte
	tell := func(a []byte) {
		out = apci.AppendI(out, apci.Seq(s.vs&0x7fff), 1, a)
		s.vs++
	}
	with := func(cause byte) []byte {
		a := append([]byte(nil), request...)
		a[2] = cause
		return a
	}
	tell(with(7))
	for first := 1; first <= benchPoints; first += 45 {
		n := min(45, benchPoints-first+1)
		a := []byte{13, byte(n) | 0x80, 20, 0, 1, 0, byte(first), byte(first >> 8), 0}
		for range n {
			a = append(a, 0, 0, 0, 0, 0)
		}
		tell(a)
	}
	tell(with(10))
	_, err := conn.Write(out)
	select {
	case s.conn <- conn:
	default:
	}
	return err
}

// send sends n events on the connection, numbered through the points.
func (s *source) send(b testing.TB, conn net.Conn, n int) {
	b.Helper()
	out := make([]byte, 0, 64<<10)
	tag := uint64(asdu.TimeOf(time.Now(), nil))
	for sent := 0; sent < n; {
		for s.vs-int(s.acked.Load()) >= s.k {
			<-s.news
		}
		out = out[:0]
		for room := s.k - (s.vs - int(s.acked.Load())); room > 0 && sent < n && len(out) < 60<<10; room-- {
			objects := min(s.pack, n-sent)
			out = append(out, 0x68, byte(4+6+15*objects), byte(s.vs<<1), byte(s.vs>>7), 2, 0, 36, byte(objects), 3, 0, 1, 0)
			for range objects {
				ioa := sent%benchPoints + 1
				out = append(out, byte(ioa), byte(ioa>>8), 0)
				out = binary.LittleEndian.AppendUint32(out, math.Float32bits(float32(sent)))
				out = append(out, 0)
				for i := range 7 {
					out = append(out, byte(tag>>(8*i)))
				}
				sent++
			}
			s.vs++
		}
		if _, err := conn.Write(out); err != nil {
			b.Error(err)
			return
		}
	}
	for int(s.acked.Load()) < s.vs-2*s.k/3 { // the rest waits for t2
		<-s.news
	}
}

func benchPlant(tb testing.TB, kinds *connector.Registry, k, w int, addrs ...string) *plant.Plant {
	tb.Helper()
	var p strings.Builder
	p.WriteString("version: 1\nconnectors:\n")
	for i, addr := range addrs {
		fmt.Fprintf(&p, "  rtu%d: {kind: iec104-client, addresses: [%q], k: %d, w: %d}\n", i, addr, k, w)
	}
	p.WriteString("points:\n")
	for c := range addrs {
		for i := range benchPoints {
			fmt.Fprintf(&p, "  r%d/p%d: {type: float, from: {connector: rtu%d, ca: 1, ioa: %d}}\n", c, i, c, i+1)
		}
	}
	decoded, problems := plant.Decode("p", []byte(p.String()), kinds, plant.Options{})
	if err := problems.Err(); err != nil {
		tb.Fatal(err)
	}
	return decoded
}

// startHost runs the connectors of a plant below a manager.
func startHost(tb testing.TB, img image.Image, k, w int, addrs ...string) {
	tb.Helper()
	kinds, err := connector.NewRegistry(Kind())
	if err != nil {
		tb.Fatal(err)
	}
	m := connector.NewManager(slog.New(slog.DiscardHandler), img, kinds, time.Now)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	if err := m.Apply(ctx, benchPlant(tb, kinds, k, w, addrs...)); err != nil {
		tb.Fatal(err)
	}
	go func() { done <- m.Run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Error(err)
		}
	})
}

// BenchmarkEvents measures events of one link into the image, beside the library alone with
// a handler that decodes; an iteration is one event.
func BenchmarkEvents(b *testing.B) {
	for _, window := range []struct{ k, w int }{{12, 8}, {1024, 512}} {
		for _, pack := range []int{1, 15} {
			name := fmt.Sprintf("k=%d/pack=%d", window.k, pack)
			var floor float64
			b.Run(name+"/floor", func(b *testing.B) { floor = benchBare(b, window.k, window.w, pack) })
			b.Run(name+"/memory", func(b *testing.B) {
				img := image.New(image.Options{})
				b.Cleanup(func() { img.Close() })
				b.ReportMetric(benchHost(b, img, window.k, window.w, pack)/floor, "ratio")
			})
			b.Run(name+"/journal", func(b *testing.B) {
				fs, err := journal.NewDisk(b.TempDir())
				if err != nil {
					b.Fatal(err)
				}
				img, err := image.Open(fs, image.Options{})
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(func() { img.Close() })
				b.ReportMetric(benchHost(b, img, window.k, window.w, pack)/floor, "ratio")
			})
		}
	}
}

func benchHost(b *testing.B, img image.Image, k, w, pack int) (perSecond float64) {
	s := newSource(b, k, pack)
	startHost(b, img, k, w, s.l.Addr().String())
	return s.measure(b)
}

func benchBare(b *testing.B, k, w, pack int) (perSecond float64) {
	s := newSource(b, k, pack)
	var objs []asdu.Object
	c, err := iec104.NewClient(s.l.Addr().String(), iec104.Params{K: k, W: w}, iec104.WithHandler(func(a asdu.ASDU) { objs = a.AppendObjects(objs[:0]) }))
	if err != nil {
		b.Fatal(err)
	}
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(b.Context())
	wg.Go(func() { _ = c.Run(ctx) })
	b.Cleanup(func() { cancel(); wg.Wait() })
	if err := c.AwaitStart(ctx); err != nil {
		b.Fatal(err)
	}
	if _, err := c.Interrogate(ctx, 1, 20); err != nil {
		b.Fatal(err)
	}
	return s.measure(b)
}

func (s *source) measure(b *testing.B) (perSecond float64) {
	conn := <-s.conn
	b.ReportAllocs()
	b.ResetTimer()
	s.send(b, conn, b.N)
	b.StopTimer()
	perSecond = float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(perSecond, "events/s")
	return perSecond
}

// BenchmarkManyStations measures a thousand connectors of 300 points each in one process; an
// iteration is all of them.
func BenchmarkManyStations(b *testing.B) {
	const stations = 1000
	for range b.N {
		sources := make([]*source, stations)
		addrs := make([]string, stations)
		for i := range sources {
			sources[i] = newSource(b, 12, 1)
			addrs[i] = sources[i].l.Addr().String()
		}
		img := image.New(image.Options{})
		before, goroutines := heapInUse(), runtime.NumGoroutine()
		begun := time.Now()
		startHost(b, img, 12, 8, addrs...)
		conns := make([]net.Conn, stations)
		for i, s := range sources {
			conns[i] = <-s.conn
		}
		for i, s := range sources {
			s.send(b, conns[i], 24)
		}
		b.ReportMetric(time.Since(begun).Seconds(), "s/start")
		b.ReportMetric(float64(heapInUse()-before)/stations, "bytes/station")
		b.ReportMetric(float64(runtime.NumGoroutine()-goroutines)/stations, "goroutines/station")
	}
}

// heapInUse returns the memory in use, stacks included.
func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}
