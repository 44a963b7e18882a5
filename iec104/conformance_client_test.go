package iec104

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"busbar/iec104/asdu"
)

// clientCheck is one row for the controlling station.
type clientCheck struct {
	row    string
	p      Params
	script func(r *rig)
}

// rig is a client and its station, a peer.
type rig struct {
	*peer
	c    *Client
	got  received
	wrap func(net.Conn) net.Conn  // the end of the client
	far  atomic.Pointer[net.Conn] // what the client is given when it connects
}

func playClient(t *testing.T, checks []clientCheck) {
	for _, c := range checks {
		for _, m := range media() {
			t.Run(c.row+"/"+m.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { c.script(newRig(t, c.p, m)) })
			})
		}
	}
}

func newRig(t *testing.T, p Params, m medium, opts ...Option) *rig {
	t.Helper()
	r := &rig{wrap: m.wrap}
	var far net.Conn
	r.peer, far = newPeer(t)
	r.served = make(chan error, 1)
	r.far.Store(&far)
	dial := func(context.Context, string, string) (net.Conn, error) { return r.wrap(*r.far.Load()), nil }
	c, err := Dial(t.Context(), "station", p, append(opts, WithDialer(dial), WithHandler(r.got.take))...)
	if err != nil {
		t.Fatal(err)
	}
	r.c = c
	peer, done := r.peer, c.Done()
	go func() {
		<-done
		peer.served <- c.Err()
	}()
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// starting has the client ask for the start of data transfer.
func (r *rig) starting() <-chan error {
	r.t.Helper()
	result := make(chan error, 1)
	go func() { result <- r.c.StartDT(context.Background()) }()
	synctest.Wait()
	r.expect("68 04 07 00 00 00")
	return result
}

// start starts data transfer.
func (r *rig) start() {
	r.t.Helper()
	result := r.starting()
	r.send("68 04 0b 00 00 00")
	if err := <-result; err != nil {
		r.t.Fatalf("StartDT: %v", err)
	}
}

// stopping has the client ask for the end of data transfer.
func (r *rig) stopping() <-chan error {
	r.t.Helper()
	result := make(chan error, 1)
	go func() { result <- r.c.StopDT(context.Background()) }()
	synctest.Wait()
	return result
}

// command has the client send a command and returns it.
func (r *rig) command() {
	r.t.Helper()
	err := r.c.Send(asdu.Header{Type: asdu.C_SC_NA_1, Cause: asdu.Activation, CA: 1, OA: 5}, asdu.Object{IOA: 5000, Value: 1})
	if err != nil {
		r.t.Fatal(err)
	}
	synctest.Wait()
}

func (r *rig) state(want string) {
	r.t.Helper()
	if s := r.c.Info().State; s != want {
		r.t.Fatalf("state %s, want %s", s, want)
	}
}

func (r *rig) silence(d time.Duration) {
	r.t.Helper()
	r.expectSilence()
	r.wait(d)
	r.expectSilence()
}

func (r *rig) closesAfter(d time.Duration, want Reason) {
	r.t.Helper()
	r.silence(d - time.Millisecond)
	r.wait(time.Millisecond)
	r.expectClosed(want)
}

func (r *rig) objects(want int) {
	r.t.Helper()
	if n := len(r.got.all()); n != want {
		r.t.Fatalf("handler got %d objects, want %d", n, want)
	}
}

// controllingRows are the rows of data transfer in the controlling station.
func controllingRows() []clientCheck {
	return []clientCheck{
		{row: "1.4 controlling STOPPED: user starts", script: func(r *rig) {
			r.starting()
			r.state("pending started")
			r.silence(14 * time.Second)
		}},
		{row: "1.4 controlling PENDING STARTED: STARTDT con", script: func(r *rig) {
			result := r.starting()
			r.silence(14 * time.Second)
			r.send("68 04 0b 00 00 00")
			if err := <-result; err != nil {
				r.t.Fatal(err)
			}
			r.state("started")
			r.silence(5 * time.Second) // t1 is over
		}},
		{row: "1.4 controlling PENDING STARTED: t1 (U) expires", script: func(r *rig) {
			result := r.starting()
			r.closesAfter(15*time.Second, NoStartCon)
			if err := <-result; !errors.Is(err, ErrTimeout) {
				r.t.Errorf("StartDT = %v, want ErrTimeout", err)
			}
		}},
		{row: "1.4 controlling PENDING STARTED: I received", script: func(r *rig) {
			result := r.starting()
			r.send(iframe(0, 0, spont(100)))
			r.expectClosed(NotStarted)
			r.objects(0)
			if err := <-result; !errors.Is(err, ErrClosed) {
				r.t.Errorf("StartDT = %v, want ErrClosed", err)
			}
		}},
		{row: "1.4 controlling STARTED: user stops, own I frames all acknowledged", script: func(r *rig) {
			r.start()
			r.send(iframe(0, 0, spont(100)))
			r.expectSilence()
			r.stopping()
			r.expect("68 04 01 00 02 00", "68 04 13 00 00 00") // S first
			r.state("pending stopped")
			r.silence(14 * time.Second)
		}},
		{row: "1.4 controlling STARTED: user stops, own I frames outstanding", script: func(r *rig) {
			r.start()
			r.command()
			r.expect("68 0e 00 00 00 00" + command)
			r.stopping()
			r.expect("68 04 13 00 00 00")
			if err := r.c.Send(asdu.Header{Type: asdu.C_SC_NA_1, Cause: asdu.Activation, CA: 1}, asdu.Object{IOA: 1}); !errors.Is(err, ErrNotStarted) {
				r.t.Errorf("Send = %v, want ErrNotStarted", err)
			}
			r.expectSilence()
		}},
		{row: "1.4 controlling pending stop: I received", script: func(r *rig) {
			r.start()
			r.command()
			r.expect("68 0e 00 00 00 00" + command)
			r.stopping()
			r.expect("68 04 13 00 00 00")
			r.send(iframe(0, 0, spont(100)))
			r.expect("68 04 01 00 02 00") // own frame is outstanding
			r.send(iframe(1, 1, spont(101)))
			r.expect("68 04 01 00 04 00") // it is acknowledged
			r.objects(2)
		}},
		{row: "1.4 controlling PENDING UNCONFIRMED STOPPED: last own I frame acknowledged", script: func(r *rig) {
			r.start()
			r.command()
			r.expect("68 0e 00 00 00 00" + command)
			r.stopping()
			r.expect("68 04 13 00 00 00")
			r.send("68 04 01 00 02 00")
			r.state("pending stopped")
			r.closesAfter(15*time.Second, NoStopCon)
		}},
		{row: "1.4 controlling PENDING STOPPED: STOPDT con", script: func(r *rig) {
			r.start()
			result := r.stopping()
			r.expect("68 04 13 00 00 00")
			r.send("68 04 23 00 00 00")
			if err := <-result; err != nil {
				r.t.Fatal(err)
			}
			r.state("stopped")
			r.silence(19 * time.Second)
			r.start() // and once more
		}},
		{row: "1.4 controlling PENDING UNCONFIRMED STOPPED: STOPDT con of a station in a hurry", script: func(r *rig) {
			r.start()
			r.command()
			r.expect("68 0e 00 00 00 00" + command)
			result := r.stopping()
			r.expect("68 04 13 00 00 00")
			r.send("68 04 23 00 00 00")
			if err := <-result; err != nil {
				r.t.Fatal(err)
			}
			r.send("68 04 01 00 02 00") // its acknowledgement is taken
			r.silence(19 * time.Second)
		}},
		{row: "1.4 controlling PENDING STOPPED: t1 (U) expires", script: func(r *rig) {
			r.start()
			result := r.stopping()
			r.expect("68 04 13 00 00 00")
			r.closesAfter(15*time.Second, NoStopCon)
			if err := <-result; !errors.Is(err, ErrTimeout) {
				r.t.Errorf("StopDT = %v, want ErrTimeout", err)
			}
		}},
		{row: "1.4 controlling any: STARTDT act or STOPDT act received", script: func(r *rig) { // E079
			for _, step := range []func(){func() {}, r.start, func() {
				r.stopping()
				r.expect("68 04 13 00 00 00")
			}} {
				step()
				was := r.c.Info()
				r.send("68 04 07 00 00 00", "68 04 13 00 00 00")
				r.expectSilence()
				r.state(was.State)
				if n := r.c.Info().Ignored - was.Ignored; n != 2 {
					r.t.Errorf("%d ignored while %s, want 2", n, was.State)
				}
			}
		}},
		{row: "1.4 controlling any: con without own act", script: func(r *rig) {
			r.send("68 04 0b 00 00 00", "68 04 23 00 00 00", "68 04 83 00 00 00")
			r.state("stopped")
			r.start()
			r.send("68 04 0b 00 00 00", "68 04 23 00 00 00", "68 04 83 00 00 00")
			r.expectSilence()
			r.state("started")
			if n := r.c.Info().Ignored; n != 6 {
				r.t.Errorf("%d ignored, want 6", n)
			}
		}},
		{row: "1.4 controlling STOPPED: I received", script: func(r *rig) {
			r.send(iframe(0, 0, spont(100)))
			r.expectClosed(NotStarted)
			r.objects(0)
		}},
	}
}
