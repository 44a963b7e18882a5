package iec104

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"busbar/iec104/asdu"
	"busbar/test/matrix"
)

// TestMatrixOverBreakingLines sends every object of every type as an event
// over lines that break again and again: each arrives, octet for octet, and
// not before an older one.
func TestMatrixOverBreakingLines(t *testing.T) {
	t.Parallel()
	for _, typ := range matrix.Monitor() {
		t.Run(typ.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { breakingMatrix(t, typ, rand.New(rand.NewPCG(uint64(typ), 5))) })
		})
	}
}

func breakingMatrix(t *testing.T, typ asdu.TypeID, random *rand.Rand) {
	s, st := newSheet(typ, 1), newTestStation()
	for _, o := range s.objects {
		st.put(Event{CA: 1, Type: typ, Cause: asdu.Spontaneous, Object: o})
	}
	p := Params{W: 1 + random.IntN(4)}
	server := newTestServer(t, &redundant{testStation: st}, ServerConfig{Params: p, ConnectRate: -1})
	ctx, cancel := context.WithCancel(context.Background())
	lines, next := 0, uint32(1)
	dial := func(context.Context, string, string) (net.Conn, error) {
		lines++
		own := rand.New(rand.NewPCG(random.Uint64(), 6))
		near, far := newLine(linePlan{piece: 1 + random.IntN(300), delay: 20 * time.Millisecond, ends: lineFIN + lineEnd(random.IntN(3)),
			after: random.IntN(4000)}, own, true)
		t.Cleanup(lineOf(near).cut)
		go func() { _ = server.ServeConn(ctx, far) }() // why it ends is not looked at
		return near, nil
	}
	take := func(a asdu.ASDU) {
		s.take(a)
		for _, o := range a.AppendObjects(nil) {
			if o.IOA > next {
				s.faults = append(s.faults, fmt.Sprintf("object %d before %d", o.IOA, next))
			}
			next = max(next, o.IOA+1)
		}
	}
	c, err := NewClient("a", p, WithDialer(dial), WithHandler(take), WithRetry(100*time.Millisecond, time.Second))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		synctest.Wait()
	})
	settled(t, st.queue)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.faults) > 0 {
		t.Fatalf("%d faults, the first: %s", len(s.faults), s.faults[0])
	}
	if octets := len(s.objects) * typ.Size(); int(next) != len(s.objects)+1 || octets > 10_000 && lines < 3 {
		t.Errorf("%d objects of %d over %d lines", next-1, len(s.objects), lines)
	}
}
