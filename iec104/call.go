package iec104

import (
	"context"
	"fmt"
	"time"

	"busbar/iec104/asdu"
)

// RequestLimits are how long the requests of a [Client] wait. The context of a
// request limits it as a whole.
type RequestLimits struct {
	// Confirm is for the confirmation of a request or the value of a read.
	// Default 10 s.
	Confirm time.Duration
	// Silence is between two parts of an answer. Default 30 s.
	Silence time.Duration
	// Settle is how long a request to all common addresses goes on waiting for
	// further stations after those that have answered are done. Default 1 s.
	Settle time.Duration
}

func (l RequestLimits) withDefaults() RequestLimits {
	l.Confirm = orDefault(l.Confirm, 10*time.Second)
	l.Silence = orDefault(l.Silence, 30*time.Second)
	l.Settle = orDefault(l.Settle, time.Second)
	return l
}

// NegativeError reports that the station refused a request.
type NegativeError struct {
	Type  asdu.TypeID
	CA    uint16
	Cause asdu.Cause // 44 … 47, or the confirmation that came with P/N = 1
}

func (e *NegativeError) Error() string {
	if e.Cause.Unknown() {
		return fmt.Sprintf("iec104: %v refused by common address %d: %v", e.Type, e.CA, e.Cause)
	}
	return fmt.Sprintf("iec104: %v refused by common address %d: negative %v", e.Type, e.CA, e.Cause)
}

// call is a request that waits for its answer. All but news and the limits is
// guarded by the lock of the link.
type call struct {
	header  asdu.Header // of the request
	object  asdu.Object
	data    asdu.Cause // of the data of the answer, 0: none
	ends    bool       // the answer ends with a termination
	global  bool       // to all common addresses
	news    chan struct{}
	open    map[uint16]bool // stations that have confirmed: not yet done
	result  Result
	refused *NegativeError
	reading *Reading
}

// Result tells what an answer consisted of; the objects went to the handler.
type Result struct {
	Stations []uint16 // common addresses that completed their answer, in that order
	Objects  int      // information objects of the answer
}

// Reading is the answer to a read.
type Reading struct {
	Header asdu.Header
	Object asdu.Object
}

// same reports whether two calls could not tell their answers apart.
func (c *call) same(d *call) bool {
	return c.header.Type == d.header.Type && (c.header.CA == d.header.CA || c.global || d.global) && c.object.IOA == d.object.IOA
}

// take looks whether an ASDU belongs to the answer. One that is cut short is
// recognised by its header if only one request is open.
func (c *call) take(a *asdu.ASDU, whole, only bool) bool {
	if a.OA != 0 && c.header.OA != 0 && a.OA != c.header.OA {
		return false
	}
	if a.CA != c.header.CA && !c.global {
		return false
	}
	switch {
	case a.Type == c.header.Type:
		if whole && !c.mirrors(a) || !whole && !only {
			return false
		}
		if !c.confirmed(a) {
			return false
		}
	case whole && c.data != 0 && a.Cause == c.data && !a.Type.Command():
		if !c.takeData(a) {
			return false
		}
	default:
		return false
	}
	select {
	case c.news <- struct{}{}:
	default:
	}
	return true
}

// mirrors reports whether an answer has the address and qualifier of the request.
func (c *call) mirrors(a *asdu.ASDU) bool {
	var objs [1]asdu.Object
	if a.Count() != 1 {
		return false
	}
	o := a.AppendObjects(objs[:0])
	return len(o) == 1 && o[0].IOA == c.object.IOA && o[0].Qualifier == c.object.Qualifier && o[0].Select == c.object.Select &&
		(c.header.Type != asdu.C_TS_TA_1 && !processCommand(c.header.Type) || o[0].Value == c.object.Value)
}

// confirmed takes a confirmation, termination or refusal.
func (c *call) confirmed(a *asdu.ASDU) bool {
	switch {
	case a.Cause.Unknown(),
		a.Negative && (a.Cause == asdu.ActivationCon || a.Cause == asdu.ActivationTerm):
		if c.refused == nil {
			c.refused = &NegativeError{Type: a.Type, CA: a.CA, Cause: a.Cause}
		}
		c.open[a.CA] = false
	case a.Cause == asdu.ActivationCon && c.ends:
		c.open[a.CA] = true
	case a.Cause == asdu.ActivationCon && c.header.Cause == asdu.Activation, a.Cause == asdu.ActivationTerm && c.ends:
		if open, seen := c.open[a.CA]; seen && !open {
			return false
		}
		c.open[a.CA] = false
		c.result.Stations = append(c.result.Stations, a.CA)
	default:
		return false
	}
	return true
}

// takeData takes a part of the data asked for.
func (c *call) takeData(a *asdu.ASDU) bool {
	if c.header.Type != asdu.C_RD_NA_1 {
		c.result.Objects += a.Count()
		return true
	}
	for _, o := range a.AppendObjects(nil) {
		if o.IOA == c.object.IOA {
			c.reading = &Reading{Header: a.Header, Object: o}
			return true
		}
	}
	return false
}

// pending returns how long to wait for the next part of the answer and what
// is wrong if it does not come; 0 if the answer is complete.
func (c *call) pending(l RequestLimits) (wait time.Duration, late error) {
	begun := len(c.open) > 0 || c.result.Objects > 0
	waiting := len(c.open) == 0
	for _, open := range c.open {
		waiting = waiting || open
	}
	switch {
	case c.reading != nil:
		return 0, nil
	case !begun:
		return l.Confirm, fmt.Errorf("iec104: %v: nothing for %v: %w", c.header.Type, l.Confirm, ErrTimeout)
	case waiting:
		return l.Silence, fmt.Errorf("%w: %v: nothing for %v: %w", ErrIncomplete, c.header.Type, l.Silence, ErrTimeout)
	case c.global:
		return l.Settle, nil // further stations may answer, or not
	default:
		return 0, nil
	}
}

// do sends a request and waits for its answer.
func (c *Client) do(ctx context.Context, o outgoing, waiting *call) error {
	conn, err := c.current()
	if err != nil {
		return err
	}
	if err := conn.send(o, waiting); err != nil {
		return err
	}
	err = conn.await(ctx, waiting)
	conn.forget(waiting)
	if err == nil && waiting.refused != nil {
		return waiting.refused
	}
	return err
}

// await returns when an answer is complete or will not be.
func (c *clientConn) await(ctx context.Context, waiting *call) error {
	for over := false; ; {
		c.link.mu.Lock()
		wait, late := waiting.pending(c.client.opt.limits)
		c.link.unlock()
		if wait == 0 {
			return nil
		}
		if over {
			return c.reason
		}
		timer := time.NewTimer(wait)
		select {
		case <-waiting.news:
		case <-timer.C:
			return late
		case <-c.done:
			over = true // look once more for an answer that came before the end
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		timer.Stop()
	}
}
