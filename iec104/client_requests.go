package iec104

import (
	"context"
	"fmt"
	"time"

	"busbar/iec104/asdu"
)

// The requests below fail with a *[NegativeError] if the station refuses, with
// [ErrTimeout] if it does not answer in time, with [ErrRestarted] if it restarts
// instead, with [ErrClosed] if the connection ends, with [ErrNotStarted] and
// [ErrBusy], and with ctx.Err(). A request that failed otherwise than by refusal
// may have been carried out if it was sent; it is never sent later.

// Interrogate asks for the values of a station: qoi 20 of all points, 21 … 36 of a
// group. ca is its common address, or [asdu.GlobalCA] for all. The values go to
// the handler, which has had them all when Interrogate returns, whether with time
// tag or without. It fails with [ErrIncomplete] as well if the answer began but no
// termination came, and with [ErrCancelled]. A station has one interrogation at
// a time.
func (c *Client) Interrogate(ctx context.Context, ca uint16, qoi uint8) (Result, error) {
	return c.ask(ctx, &call{
		header: asdu.Header{Type: asdu.C_IC_NA_1, Cause: asdu.Activation, CA: ca},
		object: asdu.Object{Qualifier: qoi},
		data:   dataCause(asdu.C_IC_NA_1, qoi),
		ends:   true,
	}, nil)
}

// CancelInterrogation stops an interrogation: that of Interrogate ends with
// [ErrCancelled] when the station has confirmed. It fails with a *[NegativeError] if
// the station has none running.
func (c *Client) CancelInterrogation(ctx context.Context, ca uint16, qoi uint8) error {
	_, err := c.ask(ctx, &call{
		header: asdu.Header{Type: asdu.C_IC_NA_1, Cause: asdu.Deactivation, CA: ca},
		object: asdu.Object{Qualifier: qoi},
	}, nil)
	return err
}

// Counters asks for counters, or freezes or resets them: rqt 5 is all, 1 … 4 a
// group; frz 0 reads, 1 freezes, 2 freezes and resets, 3 resets. The readings
// go to the handler. Only a reading has an end that is waited for.
func (c *Client) Counters(ctx context.Context, ca uint16, rqt, frz uint8) (Result, error) {
	if rqt > 0x3F || frz > 3 {
		return Result{}, fmt.Errorf("iec104: counter request %d, freeze %d: want up to 63 and up to 3", rqt, frz)
	}
	w := &call{
		header: asdu.Header{Type: asdu.C_CI_NA_1, Cause: asdu.Activation, CA: ca},
		object: asdu.Object{Qualifier: frz<<6 | rqt},
	}
	if frz == 0 {
		w.ends = true
		w.data = dataCause(asdu.C_CI_NA_1, rqt)
	}
	return c.ask(ctx, w, nil)
}

// Read asks for the present value of one object, which may come with time tag or
// without.
func (c *Client) Read(ctx context.Context, ca uint16, ioa uint32) (Reading, error) {
	return c.inquire(ctx, &call{
		header: asdu.Header{Type: asdu.C_RD_NA_1, Cause: asdu.Request, CA: ca},
		object: asdu.Object{IOA: ioa},
		data:   asdu.Request,
	})
}

// ClockSync sends the time to a station, or to all. stamp is asked for it at
// the moment of writing, and must not call the client; nil is the time of
// [WithTime].
func (c *Client) ClockSync(ctx context.Context, ca uint16, stamp func() asdu.Time) (Result, error) {
	if stamp == nil {
		stamp = c.opt.stamp
	}
	return c.ask(ctx, &call{header: asdu.Header{Type: asdu.C_CS_NA_1, Cause: asdu.Activation, CA: ca}}, stamp)
}

func utcNow() asdu.Time { return asdu.TimeOf(time.Now(), nil) }

// Test sends a test command with time tag (C_TS_TA_1) with the given counter
// and waits until the station has mirrored it.
func (c *Client) Test(ctx context.Context, ca uint16, counter uint16) error {
	_, err := c.ask(ctx, &call{
		header: asdu.Header{Type: asdu.C_TS_TA_1, Cause: asdu.Activation, CA: ca},
		object: asdu.Object{Value: uint32(counter)},
	}, c.opt.stamp)
	return err
}

// testPattern is FBP, the contents of C_TS_NA_1.
const testPattern = 0x55AA

// TestPattern sends the test command of IEC 60870-5-101 (C_TS_NA_1), which few
// stations have, and waits until the station has mirrored it.
func (c *Client) TestPattern(ctx context.Context, ca uint16) error {
	_, err := c.ask(ctx, &call{
		header: asdu.Header{Type: asdu.C_TS_NA_1, Cause: asdu.Activation, CA: ca},
		object: asdu.Object{Value: testPattern},
	}, nil)
	return err
}

// Reset asks a station to reset: qrp 1 the process, 2 the time-tagged events
// that wait to be sent. The station may close the connection after confirming.
func (c *Client) Reset(ctx context.Context, ca uint16, qrp uint8) (Result, error) {
	return c.ask(ctx, &call{
		header: asdu.Header{Type: asdu.C_RP_NA_1, Cause: asdu.Activation, CA: ca},
		object: asdu.Object{Qualifier: qrp},
	}, nil)
}

// ask builds and sends a request and waits for its answer.
func (c *Client) ask(ctx context.Context, w *call, stamp func() asdu.Time) (Result, error) {
	b, err := c.prepare(w)
	if err != nil {
		return Result{}, err
	}
	result, _, err := c.do(ctx, outgoing{asdu: b, stamp: stamp, call: w})
	return result, err
}

// inquire is ask for a request that one object answers.
func (c *Client) inquire(ctx context.Context, w *call) (Reading, error) {
	b, err := c.prepare(w)
	if err != nil {
		return Reading{}, err
	}
	_, reading, err := c.do(ctx, outgoing{asdu: b, call: w})
	if err != nil {
		return Reading{}, err
	}
	return *reading, nil
}

// prepare builds a request.
func (c *Client) prepare(w *call) ([]byte, error) {
	w.global = w.header.CA == asdu.GlobalCA || c.p.Sizes.CA == 1 && w.header.CA == 255
	if w.global && !toAll(w.header.Type) {
		return nil, fmt.Errorf("iec104: %v: common address %d: want one station", w.header.Type, w.header.CA)
	}
	b, err := c.build(w.header, w.object)
	w.header.OA = c.opt.oa
	w.known = c.opt.stations
	w.news = make(chan struct{}, 1)
	w.open = make(map[uint16]bool)
	return b, err
}
