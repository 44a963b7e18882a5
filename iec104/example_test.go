package iec104_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"busbar/iec104"
	"busbar/iec104/asdu"
)

// substation is a small controlled station: one breaker position under common
// address 1, object address 200. It embeds a queue, which has the methods that
// hand over events.
type substation struct {
	*iec104.Queue
}

// Open implements iec104.Station.
func (s substation) Open(c *iec104.ServerConn) (iec104.Session, error) {
	s.Rewind()
	s.OnPut(c.Wake)
	return s, nil
}

func (s substation) breaker() iec104.Item {
	return iec104.Item{Type: asdu.M_DP_NA_1, Object: asdu.Object{IOA: 200, Value: 2}}
}

// Next of an answer has the one point.
type answer struct{ items []iec104.Item }

func (a *answer) Next(dst []iec104.Item) (int, bool) {
	n := copy(dst, a.items)
	a.items = a.items[n:]
	return n, len(a.items) == 0
}

func (s substation) Interrogate(_ uint16, qoi uint8) iec104.Interrogation {
	if qoi != 20 {
		return nil // no groups
	}
	return &answer{[]iec104.Item{s.breaker()}}
}

func (s substation) Read(_ uint16, ioa uint32) (iec104.Item, bool) {
	return s.breaker(), ioa == 200
}

func (substation) Started(bool)                                       {}
func (substation) Background([]iec104.Event) int                      { return 0 }
func (substation) Addresses() []uint16                                { return []uint16{1} }
func (substation) Counters(uint16, uint8, uint8) iec104.Interrogation { return nil }
func (substation) Clock(uint16, asdu.Time) bool                       { return true }
func (substation) Reset(uint16, uint8) bool                           { return false }
func (substation) Command(iec104.Command) iec104.Verdict              { return iec104.UnknownObject }
func (substation) Closed(error)                                       {}

// A controlled station with one point, and a controlling station that
// interrogates it and then sees an event.
func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	station := substation{iec104.NewQueue(1000)}
	server, err := iec104.NewServer(station, iec104.ServerConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, listener) }()

	events := make(chan string, 1)
	client, err := iec104.Dial(ctx, listener.Addr().String(), iec104.Params{}, iec104.WithHandler(func(a asdu.ASDU) {
		if a.Type.Command() {
			return
		}
		for _, o := range a.AppendObjects(nil) {
			line := fmt.Sprintf("%v %v: object %d is %d", a.Type, a.Cause, o.IOA, o.Value)
			if a.Cause == asdu.Spontaneous {
				events <- line
				continue
			}
			fmt.Println(line)
		}
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := client.StartDT(ctx); err != nil {
		fmt.Println(err)
		return
	}
	result, err := client.Interrogate(ctx, 1, 20)
	fmt.Println(result.Objects, "object,", "error:", err)

	station.Put(&iec104.Event{
		CA: 1, Type: asdu.M_DP_NA_1, Cause: asdu.Spontaneous, Object: asdu.Object{IOA: 200, Value: 1},
	})
	fmt.Println(<-events)
	if err := client.Close(); err != nil {
		fmt.Println(err)
	}
	cancel()
	fmt.Println("server ended:", <-served)
	// Output:
	// M_DP_NA_1 interrogated-general: object 200 is 2
	// 1 object, error: <nil>
	// M_DP_NA_1 spontaneous: object 200 is 1
	// server ended: <nil>
}

// A controlling station that keeps its station connected over two addresses, and
// interrogates it whenever data transfer has started.
func ExampleClient_Run() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	addr := serve(ctx)
	started := make(chan string, 10)
	client, err := iec104.NewClient(addr, iec104.Params{},
		iec104.WithAddresses("127.0.0.1:1"), // where nobody is
		iec104.WithRetry(time.Second, time.Minute),
		iec104.WithStations(1),
		iec104.WithHandler(func(a asdu.ASDU) {
			if a.Cause == asdu.InterrogatedGeneral && !a.Type.Command() {
				fmt.Println(a.Type, "with", a.Count(), "object")
			}
		}),
		iec104.WithLinkEvents(func(e iec104.LinkEvent) {
			if e.State == iec104.LinkStarted {
				started <- e.Addr // to ask here would wait for itself
			}
		}))
	if err != nil {
		fmt.Println(err)
		return
	}
	done := make(chan error, 1)
	go func() { done <- client.Run(ctx) }()

	fmt.Println("started on the first address:", <-started == addr)
	result, err := client.Interrogate(ctx, asdu.GlobalCA, 20)
	fmt.Println("stations", result.Stations, "error:", err)
	cancel()
	fmt.Println("ended:", <-done)
	// Output:
	// started on the first address: true
	// M_DP_NA_1 with 1 object
	// stations [1] error: <nil>
	// ended: <nil>
}

// A command that is selected first. The error tells what became of it.
func ExampleClient_Command() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	client, err := iec104.Dial(ctx, serve(ctx), iec104.Params{})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := client.StartDT(ctx); err != nil {
		fmt.Println(err)
		return
	}
	err = client.Command(ctx, iec104.Operation{
		CA: 1, IOA: 5000, Type: asdu.C_DC_NA_1, Value: 2, Select: true,
		Confirmed: func() { fmt.Println("the station carries it out") },
	})
	var refused *iec104.NegativeError
	switch {
	case err == nil:
		fmt.Println("carried out")
	case errors.As(err, &refused):
		fmt.Println("refused:", refused.Cause) // the station has no such object
	case errors.Is(err, iec104.ErrIncomplete):
		fmt.Println("confirmed, but its end was not: it may have been carried out")
	default:
		fmt.Println("unknown:", err)
	}
	if err := client.Close(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// refused: unknown-ioa
}

// serve serves a substation until ctx ends, and returns its address.
func serve(ctx context.Context) string {
	server, err := iec104.NewServer(substation{iec104.NewQueue(1000)}, iec104.ServerConfig{})
	if err != nil {
		panic(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() {
		if err := server.Serve(ctx, listener); err != nil {
			panic(err)
		}
	}()
	return listener.Addr().String()
}

// A station behind NAT dials out, and the controlling station listens.
func ExampleAcceptor() {
	ctx, cancel := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	defer parts.Wait()
	defer cancel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	acceptor := iec104.NewAcceptor(listener, iec104.AcceptorConfig{})
	parts.Go(func() { fmt.Println("acceptor ended:", acceptor.Run(ctx)) })
	client, err := iec104.NewClient("substation 7", iec104.Params{},
		acceptor.Station(iec104.FromAddresses(netip.MustParsePrefix("127.0.0.1/32"))))
	if err != nil {
		fmt.Println(err)
		return
	}

	server, err := iec104.NewServer(substation{iec104.NewQueue(1000)}, iec104.ServerConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	parts.Go(func() { _ = server.DialOut(ctx, listener.Addr().String()) }) // returns nil at the end

	if err := client.Connect(ctx); err != nil { // waits for the station; Run does so again and again
		fmt.Println(err)
		return
	}
	if err := client.StartDT(ctx); err != nil {
		fmt.Println(err)
		return
	}
	result, err := client.Interrogate(ctx, 1, 20)
	fmt.Println("objects:", result.Objects, "error:", err)
	fmt.Println("closed:", client.Close())
	cancel()
	parts.Wait()
	// Output:
	// objects: 1 error: <nil>
	// closed: <nil>
	// acceptor ended: <nil>
}
