package iec104

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"busbar/iec104/asdu"
)

// schedule is one run of a client and a plant over lines that break.
type schedule struct {
	t      *testing.T
	random *rand.Rand // of the goroutine of the test alone
	p      *plant
	s      *Server
	c      *Client
	ctx    context.Context

	mu      sync.Mutex
	dials   *rand.Rand
	bad     bool // new lines have faults
	lines   []*line
	replays *Replays // nil: a keeper, which knows by itself
	unkept  []batch  // of a keeper
	image   map[uint32]uint32
	next    int // number of the event that is to come
	faults  []string
	repeats int
	pending sync.WaitGroup
	orders  int
	done    [6]int // commands by how they ended: lost, done, failed, refused, incomplete, not confirmed
}

// TestBadLines plays random schedules: lines that delay, cut octets apart and
// break in every way, while points change, are interrogated and commands are
// given. Nothing that the station had queued is lost or out of order, no
// command is carried out twice, and in the end both sides are of one mind.
func TestBadLines(t *testing.T) {
	t.Parallel()
	begin, n := uint64(1), 40
	if s := os.Getenv("BUSBAR_SOAK_KILLS"); s != "" {
		rounds, err := strconv.Atoi(s)
		if err != nil || rounds < 1 {
			t.Fatalf("BUSBAR_SOAK_KILLS is %q, want a positive number", s)
		}
		begin, n = rand.Uint64()>>16, 20*rounds
	}
	var total sum
	t.Run("schedules", func(t *testing.T) {
		for seed := begin; seed < begin+uint64(n); seed++ {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { total.add(playSchedule(t, seed)) })
			})
		}
	})
	t.Logf("soak: bad lines: %d schedules from seed %d, %d connections lost, %d events, %d of them again, commands %v",
		n, begin, total.lost, total.events, total.repeats, total.done)
	if !t.Failed() && (total.lost < 3*n || total.repeats < n || slices.Min(total.done[:]) < n/4) {
		t.Error("the schedules are too quiet")
	}
}

// sum is what happened in several schedules.
type sum struct {
	mu                    sync.Mutex
	lost, events, repeats int
	done                  [6]int
}

func (s *sum) add(x *schedule) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost += len(x.lines) - 1
	s.events += x.p.occurred
	s.repeats += x.repeats
	for i, n := range x.done {
		s.done[i] += n
	}
}

func playSchedule(t *testing.T, seed uint64) *schedule {
	x := newSchedule(t, seed)
	for range 150 + x.random.IntN(150) {
		x.step()
	}
	x.mend()
	x.settle()
	x.check()
	return x
}

func newSchedule(t *testing.T, seed uint64) *schedule {
	t.Helper()
	x := &schedule{t: t, random: rand.New(rand.NewPCG(seed, 1)), dials: rand.New(rand.NewPCG(seed, 2)), bad: true,
		image: map[uint32]uint32{}, next: 1}
	x.p = newPlant(5+x.random.IntN(20), rand.New(rand.NewPCG(seed, 3)))
	params := Params{K: []int{1, 2, 12, 40}[x.random.IntN(4)]}
	params.W = 1 + x.random.IntN(min(8, params.K))
	x.replays = NewReplays(params.K * asdu.Capacity(asdu.M_ME_TE_1, false, asdu.Sizes{}, asdu.MaxLen))
	x.s = newTestServer(t, x.p, ServerConfig{Params: params, ConnectRate: -1, MaxObjectsPerASDU: []int{0, 1, 7}[x.random.IntN(3)]})
	handler := WithHandler(x.take)
	if x.random.IntN(3) == 0 {
		x.replays, handler = nil, WithReceipts(x.receive)
	}
	opts := []Option{WithDialer(x.dial), handler, WithLinkEvents(x.event), WithRetry(100*time.Millisecond, 5*time.Second)}
	if x.random.IntN(3) == 0 {
		opts = append(opts, WithAddresses("b"))
	}
	c, err := NewClient("a", params, opts...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	x.c, x.ctx = c, ctx
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		x.pending.Wait()
		synctest.Wait()
	})
	return x
}

// dial makes a line with a plan of its own.
func (x *schedule) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	r := rand.New(rand.NewPCG(x.dials.Uint64(), 4))
	var plan linePlan
	if x.bad {
		plan = linePlan{
			piece: []int{0, 0, 1, 3, 40}[r.IntN(5)], delay: []time.Duration{0, 0, time.Millisecond, 50 * time.Millisecond, 50 * time.Millisecond, 3 * time.Second}[r.IntN(6)],
			ends: 1 + lineEnd(r.IntN(4)), after: r.IntN([]int{500, 5000, 50_000}[r.IntN(3)]),
		}
	}
	near, far := newLine(plan, r, r.IntN(2) == 0)
	x.lines = append(x.lines, lineOf(near))
	go func() { _ = x.s.ServeConn(context.WithoutCancel(ctx), far) }() // why it ends is not looked at
	return near, nil
}

func lineOf(c net.Conn) *line {
	if s, ok := c.(lineSocket); ok {
		return s.l
	}
	return c.(*lineSide).l
}

// event has the values asked for at every start.
func (x *schedule) event(e LinkEvent) {
	x.mu.Lock()
	switch {
	case e.State == LinkDown:
		x.forget(e.Conn)
	case e.State == LinkStarted && x.replays != nil:
		x.replays.Started()
	}
	x.mu.Unlock()
	if e.State != LinkStarted {
		return
	}
	x.pending.Go(func() { _, _ = x.c.Interrogate(x.ctx, 1, 20) }) // at the latest at the end it succeeds
}

// take is the handler of the client.
func (x *schedule) take(a asdu.ASDU) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.keep(a.Header, a.AppendObjects(nil))
}

// batch is what a keeper has received and not kept yet.
type batch struct {
	header  asdu.Header
	objects []asdu.Object
	receipt Receipt
}

// receive is the handler of a keeper: it keeps what it received after a while,
// and has it acknowledged then.
func (x *schedule) receive(a asdu.ASDU, r Receipt) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.unkept = append(x.unkept, batch{a.Header, a.AppendObjects(nil), r})
	time.AfterFunc(time.Duration(x.dials.IntN(200))*time.Millisecond, x.keepAll)
}

func (x *schedule) keepAll() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, b := range x.unkept {
		x.keep(b.header, b.objects)
		b.receipt.Release()
	}
	x.unkept = nil
}

// forget gives up what came on a connection that is lost: the station has it
// still.
func (x *schedule) forget(conn uint64) {
	x.unkept = slices.DeleteFunc(x.unkept, func(b batch) bool { return b.receipt.conn.id == conn })
}

// keep puts objects into the image.
func (x *schedule) keep(h asdu.Header, objects []asdu.Object) {
	for _, o := range objects {
		switch n := tagNumber(o.Time); {
		case h.Type == asdu.M_ME_TE_1 && x.again(h, o, n):
			x.repeats++
		case h.Type == asdu.M_ME_TE_1:
			if n != x.next {
				x.faults = append(x.faults, fmt.Sprintf("event %d, want %d", n, x.next))
				x.next = n
			}
			x.next++
			x.image[o.IOA] = o.Value
		case h.Type == asdu.M_ME_NB_1:
			if o.Value < x.image[o.IOA] {
				x.faults = append(x.faults, fmt.Sprintf("point %d goes back from %d to %d", o.IOA, x.image[o.IOA], o.Value))
			}
			x.image[o.IOA] = o.Value
		}
	}
}

// again reports whether an event came before.
func (x *schedule) again(h asdu.Header, o asdu.Object, n int) bool {
	if x.replays == nil {
		return n < x.next
	}
	return x.replays.Seen(&h, &o)
}

// step is one thing that happens, and the time until the next.
func (x *schedule) step() {
	switch x.random.IntN(8) {
	case 0, 1, 2, 3:
		for range 1 + x.random.IntN(40) {
			x.p.change(uint32(1 + x.random.IntN(len(x.p.values)-1)))
		}
	case 4, 5, 6:
		x.order()
	case 7:
		x.pending.Go(func() { _, _ = x.c.Interrogate(x.ctx, 1, 20) }) // one that fails is no fault
	}
	time.Sleep([]time.Duration{0, 10 * time.Millisecond, 300 * time.Millisecond, 3 * time.Second}[x.random.IntN(4)])
}

// order gives a command that was never given before.
func (x *schedule) order() {
	number := uint32(x.orders)
	x.orders++
	typ := []asdu.TypeID{asdu.C_SE_NC_1, asdu.C_SE_TC_1, asdu.C_BO_NA_1, asdu.C_BO_TA_1}[x.random.IntN(4)]
	op := Operation{CA: 1, IOA: firstOrder + number, Type: typ, Value: number, Select: mustSelect(number, typ)}
	limited := x.random.IntN(5) == 0 // gives up early
	x.pending.Go(func() {
		ctx := x.ctx
		if limited {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, 200*time.Millisecond)
			defer cancel()
		}
		x.ended(number, x.c.Command(ctx, op))
	})
}

// ended holds what came of a command against what the plant has done.
func (x *schedule) ended(number uint32, err error) {
	x.p.commands.Lock()
	times := x.p.executed[number]
	x.p.commands.Unlock()
	var negative *NegativeError
	least, most, kind := 0, 1, 0
	switch way := number % orderWays; {
	case err == nil:
		least, kind = 1, 1
		if way != orderAccepted && way != orderLater {
			most = -1 // there is no such end
		}
	case errors.As(err, &negative) && negative.Cause == asdu.ActivationTerm:
		least, kind = 1, 2
	case errors.As(err, &negative):
		most, kind = 0, 3
	case errors.Is(err, ErrIncomplete):
		least, kind = 1, 4
	case errors.Is(err, ErrTimeout):
		kind = 5
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.done[kind]++
	if times < least || times > most {
		x.faults = append(x.faults, fmt.Sprintf("command %d was carried out %d times, and ended with %v", number, times, err))
	}
}

// mend has the lines be good from now on. What has vanished stays away until
// the stations find out, or the end of the test.
func (x *schedule) mend() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.bad = false
	for _, l := range x.lines {
		l.mu.Lock()
		l.plan = linePlan{}
		l.mu.Unlock()
		x.t.Cleanup(l.cut)
	}
}

// settle lets the lines be good until everything has been said.
func (x *schedule) settle() {
	x.t.Helper()
	for range 600 {
		time.Sleep(time.Second)
		synctest.Wait()
		if n, _ := x.p.queue.Len(); n == 0 {
			if _, err := x.c.Interrogate(x.ctx, 1, 20); err == nil {
				x.pending.Wait()
				return
			}
		}
	}
	waiting, taken := x.p.queue.Len()
	x.t.Fatalf("not settled after ten minutes, %d events wait, %d taken: %+v\n%+v", waiting, taken, x.c.Links(), x.s.Conns())
}

func (x *schedule) check() {
	x.t.Helper()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.p.commands.Lock() // an order may still be on its way
	defer x.p.commands.Unlock()
	for _, f := range append(x.faults, x.p.wrong...) {
		x.t.Error(f)
	}
	if x.next != x.p.occurred+1 {
		x.t.Errorf("%d events arrived of %d", x.next-1, x.p.occurred)
	}
	for ioa, v := range x.p.values {
		if ioa > 0 && x.image[uint32(ioa)] != v {
			x.t.Errorf("point %d is %d, want %d", ioa, x.image[uint32(ioa)], v)
		}
	}
	for number, n := range x.p.executed {
		if n > 1 {
			x.t.Errorf("command %d was carried out %d times", number, n)
		}
	}
	if d := x.p.queue.Dropped(); d != 0 {
		x.t.Errorf("%d events dropped", d)
	}
}
