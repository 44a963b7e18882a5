package iec104

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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
	// further stations after those that have answered are done, if it is not
	// known which there are, see [WithStations]. Default 1 s.
	Settle time.Duration
	// Overdue is how long an answer may still come after a request was given up
	// without one. Meanwhile a request that it could be taken for fails with
	// [ErrBusy]. Default 30 s.
	Overdue time.Duration
	// File is for each step of a file transfer. Default 30 s.
	File time.Duration
}

func (l RequestLimits) withDefaults() RequestLimits {
	l.Confirm = orDefault(l.Confirm, 10*time.Second)
	l.Silence = orDefault(l.Silence, 30*time.Second)
	l.Settle = orDefault(l.Settle, time.Second)
	l.Overdue = orDefault(l.Overdue, 30*time.Second)
	l.File = orDefault(l.File, 30*time.Second)
	return l
}

// Errors of requests that callers tell apart with errors.Is, beside those of a
// [Client].
var (
	// ErrBusy reports that the same request is still being answered, or that an
	// answer to one that was given up may still come.
	ErrBusy = errors.New("iec104: request already running")
	// ErrIncomplete reports that an answer began and did not end in time. What
	// was received of it is valid.
	ErrIncomplete = errors.New("iec104: answer incomplete")
	// ErrRestarted reports that the station has restarted instead of answering.
	ErrRestarted = errors.New("iec104: station restarted")
	// ErrCancelled reports that the request was cancelled by a deactivation.
	ErrCancelled = errors.New("iec104: request cancelled")
)

// NegativeError reports that the station refused a request.
type NegativeError struct {
	Type  asdu.TypeID
	CA    uint16
	IOA   uint32
	Cause asdu.Cause // 44 … 47, or that of the answer that came with P/N = 1: 7, 9, or 10 if the operation failed
}

func (e *NegativeError) Error() string {
	negative := ""
	if !e.Cause.Unknown() {
		negative = "negative "
	}
	return fmt.Sprintf("iec104: %v refused by common address %d, object %d: %s%v", e.Type, e.CA, e.IOA, negative, e.Cause)
}

// maxOverdue bounds the requests that are remembered after they were given up.
const maxOverdue = 256

// open admits a call.
func (c *clientConn) open(w *call) error {
	now := c.link.now()
	c.expire(now)
	for _, v := range c.calls {
		if v.same(w) {
			return ErrBusy
		}
	}
	for _, v := range c.overdue {
		if v.alike(w) {
			return fmt.Errorf("%w: the answer to an earlier one may still come, for %v", ErrBusy, (v.until - now).Round(time.Millisecond))
		}
	}
	w.heard = now
	w.session = session{c, c.transfers}
	c.calls = append(c.calls, w)
	if w.header.Type == asdu.C_IC_NA_1 && w.header.Cause == asdu.Activation {
		c.gi, c.asked = w, InterrogationInfo{CA: w.header.CA, Qualifier: w.object.Qualifier, Begun: time.Now(), Result: resultRunning}
	}
	c.asking.Store(true)
	return nil
}

// forget ends a call and returns what came of it. It is not sent any more if it
// was not; if it was and nothing came, an answer that comes late is not to be
// taken for that to another request.
func (c *clientConn) forget(w *call, err error) (Result, *Reading, error) {
	l := &c.link
	l.mu.Lock()
	defer l.unlock()
	c.calls = slices.DeleteFunc(c.calls, func(v *call) bool { return v == w })
	switch {
	case !w.sent:
		c.sends = slices.DeleteFunc(c.sends, func(o outgoing) bool { return o.call == w })
	case !w.answered():
		if len(c.overdue) >= maxOverdue {
			c.overdue = slices.Delete(c.overdue, 0, 1)
		}
		late := &call{header: w.header, object: w.object, data: w.data, ends: w.ends, global: w.global, sent: true, ns: w.ns,
			until: l.now() + c.client.opt.limits.Overdue, open: make(map[uint16]bool)}
		c.overdue = append(c.overdue, late)
	}
	c.asking.Store(len(c.calls)+len(c.overdue) > 0)
	if c.renewal != nil && !c.retiring && len(c.calls) == 0 && c.files.box == nil {
		c.retire()
	}
	if w.global {
		w.result.Missing = w.missing()
	}
	if w == c.gi {
		c.asked.end(resultOf(cmp.Or(err, w.fault)), w.result.Objects)
	}
	return w.result, w.reading, w.fault
}

// resultOf returns the end of an interrogation in words.
func resultOf(err error) string {
	_, refused := errors.AsType[*NegativeError](err)
	switch {
	case err == nil:
		return resultCompleted
	case refused:
		return resultRefused
	case errors.Is(err, ErrCancelled):
		return resultCancelled
	case errors.Is(err, ErrClosed), errors.Is(err, ErrNotStarted), errors.Is(err, context.Canceled):
		return resultBroken
	default:
		return strings.TrimPrefix(err.Error(), "iec104: ")
	}
}

// expire forgets the calls whose answer is not to be expected any more.
func (c *clientConn) expire(now time.Duration) {
	c.overdue = slices.DeleteFunc(c.overdue, func(w *call) bool { return now >= w.until })
	c.asking.Store(len(c.calls)+len(c.overdue) > 0)
}

// do sends a request and waits for its answer.
func (c *Client) do(ctx context.Context, o outgoing) (Result, *Reading, error) {
	conn, err := o.call.session.conn, error(nil)
	if conn == nil {
		conn, err = c.current()
	}
	if err != nil {
		return Result{}, nil, err
	}
	if err := conn.send(o); err != nil {
		return Result{}, nil, err
	}
	err = conn.await(ctx, o.call)
	result, reading, fault := conn.forget(o.call, err)
	if err == nil {
		err = fault
	}
	return result, reading, err
}

// await returns when an answer is complete or will not be.
func (c *clientConn) await(ctx context.Context, w *call) error {
	timer := time.NewTimer(c.client.opt.limits.Confirm)
	defer timer.Stop()
	for over := false; ; {
		c.link.mu.Lock()
		now := c.link.now()
		done, until, late := w.progress(c.client.opt.limits)
		confirmed := w.confirmed != nil && w.accepted
		c.link.unlock()
		if confirmed {
			w.confirmed()
			w.confirmed = nil
		}
		switch {
		case done || late == nil && now >= until:
			return nil
		case over:
			return c.reason
		case now >= until:
			return late
		}
		timer.Reset(until - now)
		select {
		case <-w.news:
		case <-timer.C:
		case <-c.done:
			over = true // look once more for an answer that came before the end
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// progress tells whether an answer is complete. If it is not, it tells until
// when to wait for its next part, and what is wrong if that does not come;
// nothing, if there need not be one.
func (w *call) progress(l RequestLimits) (done bool, until time.Duration, late error) {
	begun, waiting := len(w.open) > 0 || w.result.Objects > 0, len(w.open) == 0
	for _, open := range w.open {
		waiting = waiting || open
	}
	switch {
	case w.over, w.reading != nil:
		return true, 0, nil
	case !begun:
		return false, w.heard + l.Confirm, fmt.Errorf("iec104: %v: nothing for %v: %w", w.header.Type, l.Confirm, ErrTimeout)
	case waiting:
		return false, w.heard + l.Silence, fmt.Errorf("%w: %v: nothing for %v: %w", ErrIncomplete, w.header.Type, l.Silence, ErrTimeout)
	case !w.global || w.known != nil && w.heardOfAll():
		return true, 0, nil
	case w.known == nil:
		return false, w.heard + l.Settle, nil // further stations may answer, or not
	default:
		return false, w.heard + l.Confirm,
			fmt.Errorf("%w: %v: nothing of common addresses %v for %v: %w", ErrIncomplete, w.header.Type, w.missing(), l.Confirm, ErrTimeout)
	}
}

// forAll reports whether a station has answered under the common address of
// all, as some do for all they have.
func (w *call) forAll() bool {
	open, begun := w.open[asdu.GlobalCA]
	return begun && !open
}

// heardOfAll reports whether every station that is known has answered a request
// to all.
func (w *call) heardOfAll() bool {
	return w.forAll() || !slices.ContainsFunc(w.known, func(ca uint16) bool { return !w.heardOf(ca) })
}

// missing returns the stations that are known and did not complete their answer
// to a request to all.
func (w *call) missing() (list []uint16) {
	for _, ca := range w.known {
		if !w.forAll() && !slices.Contains(w.result.Stations, ca) {
			list = append(list, ca)
		}
	}
	return list
}
