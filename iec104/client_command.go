package iec104

import (
	"context"
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
	// writing. The default is the time of this computer in UTC.
	Stamp func() asdu.Time
}

// Command has a station carry out an operation. It returns nil after the
// termination, or if the station sends none after the confirmation. Values that
// come meanwhile, such as return information, go to the handler.
//
// It fails as the other requests do, with a *[NegativeError] also if the select
// or the termination is negative, and with [ErrIncomplete] if the command was
// confirmed but no termination came: it may have been carried out. The
// limits Confirm and Silence are those for confirmation and termination.
func (c *Client) Command(ctx context.Context, op Operation) error {
	switch {
	case !processCommand(op.Type):
		return fmt.Errorf("iec104: %v: want a command, types 45 to 51 and 58 to 64", op.Type)
	case op.Select && op.Type.Untagged() == asdu.C_BO_NA_1:
		return fmt.Errorf("iec104: %v: a bitstring cannot be selected", op.Type)
	case op.CA == asdu.GlobalCA:
		return fmt.Errorf("iec104: %v: common address %d: want one station", op.Type, op.CA)
	}
	if op.Select {
		if err := c.order(ctx, op, true); err != nil {
			return fmt.Errorf("select: %w", err)
		}
	}
	return c.order(ctx, op, false)
}

// order sends one step of a command and waits for its answer.
func (c *Client) order(ctx context.Context, op Operation, sel bool) error {
	w := &call{
		header: asdu.Header{Type: op.Type, Cause: asdu.Activation, CA: op.CA},
		object: asdu.Object{IOA: op.IOA, Value: op.Value, Qualifier: op.Qualifier, Select: sel},
		ends:   !sel && !op.Unterminated,
	}
	stamp := op.Stamp
	switch {
	case op.Type.Time() == asdu.NoTime:
		stamp = nil
	case stamp == nil:
		stamp = utcNow
	}
	_, err := c.ask(ctx, w, stamp)
	return err
}
