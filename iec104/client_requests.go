package iec104

import (
	"context"
	"fmt"
	"time"

	"busbar/iec104/asdu"
)

// The requests below fail with a *[NegativeError] if the station refuses, with
// [ErrTimeout] if it does not answer in time, with [ErrClosed] if the connection
// ends, with [ErrNotStarted] and [ErrBusy], and with ctx.Err(). The station may
// have got a request that failed otherwise than by refusal.

// Interrogate asks for the values of a station: qoi 20 of all points, 21 … 36 of a
// group. ca is its common address, or [asdu.GlobalCA] for all. The values go to
// the handler, which has had them all when Interrogate returns. It fails with
// [ErrIncomplete] as well if the answer began but no termination came.
func (c *Client) Interrogate(ctx context.Context, ca uint16, qoi uint8) (Result, error) {
	return c.ask(ctx, &call{
		header: asdu.Header{Type: asdu.C_IC_NA_1, Cause: asdu.Activation, CA: ca},
		object: asdu.Object{Qualifier: qoi},
		data:   dataCause(asdu.C_IC_NA_1, qoi),
		ends:   true,
	}, nil)
}

// Counters asks for counters, or freezes or resets them: rqt 5 is all, 1 … 4 a
// group; frz 0 reads, 1 freezes, 2 freezes and resets, 3 resets. The readings
// go to the handler.
func (c *Client) Counters(ctx context.Context, ca uint16, rqt, frz uint8) (Result, error) {
	if rqt > 0x3F || frz > 3 {
		return Result{}, fmt.Errorf("iec104: counter request %d, freeze %d: want up to 63 and up to 3", rqt, frz)
	}
	w := &call{
		header: asdu.Header{Type: asdu.C_CI_NA_1, Cause: asdu.Activation, CA: ca},
		object: asdu.Object{Qualifier: frz<<6 | rqt},
	}
	if frz == 0 {
		// Only a reading has an end to wait for.
		w.ends = true
		w.data = dataCause(asdu.C_CI_NA_1, rqt)
	}
	return c.ask(ctx, w, nil)
}

// Read asks for the present value of one object.
func (c *Client) Read(ctx context.Context, ca uint16, ioa uint32) (Reading, error) {
	w := &call{
		header: asdu.Header{Type: asdu.C_RD_NA_1, Cause: asdu.Request, CA: ca},
		object: asdu.Object{IOA: ioa},
		data:   asdu.Request,
	}
	if _, err := c.ask(ctx, w, nil); err != nil {
		return Reading{}, err
	}
	return *w.reading, nil
}

// ClockSync sends the time to a station, or to all. stamp is asked for it at
// the moment of writing; nil is the time of this computer in UTC.
func (c *Client) ClockSync(ctx context.Context, ca uint16, stamp func() asdu.Time) (Result, error) {
	if stamp == nil {
		stamp = utcNow
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
	}, utcNow)
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
	b, err := c.build(w.header, w.object)
	if err != nil {
		return Result{}, err
	}
	w.header.OA = c.opt.oa
	w.global = w.header.CA == asdu.GlobalCA || c.p.Sizes.CA == 1 && w.header.CA == 255
	w.news = make(chan struct{}, 1)
	w.open = make(map[uint16]bool)
	err = c.do(ctx, outgoing{asdu: b, stamp: stamp}, w)
	return w.result, err
}
