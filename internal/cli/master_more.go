package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"

	"busbar/iec104"
	"busbar/iec104/asdu"
)

// complete makes what a request sends of its flags.
func (o *masterOptions) complete(r *masterRequest, order *commandFlags) (err error) {
	switch r.name {
	case "command", "select", "execute":
		o.operation, err = order.operation(o.ca, o.ioa)
		if err == nil && r.name == "select" && o.operation.Type.Untagged() == asdu.C_BO_NA_1 {
			err = errors.New("--type: a bitstring cannot be selected")
		}
	case "cancel":
		if order.typ != "" {
			o.operation, err = order.operation(o.ca, o.ioa)
		}
		if err == nil && order.typ != "" && o.ioa == 0 {
			err = fmt.Errorf("--ioa: 0, want 1 to %d", asdu.MaxIOA)
		}
	case "parameter":
		err = o.parameter.complete(o, order)
	case "discover":
		err = o.discover.check()
	}
	return err
}

func askSelect(ctx context.Context, c *iec104.Client, o *masterOptions) (string, error) {
	return fmt.Sprintf("%s to %d/%d selected", o.operation.Type, o.ca, o.ioa), c.Select(ctx, o.operation)
}

func askExecute(ctx context.Context, c *iec104.Client, o *masterOptions) (string, error) {
	o.operation.Select = false
	return askCommand(ctx, c, o)
}

// ofCancel wants the answers to what is cancelled.
func ofCancel(o *masterOptions, h asdu.Header) bool {
	if o.operation.Type == 0 {
		return h.Type == asdu.C_IC_NA_1
	}
	return h.Type == o.operation.Type
}

func askCancel(ctx context.Context, c *iec104.Client, o *masterOptions) (string, error) {
	if o.operation.Type == 0 {
		return fmt.Sprintf("interrogation of %d cancelled", o.ca), c.CancelInterrogation(ctx, o.ca, uint8(asdu.InterrogatedGeneral)+o.group)
	}
	return fmt.Sprintf("%s to %d/%d cancelled", o.operation.Type, o.ca, o.ioa), c.Cancel(ctx, o.operation)
}

func askStart(ctx context.Context, c *iec104.Client, _ *masterOptions) (string, error) {
	return "data transfer started", c.StartDT(ctx)
}

func askStop(ctx context.Context, c *iec104.Client, _ *masterOptions) (string, error) {
	return "data transfer stopped", c.StopDT(ctx)
}

// parameterFlags are the flags of the request `parameter`.
type parameterFlags struct {
	kpa        string
	qpa        uint
	deactivate bool
	load       iec104.Parameter
}

func (f *parameterFlags) define(fs *flag.FlagSet) {
	fs.StringVar(&f.kpa, "kpa", "threshold", "of parameter: kind, threshold, smoothing, low, high or 1 … 63")
	fs.UintVar(&f.qpa, "qpa", 0, "of parameter: activate 1 what was loaded before, 2 this object, 3 its cyclic transmission")
	fs.BoolVar(&f.deactivate, "deactivate", false, "of parameter: with --qpa, deactivate")
}

// complete checks the flags and makes the parameter of them.
func (f *parameterFlags) complete(o *masterOptions, order *commandFlags) error {
	switch {
	case f.qpa > 255:
		return fmt.Errorf("--qpa: %d, want 1 to 255", f.qpa)
	case f.qpa > 0 && (order.typ != "" || order.value != ""):
		return errors.New("--qpa: activates what was loaded, want it without --type and --value")
	case f.qpa > 0:
		return nil
	case f.deactivate:
		return errors.New("--deactivate: want --qpa with it")
	case o.ioa == 0:
		return fmt.Errorf("--ioa: 0, want 1 to %d", asdu.MaxIOA)
	}
	t, ok := asdu.ParseTypeID(order.typ)
	values := map[asdu.TypeID]asdu.TypeID{asdu.P_ME_NA_1: asdu.C_SE_NA_1, asdu.P_ME_NB_1: asdu.C_SE_NB_1, asdu.P_ME_NC_1: asdu.C_SE_NC_1}
	family, fits := values[t]
	if !ok || !fits {
		return fmt.Errorf("--type: %q, want P_ME_NA_1, P_ME_NB_1, P_ME_NC_1 or 110 to 112", order.typ)
	}
	value, err := parseSetPoint(family, order.value)
	if err != nil {
		return fmt.Errorf("--value: %q, want %w for %s", order.value, err, t)
	}
	kind, err := parseKPA(f.kpa)
	if err != nil {
		return err
	}
	f.load = iec104.Parameter{CA: o.ca, IOA: o.ioa, Type: t, Value: value, Qualifier: kind}
	return nil
}

// parseKPA reads the kind of a parameter.
func parseKPA(text string) (uint8, error) {
	if i := slices.Index([]string{"threshold", "smoothing", "low", "high"}, text); i >= 0 {
		return uint8(i + 1), nil
	}
	var kind uint8
	if n, err := fmt.Sscanf(text, "%d", &kind); n != 1 || err != nil || kind < 1 || kind > 63 {
		return 0, fmt.Errorf("--kpa: %q, want threshold, smoothing, low, high or 1 to 63", text)
	}
	return kind, nil
}

// ofParameter wants the answers to a parameter.
func ofParameter(o *masterOptions, h asdu.Header) bool {
	if o.parameter.qpa > 0 {
		return h.Type == asdu.P_AC_NA_1
	}
	return h.Type == o.parameter.load.Type && h.Cause != asdu.Activation
}

func askParameter(ctx context.Context, c *iec104.Client, o *masterOptions) (string, error) {
	f := &o.parameter
	switch qpa := uint8(f.qpa); {
	case f.deactivate:
		return fmt.Sprintf("parameter of %d/%d deactivated", o.ca, o.ioa), c.DeactivateParameter(ctx, o.ca, o.ioa, qpa)
	case f.qpa > 0:
		return fmt.Sprintf("parameter of %d/%d activated", o.ca, o.ioa), c.ActivateParameter(ctx, o.ca, o.ioa, qpa)
	}
	_, err := c.SetParameter(ctx, f.load)
	return fmt.Sprintf("%s of %d/%d loaded", f.load.Type, o.ca, o.ioa), err
}
