package iec104client

import (
	"context"
	"errors"
	"fmt"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/point"
)

var (
	errAway    = errors.New("not connected to the station")
	errExpired = errors.New("has expired")
)

// Execute implements [connector.Executor]. The order is sent on the present connection
// or not at all. It is accepted with the confirmation of the station (ACTCON), and
// replied with its termination (ACTTERM), or with a refusal.
func (c *Client) Execute(ctx context.Context, o point.Order, end any, report func(connector.Progress)) error {
	e := end.(*Executor)
	op, err := e.operation(&o)
	if err != nil {
		return err
	}
	if !c.started() {
		return errAway
	}
	if c.expired(ctx, &o) {
		return errExpired
	}
	if err := c.blocked(); err != nil {
		return err
	}
	selecting := op.Select
	op.Selected = func() { selecting = false }
	op.Confirmed = func() { report(connector.Progress{}) }
	err = c.link.Load().Command(ctx, op)
	if selecting && err != nil {
		return c.notSelected(ctx, op, err, report)
	}
	switch {
	case err == nil:
		report(connector.Progress{Replied: true, OK: true})
		return nil
	case isRefusal(err):
		return refusal(err, report)
	case errors.Is(err, iec104.ErrBusy):
		return c.notSent(op, err)
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, iec104.ErrIncomplete):
		return fmt.Errorf("%w: the station has not told the end of the command: %w", connector.ErrOutcomeUnknown, err)
	default:
		return fmt.Errorf("%w: %w", connector.ErrOutcomeUnknown, err)
	}
}

// notSelected takes the failure of a select: nothing was operated.
func (c *Client) notSelected(ctx context.Context, op iec104.Operation, err error, report func(connector.Progress)) error {
	switch {
	case isRefusal(err):
		return refusal(err, report)
	case ctx.Err() != nil: // given up by the library
		return fmt.Errorf("the station has not confirmed the select: %w", errExpired)
	case errors.Is(err, iec104.ErrBusy):
		return err
	default:
		return errors.Join(err, c.release(op)) // it may be selected
	}
}

// notSent takes the failure of an order that was not sent, and gives up its selection.
func (c *Client) notSent(op iec104.Operation, err error) error {
	if !op.Select {
		return err
	}
	return errors.Join(err, c.release(op))
}

// release gives up the selection of an object, without waiting for the answer.
func (c *Client) release(op iec104.Operation) error {
	err := c.link.Load().Send(asdu.Header{Type: op.Type, Cause: asdu.Deactivation, CA: op.CA},
		asdu.Object{IOA: op.IOA, Value: op.Value, Qualifier: op.Qualifier, Select: true, Time: c.stamp()})
	if errors.Is(err, iec104.ErrClosed) || errors.Is(err, iec104.ErrNotStarted) {
		return nil // the selection has ended with the connection
	}
	return err
}

// expired reports whether an order must not be sent any more.
func (c *Client) expired(ctx context.Context, o *point.Order) bool {
	return ctx.Err() != nil || o.Expires != 0 && point.InstantOf(c.env.Now()) >= o.Expires
}

func isRefusal(err error) bool {
	_, ok := errors.AsType[*iec104.NegativeError](err)
	return ok
}

// refusal reports that the station has refused an order. Other errors are returned.
func refusal(err error, report func(connector.Progress)) error {
	negative, ok := errors.AsType[*iec104.NegativeError](err)
	if !ok {
		return err
	}
	reason := "negative confirmation"
	switch {
	case negative.Cause.Unknown():
		reason = negative.Cause.String()
	case negative.Cause == asdu.ActivationTerm:
		reason = "negative termination"
	}
	report(connector.Progress{Replied: true, Reason: reason})
	return nil
}
