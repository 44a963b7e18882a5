package iec104

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"busbar/iec104/asdu"
)

// sendingRows are the rows of order, priority and packing.
func sendingRows() []check {
	return []check{
		{row: "5.9 controlled order: end of initialisation before other data", script: func(e *edge) {
			e.st.held = func(uint16) Interrogation { return &gated{e.st.queue, []Item{single(100, 1)}} }
			e.put(initialised(), event(100, 1))
			e.send("68 04 07 00 00 00", iframe(0, 0, giAct))
			e.expect("68 04 0b 00 00 00", iframe(0, 1, giCon), iframe(1, 1, "46 01 04 00 01 00 00 00 00 02"),
				iframe(2, 1, spont(100)), iframe(3, 1, "01 01 14 00 01 00 64 00 00 01"), iframe(4, 1, giEnd))
		}},
		{row: "5.9 controlled priority: link control, confirmations, events, answers, background", script: func(e *edge) {
			scan := event(9, 1)
			scan.Cause = asdu.Background
			e.start()
			for i := range 12 { // the window is used up
				e.put(event(uint32(i), 1))
				e.expect(iframe(i, 0, spont(i)))
			}
			e.st.back = []Event{scan}
			e.send(iframe(0, 0, giAct), iframe(1, 0, "66 01 05 00 01 00 64 00 00"))
			e.put(event(50, 1))
			e.send(iframe(2, 0, command), iframe(3, 0, "34 01 06 05 01 00 88 13 00 01"))
			e.expectSilence()
			e.send("68 04 43 00 00 00")
			e.expect("68 04 83 00 00 00")
			e.send(sframe(12))
			for i, want := range []string{
				giCon, "2d 01 07 05 01 00 88 13 00 01", "2d 01 0a 05 01 00 88 13 00 01", "34 01 6c 05 01 00 88 13 00 01",
				spont(50),
				"01 01 05 00 01 00 64 00 00 01", "01 82 14 00 01 00 64 00 00 01 00", giEnd,
				"01 01 02 00 01 00 09 00 00 01",
			} {
				e.expect(iframe(12+i, 4, want))
			}
			e.expectSilence()
		}},
		{row: "5.9 controlled order: a read value does not overtake older events", cfg: ServerConfig{Params: Params{K: 50}, MaxObjectsPerASDU: 1}, script: func(e *edge) {
			e.st.points[1] = []Item{single(100, 1)}
			for range 30 {
				e.put(event(100, 0))
			}
			e.send("68 04 07 00 00 00", iframe(0, 0, "66 01 05 00 01 00 64 00 00"))
			e.expect("68 04 0b 00 00 00")
			for i := range 30 {
				e.expect(iframe(i, 1, "01 01 03 00 01 00 64 00 00 00"))
			}
			e.expect(iframe(30, 1, "01 01 05 00 01 00 64 00 00 01"))
			e.expectSilence()
		}},
		{row: "5.9 controlled order: an unencodable event is confirmed though the answer behind it is dropped", cfg: ServerConfig{MaxObjectsPerASDU: 1}, script: func(e *edge) {
			e.st.points[1] = many(200, 40)
			e.start()
			for i := range 13 { // the window is used up, the peer is quick
				e.put(event(uint32(i), 1))
				e.expect(iframe(i, 0, spont(i)))
				if i == 0 {
					e.send(sframe(1))
				}
			}
			e.put(event(20, 9), event(21, 9)) // no values of a single point
			e.send(iframe(0, 1, giAct))
			e.send(iframe(1, 1, "64 01 08 00 01 00 00 00 00 14"))
			e.send(sframe(13))
			e.expect(iframe(13, 2, giCon), iframe(14, 2, "64 01 09 00 01 00 00 00 00 14"))
			e.put(event(22, 1))
			e.expect(iframe(15, 2, spont(22)))
			e.send(sframe(16))
			if n, _ := e.st.queue.Len(); n != 0 {
				e.t.Errorf("%d events never confirmed", n)
			}
		}},
		{row: "5.9 controlled priority: background waits for an answer that waits", script: func(e *edge) {
			scan := event(9, 1)
			scan.Cause = asdu.Background
			e.st.back = []Event{scan}
			answer := &blocked{}
			e.st.held = func(uint16) Interrogation { return answer }
			e.send("68 04 07 00 00 00", iframe(0, 0, giAct))
			e.expect("68 04 0b 00 00 00", iframe(0, 1, giCon))
			e.silence(time.Second)
			answer.open.Store(true)
			e.put(event(1, 1))
			e.expect(iframe(1, 1, spont(1)), iframe(2, 1, giEnd), iframe(3, 1, "01 01 02 00 01 00 09 00 00 01"))
		}},
		{row: "5.9 controlled packing: a lone event is sent at once", script: func(e *edge) {
			e.start()
			for i := range 5 {
				begin := time.Now()
				e.put(event(uint32(i), 1))
				e.expect(iframe(i, 0, spont(i)))
				if d := time.Since(begin); d != 0 {
					e.t.Errorf("after %v, want at once", d)
				}
				e.send(sframe(i + 1))
				e.wait(time.Second)
			}
		}},
		{row: "5.9 controlled packing: waiting events fill ASDUs", script: func(e *edge) {
			for i := range 130 {
				e.put(event(uint32(i), 1))
			}
			e.send("68 04 07 00 00 00")
			e.expect("68 04 0b 00 00 00")
			for i, n := range []int{60, 60, 10} {
				var objs strings.Builder
				for k := range n {
					fmt.Fprintf(&objs, "%02x000001", 60*i+k)
				}
				e.expect(iframe(i, 0, fmt.Sprintf("01%02x03000100", n)+objs.String()))
			}
		}},
		{row: "5.9 controlled packing: full ASDU of 249 octets with SQ=1", script: func(e *edge) {
			e.st.points[1] = nil
			for i := range 49 {
				e.st.points[1] = append(e.st.points[1], Item{Type: asdu.M_ME_NC_1, Object: asdu.Object{IOA: uint32(256 + i), Value: 0x41ac0000}})
			}
			e.start()
			e.send(iframe(0, 0, giAct))
			e.expect(iframe(0, 1, giCon), "68 fd 02 00 02 00 0d b0 14 00 01 00 00 01 00"+strings.Repeat("00 00 ac 41 00", 48),
				iframe(2, 1, "0d 01 14 00 01 00 30 01 00 00 00 ac 41 00"), iframe(3, 1, giEnd))
		}},
		{row: "5.9 controlled packing: events of another type, cause or address begin another ASDU", script: func(e *edge) {
			local, double := event(2, 1), event(3, 2)
			local.Cause = asdu.ReturnLocal
			double.Type = asdu.M_DP_NA_1
			other := event(4, 1)
			other.CA = 2
			e.put(event(1, 1), local, double, other, event(5, 1), event(5, 0), event(5, 1))
			e.send("68 04 07 00 00 00")
			e.expect("68 04 0b 00 00 00", iframe(0, 0, spont(1)), iframe(1, 0, "01 01 0c 00 01 00 02 00 00 01"),
				iframe(2, 0, "03 01 03 00 01 00 03 00 00 02"), iframe(3, 0, "01 01 03 00 02 00 04 00 00 01"),
				iframe(4, 0, "01 03 03 00 01 00 05 00 00 01 05 00 00 00 05 00 00 01"))
		}},
		{row: "5.9 controlled packing: no APDU is longer than the peer takes", cfg: ServerConfig{Params: Params{MaxAPDU: 40}}, script: func(e *edge) {
			e.st.points[1] = many(1, 100)
			for i := range 20 {
				e.put(event(uint32(i), 1))
			}
			e.send("68 04 07 00 00 00", iframe(0, 0, giAct))
			events, items := 0, 0
			for b := e.next(); b != nil; b = e.next() {
				if b[1] > 40 {
					e.t.Errorf("length octet %d, want at most 40", b[1])
				}
				switch {
				case b[2]&1 == 0 && b[8] == 3:
					events += int(b[7])
				case b[2]&1 == 0 && b[8] == 20:
					items += int(b[7] & 0x7f)
				}
			}
			if events != 20 || items != 100 {
				e.t.Errorf("%d events and %d items, want 20 and 100", events, items)
			}
		}},
	}
}

// blocked is an answer without objects that ends when it is opened.
type blocked struct{ open atomic.Bool }

func (b *blocked) Next([]Item) (int, bool) { return 0, b.open.Load() }

// live is a station whose points count up: the image holds the newest value
// of each, and every change is an event too.
type live struct {
	*testStation
	mu    sync.Mutex
	value []uint32 // by object address
}

// change counts a point up.
func (l *live) change(ioa uint32) {
	l.mu.Lock()
	l.value[ioa]++
	v := l.value[ioa]
	l.mu.Unlock()
	l.put(l.event(ioa, v))
}

func (l *live) event(ioa, v uint32) Event {
	return Event{CA: 1, Type: asdu.M_ME_NB_1, Cause: asdu.Spontaneous, Object: asdu.Object{IOA: ioa, Value: v}}
}

func (l *live) Open(c *ServerConn) (Session, error) {
	s, err := l.testStation.Open(c)
	return &liveSession{s, l}, err
}

type liveSession struct {
	Session
	l *live
}

func (s *liveSession) Interrogate(uint16, uint8) Interrogation { return &liveAnswer{l: s.l} }

// Read changes the point once in a while, as somebody else may at that moment.
func (s *liveSession) Read(_ uint16, ioa uint32) (Item, bool) {
	if rand.IntN(4) == 0 {
		s.l.change(ioa)
		s.l.change(ioa)
	}
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	return Item{Type: asdu.M_ME_NB_1, Object: asdu.Object{IOA: ioa, Value: s.l.value[ioa]}}, true
}

// liveAnswer yields the present values, and waits while events do.
type liveAnswer struct {
	l    *live
	next uint32
}

func (a *liveAnswer) Next(dst []Item) (n int, done bool) {
	a.l.mu.Lock()
	defer a.l.mu.Unlock()
	for n < len(dst) && int(a.next) < len(a.l.value) {
		if events, taken := a.l.queue.Len(); events > taken {
			return n, false
		}
		dst[n] = Item{Type: asdu.M_ME_NB_1, Object: asdu.Object{IOA: a.next, Value: a.l.value[a.next]}}
		n++
		a.next++
	}
	return n, int(a.next) == len(a.l.value)
}

// TestNoValueOvertakesAnOlderEvent changes points without a pause while they
// are interrogated and read, over a window that is mostly full. What arrives
// of a point may never go back.
func TestNoValueOvertakesAnOlderEvent(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { overtake(t, rand.New(rand.NewPCG(seed, 104))) })
		})
	}
}

func overtake(t *testing.T, random *rand.Rand) {
	const points, rounds = 300, 400
	l := &live{testStation: newTestStation(), value: make([]uint32, points)}
	s := newTestServer(t, l, ServerConfig{MaxObjectsPerASDU: 1 + random.IntN(40)})
	p := connect(t, s)
	p.start()
	seen, answered, terms, asked, reads := make([]uint16, points), 0, 0, 0, 0
	take := func() {
		for b := p.next(); b != nil; b = p.next() {
			if b[2]&1 == 1 {
				continue // S
			}
			p.vr = (p.vr + 1) % 32768
			switch a := b[6:]; {
			case a[0] == 0x64 && a[2] == 10:
				terms++
			case a[0] == 11:
				answered += p.compareLive(a, seen)
			}
		}
	}
	for range rounds {
		for range random.IntN(60) {
			l.change(uint32(random.IntN(points)))
		}
		switch {
		case asked == terms && random.IntN(4) == 0:
			p.tell(giAct)
			asked++
		case random.IntN(2) == 0:
			p.tell(fmt.Sprintf("66 01 05 00 01 00 %02x %02x 00", random.IntN(256), 0))
			reads++
		}
		take()
		if random.IntN(2) == 0 {
			p.wait(time.Duration(random.IntN(2)) * 10 * time.Millisecond)
			p.ack()
		}
	}
	for range 10_000 { // until everything is there
		take()
		p.ack()
		if n, _ := l.queue.Len(); n == 0 && terms == asked && answered == reads+asked*points {
			break
		}
	}
	if terms != asked || asked < 3 || answered != reads+asked*points {
		t.Fatalf("%d of %d interrogations ended, %d values in answers, want %d", terms, asked, answered, reads+asked*points)
	}
	for ioa, v := range seen {
		if uint32(v) != l.value[ioa] {
			t.Errorf("point %d is %d at the end, want %d", ioa, v, l.value[ioa])
		}
	}
}

// compareLive checks the values of an ASDU against those seen, and returns how
// many of them are an answer.
func (p *peer) compareLive(a []byte, seen []uint16) (answered int) {
	p.t.Helper()
	sq, n := a[1]>>7 == 1, int(a[1]&0x7f)
	at, ioa := 6, 0
	for i := range n {
		if i == 0 || !sq {
			ioa = int(a[at]) | int(a[at+1])<<8 | int(a[at+2])<<16
			at += 3
		} else {
			ioa++
		}
		v := uint16(a[at]) | uint16(a[at+1])<<8
		at += 3
		if v < seen[ioa] {
			p.t.Fatalf("point %d goes back from %d to %d with cause %d", ioa, seen[ioa], v, a[2])
		}
		seen[ioa] = v
	}
	if a[2] == 3 {
		return 0
	}
	return n
}

// endless is a station whose events never end.
type endless struct{ *testStation }

func (s endless) Open(c *ServerConn) (Session, error) {
	session, err := s.testStation.Open(c)
	return endlessSession{session}, err
}

type endlessSession struct{ Session }

func (endlessSession) Next(dst []Event) int {
	for i := range dst {
		dst[i] = event(1, 1)
	}
	return len(dst)
}

func (endlessSession) Confirm(int) {}

// TestInterrogationEndsAmongEndlessEvents has a read wait too, which must not
// keep the interrogation from going on.
func TestInterrogationEndsAmongEndlessEvents(t *testing.T) {
	t.Parallel()
	for _, k := range []int{1, 12, 100} {
		for _, most := range []int{0, 1, 7} {
			for _, delay := range []time.Duration{0, 50 * time.Millisecond} {
				t.Run(fmt.Sprintf("k %d, %d objects per asdu, %v", k, most, delay), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						st := newTestStation()
						st.points[1] = many(100, 300)
						cfg := ServerConfig{Params: Params{K: k}, MaxObjectsPerASDU: most}
						amongEndlessEvents(t, connect(t, newTestServer(t, endless{st}, cfg)), delay)
					})
				})
			}
		}
	}
}

func amongEndlessEvents(t *testing.T, p *peer, delay time.Duration) {
	p.start()
	p.tell("66 01 05 00 01 00 64 00 00", giAct)
	for n := 1; n < 10_000; n++ {
		b := p.next()
		switch {
		case b == nil:
			p.wait(delay)
			p.ack()
		case b[2]&1 == 1:
		case b[6] == 0x64 && b[8] == 10:
			return
		default:
			p.vr++
		}
	}
	t.Error("no termination among 10000 frames")
}
