package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"strconv"

	"busbar/iec104"
	"busbar/iec104/asdu"
)

// commandFlags are the flags of the request `command`.
type commandFlags struct {
	typ, value   string
	sel          bool
	qu, ql       uint
	unterminated bool
}

func (f *commandFlags) define(fs *flag.FlagSet) {
	fs.StringVar(&f.typ, "type", "", "of command: type identification, C_SC_NA_1 … C_BO_NA_1, C_SC_TA_1 … C_BO_TA_1, or 45 … 64")
	fs.StringVar(&f.value, "value", "", "of command: on, off, lower, higher, or a number; of C_SE_NA_1 −1 … 1")
	fs.BoolVar(&f.sel, "select", false, "of command: select before operate")
	fs.UintVar(&f.qu, "qu", 0, "of command: qualifier of a command, 0 … 31")
	fs.UintVar(&f.ql, "ql", 0, "of command: qualifier of a set point, 0 … 127")
	fs.BoolVar(&f.unterminated, "no-termination", false, "of command: the station sends no ACTTERM, its confirmation is the end")
}

// operation makes the command to be sent of the flags.
func (f *commandFlags) operation(ca uint16, ioa uint32) (iec104.Operation, error) {
	op := iec104.Operation{CA: ca, IOA: ioa, Select: f.sel, Unterminated: f.unterminated}
	t, ok := asdu.ParseTypeID(f.typ)
	family := t.Untagged()
	if !ok || family < asdu.C_SC_NA_1 || family > asdu.C_BO_NA_1 {
		return op, fmt.Errorf("--type: %q, want a command such as C_SC_NA_1 or 45", f.typ)
	}
	op.Type = t
	value, err := parseOrder(family, f.value)
	if err != nil {
		return op, fmt.Errorf("--value: %q, want %w for %s", f.value, err, t)
	}
	op.Value = value
	setPoint := family >= asdu.C_SE_NA_1 && family <= asdu.C_SE_NC_1
	switch {
	case f.sel && family == asdu.C_BO_NA_1:
		return op, errors.New("--select: a bitstring cannot be selected")
	case f.qu > 31 || f.qu > 0 && family > asdu.C_RC_NA_1:
		return op, fmt.Errorf("--qu: %d, want 0 to 31, of C_SC, C_DC and C_RC only", f.qu)
	case f.ql > 127 || f.ql > 0 && !setPoint:
		return op, fmt.Errorf("--ql: %d, want 0 to 127, of C_SE only", f.ql)
	case setPoint:
		op.Qualifier = uint8(f.ql)
	default:
		op.Qualifier = uint8(f.qu)
	}
	return op, nil
}

// parseOrder returns the bits of a value. The error says what is wanted.
func parseOrder(family asdu.TypeID, text string) (uint32, error) {
	words, raw := map[string]uint32{}, uint64(0)
	switch family {
	case asdu.C_SC_NA_1:
		words, raw = map[string]uint32{"off": 0, "on": 1, "false": 0, "true": 1}, 1
	case asdu.C_DC_NA_1:
		words, raw = map[string]uint32{"off": 1, "on": 2}, 3
	case asdu.C_RC_NA_1:
		words, raw = map[string]uint32{"lower": 1, "higher": 2}, 3
	case asdu.C_BO_NA_1:
		raw = math.MaxUint32
	default:
		return parseSetPoint(family, text)
	}
	if v, ok := words[text]; ok {
		return v, nil
	}
	if v, err := strconv.ParseUint(text, 0, 32); err == nil && v <= raw {
		return uint32(v), nil
	}
	want := fmt.Sprintf("a number from 0 to %d", raw)
	switch family {
	case asdu.C_SC_NA_1:
		want = "on, off, 1 or 0"
	case asdu.C_DC_NA_1:
		want = "on, off, or the bits of the state, 0 to 3"
	case asdu.C_RC_NA_1:
		want = "lower, higher, or the bits of the state, 0 to 3"
	}
	return 0, errors.New(want)
}

// parseSetPoint is parseOrder for set points.
func parseSetPoint(family asdu.TypeID, text string) (uint32, error) {
	switch family {
	case asdu.C_SE_NB_1:
		v, err := strconv.ParseInt(text, 0, 16)
		if err != nil {
			return 0, errors.New("a number from −32768 to 32767")
		}
		return uint32(int32(v)), nil
	case asdu.C_SE_NC_1:
		v, err := strconv.ParseFloat(text, 32)
		if err != nil {
			return 0, errors.New("a number")
		}
		return math.Float32bits(float32(v)), nil
	default:
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || !(v >= -1 && v <= 1) {
			return 0, errors.New("a number from −1 to 1")
		}
		bits, _ := asdu.NormalizedValue(v) // 1 is its largest value
		return bits, nil
	}
}

func askCommand(ctx context.Context, c *iec104.Client, o *masterOptions) (string, error) {
	if err := c.Command(ctx, o.operation); err != nil {
		return "", err
	}
	done := "executed and terminated"
	if o.operation.Unterminated {
		done = "confirmed"
	}
	return fmt.Sprintf("%s to %d/%d %s", o.operation.Type, o.ca, o.ioa, done), nil
}
