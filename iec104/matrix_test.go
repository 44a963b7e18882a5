package iec104

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"busbar/iec104/asdu"
	"busbar/test/matrix"
)

// ways are how a client and a server can be joined.
func ways() map[string]func() (near, far net.Conn) {
	over := func(plan linePlan) func() (near, far net.Conn) {
		return func() (near, far net.Conn) { return newLine(plan, rand.New(rand.NewPCG(1, 4)), true) }
	}
	return map[string]func() (near, far net.Conn){
		"pipe":             net.Pipe,
		"socket":           over(linePlan{}),
		"octet by octet":   over(linePlan{piece: 1}),
		"late and in bits": over(linePlan{piece: 40, delay: 100 * time.Millisecond}),
	}
}

// joined returns a client with data transfer started on a server of the
// station. It belongs into a bubble.
func joined(t *testing.T, st Station, cfg ServerConfig, join func() (near, far net.Conn), opts ...Option) *Client {
	t.Helper()
	s := newTestServer(t, st, cfg)
	ctx, cancel := context.WithCancel(context.Background())
	dial := func(context.Context, string, string) (net.Conn, error) {
		near, far := join()
		go s.ServeConn(ctx, far)
		return near, nil
	}
	c, err := Dial(ctx, "station", cfg.Params, append(opts, WithDialer(dial))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
	})
	if err := c.StartDT(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// sheet holds what a client received of one type against the matrix.
type sheet struct {
	typ     asdu.TypeID
	objects []asdu.Object // with addresses from 1 upwards

	mu     sync.Mutex
	seen   map[asdu.Cause][]int // how often each object came
	faults []string
}

// newSheet returns one for every so many of the objects.
func newSheet(typ asdu.TypeID, every int) *sheet {
	s := &sheet{typ: typ, seen: map[asdu.Cause][]int{}}
	for i, o := range matrix.Objects(typ) {
		if i%every == 0 {
			o.IOA = uint32(len(s.objects) + 1)
			s.objects = append(s.objects, o)
		}
	}
	return s
}

// take is the handler of a client.
func (s *sheet) take(a asdu.ASDU) {
	if a.Type != s.typ {
		return // an answer
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen[a.Cause] == nil {
		s.seen[a.Cause] = make([]int, len(s.objects))
	}
	elements := a.Octets()[6:]
	for i, o := range a.AppendObjects(nil) {
		if i == 0 || !a.SQ {
			elements = elements[3:]
		}
		element := elements[:s.typ.Size()]
		elements = elements[s.typ.Size():]
		if o.IOA == 0 || int(o.IOA) > len(s.objects) {
			s.faults = append(s.faults, fmt.Sprintf("%v: object %d", a.Cause, o.IOA))
			continue
		}
		want := &s.objects[o.IOA-1]
		if !reflect.DeepEqual(o, *want) || !bytes.Equal(element, matrix.Octets(s.typ, want)) || a.CA != 1 || a.Test || a.Negative {
			s.faults = append(s.faults, fmt.Sprintf("%v: %+v (% x), want %+v (% x)", a.Cause, o, element, *want, matrix.Octets(s.typ, want)))
		}
		s.seen[a.Cause][o.IOA-1]++
	}
}

// complete checks that every object came once with every cause.
func (s *sheet) complete(t *testing.T) {
	t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.faults) > 0 {
		t.Fatalf("%d objects differ, the first: %s", len(s.faults), s.faults[0])
	}
	for _, cause := range matrix.Causes(s.typ) {
		if s.seen[cause] == nil {
			t.Errorf("nothing came with cause %v", cause)
		}
		for i, n := range s.seen[cause] {
			if n != 1 {
				t.Fatalf("%v: %+v came %d times, want once", cause, s.objects[i], n)
			}
		}
	}
	if len(s.seen) != len(matrix.Causes(s.typ)) {
		t.Errorf("%d causes, want %d", len(s.seen), len(matrix.Causes(s.typ)))
	}
}

// TestMatrixMonitor sends every object of every type in monitor direction with
// every cause from a server to a client, in full ASDUs and one object in each.
func TestMatrixMonitor(t *testing.T) {
	t.Parallel()
	for _, typ := range matrix.Monitor() {
		for name, join := range ways() {
			t.Run(fmt.Sprintf("%v/%s", typ, name), func(t *testing.T) {
				t.Parallel()
				cfg, every := ServerConfig{}, 1
				switch name {
				case "socket":
					cfg.MaxObjectsPerASDU, every = 1, 3
				case "octet by octet", "late and in bits": // a sample: they take long
					every = 29
				}
				synctest.Test(t, func(t *testing.T) { monitorMatrix(t, newSheet(typ, every), cfg, join) })
			})
		}
	}
}

func monitorMatrix(t *testing.T, s *sheet, cfg ServerConfig, join func() (near, far net.Conn)) {
	st := newTestStation()
	var items []Item
	for _, o := range s.objects {
		items = append(items, Item{Type: s.typ, Object: o})
	}
	st.points[1], st.counters, st.groups = items, items, map[uint8][]Item{}
	for qoi := uint8(21); qoi <= 36; qoi++ {
		st.groups[qoi] = items
	}
	c := joined(t, st, cfg, join, WithHandler(s.take))
	for _, cause := range matrix.Causes(s.typ) {
		s.ask(t, c, st, cause)
	}
	settled(t, st.queue)
	s.complete(t)
}

// settled waits until all events are confirmed.
func settled(t *testing.T, q *Queue) {
	t.Helper()
	for range 3600 {
		time.Sleep(time.Second)
		synctest.Wait()
		if n, _ := q.Len(); n == 0 {
			return
		}
	}
	n, taken := q.Len()
	t.Fatalf("%d events not confirmed after an hour, %d of them taken", n, taken)
}

// ask has the station send all objects with a cause.
func (s *sheet) ask(t *testing.T, c *Client, st *testStation, cause asdu.Cause) {
	t.Helper()
	var err error
	switch {
	case cause.Interrogated():
		_, err = c.Interrogate(t.Context(), 1, uint8(cause))
	case cause >= asdu.CounterGeneral && cause <= asdu.CounterGroup4:
		rqt := uint8(cause - asdu.CounterGeneral)
		if rqt == 0 {
			rqt = 5
		}
		_, err = c.Counters(t.Context(), 1, rqt, 0)
	case cause == asdu.Request:
		for i := range s.objects {
			reading, failed := c.Read(t.Context(), 1, uint32(i+1))
			if failed != nil {
				t.Fatalf("read of %+v: %v", s.objects[i], failed)
			}
			if !reflect.DeepEqual(reading.Object, s.objects[i]) {
				t.Fatalf("read %+v, want %+v", reading.Object, s.objects[i])
			}
		}
	default:
		for _, o := range s.objects {
			st.put(Event{CA: 1, Type: s.typ, Cause: cause, Object: o})
		}
	}
	if err != nil {
		t.Fatalf("%v: %v", cause, err)
	}
}

// TestMatrixInitialisation sends every cause of initialisation.
func TestMatrixInitialisation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st, n := newTestStation(), 0
		take := func(a asdu.ASDU) {
			if a.Type != asdu.M_EI_NA_1 || a.Cause != asdu.Initialised || a.AppendObjects(nil)[0].Qualifier != uint8(n) {
				t.Errorf("%+v, want cause of initialisation %d", a.Header, n)
			}
			n++
		}
		joined(t, st, ServerConfig{}, net.Pipe, WithHandler(take))
		for coi := range 256 {
			st.put(Event{CA: 1, Type: asdu.M_EI_NA_1, Cause: asdu.Initialised, Object: asdu.Object{Qualifier: uint8(coi)}})
		}
		synctest.Wait()
		if n != 256 {
			t.Errorf("%d ASDUs, want 256", n)
		}
	})
}
