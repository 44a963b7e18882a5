package iec104

import (
	"context"
	"fmt"

	"busbar/iec104/asdu"
)

// Parameter is a parameter of a measured value.
type Parameter struct {
	CA   uint16
	IOA  uint32 // of the parameter, or of the measured value: an agreement
	Type asdu.TypeID
	// Value as in [asdu.Object]: normalised, scaled or short float after the type,
	// P_ME_NA_1, P_ME_NB_1 or P_ME_NC_1.
	Value uint32
	// Qualifier is QPM: 1 threshold, 2 smoothing, 3 and 4 the limits for sending.
	// The two highest bits are LPC and POP.
	Qualifier uint8
}

// maskKPA is the kind of the parameter in QPM.
const maskKPA = 0x3F

// SetParameter loads a parameter and returns the station's confirmation. With
// POP, the highest bit of its qualifier, the parameter is not in operation until
// it is activated, see [Client.ActivateParameter].
func (c *Client) SetParameter(ctx context.Context, p Parameter) (Reading, error) {
	if !parameterValue(p.Type) {
		return Reading{}, fmt.Errorf("iec104: %v: want a parameter, types 110 to 112", p.Type)
	}
	return c.inquire(ctx, &call{
		header: asdu.Header{Type: p.Type, Cause: asdu.Activation, CA: p.CA},
		object: asdu.Object{IOA: p.IOA, Value: p.Value, Qualifier: p.Qualifier},
	})
}

// ActivateParameter activates (P_AC_NA_1) with qpa 1 the parameters loaded
// before, with ioa 0; with 2 that of the object; with 3 the cyclic transmission
// of the object.
func (c *Client) ActivateParameter(ctx context.Context, ca uint16, ioa uint32, qpa uint8) error {
	return c.parameter(ctx, asdu.Activation, ca, ioa, qpa)
}

// DeactivateParameter undoes [Client.ActivateParameter].
func (c *Client) DeactivateParameter(ctx context.Context, ca uint16, ioa uint32, qpa uint8) error {
	return c.parameter(ctx, asdu.Deactivation, ca, ioa, qpa)
}

func (c *Client) parameter(ctx context.Context, cause asdu.Cause, ca uint16, ioa uint32, qpa uint8) error {
	_, err := c.ask(ctx, &call{
		header: asdu.Header{Type: asdu.P_AC_NA_1, Cause: cause, CA: ca},
		object: asdu.Object{IOA: ioa, Qualifier: qpa},
	}, nil)
	return err
}

// parameterValue reports whether t is the value of a parameter.
func parameterValue(t asdu.TypeID) bool { return t >= asdu.P_ME_NA_1 && t <= asdu.P_ME_NC_1 }
