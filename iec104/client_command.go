package iec104

import (
	"context"
	"errors"
	"fmt"

	"busbar/iec104/asdu"
)

// Operation is a command of a controlling station, types 45 … 51 and 58 … 64.
type Operation struct {
	CA        uint16 // of one station: commands to all are not permitted
	IOA       uint32
	Type      asdu.TypeID
	Value     uint32 // as in [asdu.Object]
	Qualifier uint8  // QU of a command, QL of a set point
	// Select selects the object first, and operates it only after that was confirmed.
	Select bool
	// Unterminated: the station confirms only, and never sends a termination.
	Unterminated bool
	// Stamp is asked for the time tag of a type that has one at the moment of
	// writing, and must not call the client. The default is the time of [WithTime].
	Stamp func() asdu.Time
	// Selected is called when the station has confirmed the selection of Command,
	// before the operation is sent: what fails later may have been carried out. It may be nil.
	Selected func()
	// Confirmed is called when the station has confirmed that it will carry out
	// the operation, before it has. It may be nil.
	Confirmed func()
}

// Command has a station carry out an operation. It returns nil after the
// termination, or if the station sends none after the confirmation. Values that
// come meanwhile, such as return information, go to the handler.
//
// It fails as the other requests do, with a *[NegativeError] also if the select
// or the termination is negative, and with [ErrIncomplete] if the command was
// confirmed but no termination came: it may have been carried out. The
// limits Confirm and Silence are those for confirmation and termination. If ctx
// ends after the object was selected, the selection is cancelled. A selection
// ends with the connection or its data transfer: it is not executed on another.
func (c *Client) Command(ctx context.Context, op Operation) error {
	if !op.Select {
		return c.Execute(ctx, op)
	}
	at, err := c.selectObject(ctx, op)
	switch {
	case ctx.Err() != nil && !errors.Is(err, ErrNotStarted) && !errors.Is(err, ErrClosed): // it may be selected
		return errors.Join(ctx.Err(), c.Send(asdu.Header{Type: op.Type, Cause: asdu.Deactivation, CA: op.CA}, op.object(true)))
	case err != nil:
		return err
	}
	if op.Selected != nil {
		op.Selected()
	}
	_, err = c.order(ctx, op, asdu.Activation, false, at)
	return err
}

// Select selects the object of an operation, to be operated with Execute within
// the time that the station gives, or given up with Cancel. It fails as Command.
func (c *Client) Select(ctx context.Context, op Operation) error {
	_, err := c.selectObject(ctx, op)
	return err
}

// selectObject selects the object of an operation and returns where.
func (c *Client) selectObject(ctx context.Context, op Operation) (session, error) {
	op.Unterminated, op.Confirmed = true, nil
	at, err := c.order(ctx, op, asdu.Activation, true, session{})
	if err != nil {
		return at, fmt.Errorf("select: %w", err)
	}
	return at, nil
}

// Execute carries an operation out without selecting its object first. It fails
// as Command.
func (c *Client) Execute(ctx context.Context, op Operation) error {
	_, err := c.order(ctx, op, asdu.Activation, false, session{})
	return err
}

// Cancel gives up the selection of an object, with op.Select, or else an operation
// that is running, whose Command then ends with [ErrCancelled]. It fails with a
// *[NegativeError] if there is nothing to cancel.
func (c *Client) Cancel(ctx context.Context, op Operation) error {
	op.Unterminated, op.Confirmed = true, nil
	_, err := c.order(ctx, op, asdu.Deactivation, op.Select, session{})
	return err
}

// order sends one step of a command and waits for its answer. The step belongs
// into a session, if one is given: a selection ends with it. It returns the
// session that the step was sent in.
func (c *Client) order(ctx context.Context, op Operation, cause asdu.Cause, sel bool, within session) (session, error) {
	switch {
	case !processCommand(op.Type):
		return session{}, fmt.Errorf("iec104: %v: want a command, types 45 to 51 and 58 to 64", op.Type)
	case sel && op.Type.Untagged() == asdu.C_BO_NA_1:
		return session{}, fmt.Errorf("iec104: %v: a bitstring cannot be selected", op.Type)
	}
	stamp := op.Stamp
	switch {
	case op.Type.Time() == asdu.NoTime:
		stamp = nil
	case stamp == nil:
		stamp = c.opt.stamp
	}
	w := &call{
		header:    asdu.Header{Type: op.Type, Cause: cause, CA: op.CA},
		object:    op.object(sel),
		ends:      !op.Unterminated,
		confirmed: op.Confirmed,
		session:   within,
	}
	_, err := c.ask(ctx, w, stamp)
	return w.session, err
}

func (op *Operation) object(sel bool) asdu.Object {
	return asdu.Object{IOA: op.IOA, Value: op.Value, Qualifier: op.Qualifier, Select: sel}
}
