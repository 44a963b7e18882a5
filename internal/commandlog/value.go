package commandlog

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"busbar/internal/point"
)

func typeName(v point.Value) string {
	if v.Type() == 0 {
		return ""
	}
	return v.Type().String()
}

// The floats that JSON has no numbers for.
const (
	notANumber = "NaN"
	infinite   = "Infinity"
	negative   = "-Infinity"
)

// EncodeValue returns the JSON of a value as the log has it: the name of a state, a number, or a
// string for a float that is no number. It is nil for no value.
func EncodeValue(v point.Value) (json.RawMessage, error) {
	switch v.Type() {
	case 0:
		return nil, nil
	case point.Single, point.Double:
		return json.Marshal(v.String())
	case point.Bits:
		return json.Marshal(v.Bits())
	case point.Step, point.Int, point.Counter:
		return json.Marshal(v.Int())
	case point.Float:
		return encodeFloat(v.Float())
	default:
		return json.Marshal(v.Text())
	}
}

func encodeFloat(f float64) (json.RawMessage, error) {
	switch {
	case math.IsNaN(f):
		return json.Marshal(notANumber)
	case math.IsInf(f, 1):
		return json.Marshal(infinite)
	case math.IsInf(f, -1):
		return json.Marshal(negative)
	default:
		return json.Marshal(f)
	}
}

// decodeValue returns the value of a type. No type is no value.
func decodeValue(typ string, text json.RawMessage) (point.Value, error) {
	if typ == "" {
		return point.Value{}, nil
	}
	t, ok := point.ParseType(typ)
	if !ok {
		return point.Value{}, fmt.Errorf("type %q is not known", typ)
	}
	if len(text) == 0 || string(text) == "null" {
		return point.Value{}, errors.New("is missing")
	}
	switch t {
	case point.Single, point.Double:
		return decodeState(t, text)
	case point.Bits:
		bits, err := decodeAs[uint32](text)
		return point.BitsValue(bits), err
	case point.Step:
		position, err := decodeAs[int8](text)
		if err == nil && (position < point.StepMin || position > point.StepMax) {
			err = fmt.Errorf("step position %d", position)
		}
		return point.StepValue(int(position), false), err
	case point.Int:
		i, err := decodeAs[int64](text)
		return point.IntValue(i), err
	case point.Counter:
		i, err := decodeAs[int64](text)
		return point.CounterValue(i), err
	case point.Float:
		return decodeFloat(text)
	default:
		s, err := decodeAs[string](text)
		return point.TextValue(s), err
	}
}

func decodeAs[T any](text json.RawMessage) (v T, err error) {
	err = json.Unmarshal(text, &v)
	return v, err
}

func decodeState(t point.Type, text json.RawMessage) (point.Value, error) {
	name, err := decodeAs[string](text)
	if err != nil {
		return point.Value{}, err
	}
	state, ok := point.ParseDouble(name)
	single := state == point.DoubleOff || state == point.DoubleOn
	switch {
	case !ok, t == point.Single && !single:
		return point.Value{}, fmt.Errorf("state %q", name)
	case t == point.Single:
		return point.SingleValue(state == point.DoubleOn), nil
	default:
		return point.DoubleValue(state), nil
	}
}

func decodeFloat(text json.RawMessage) (point.Value, error) {
	if text[0] != '"' {
		f, err := decodeAs[float64](text)
		return point.FloatValue(f), err
	}
	name, err := decodeAs[string](text)
	if err != nil {
		return point.Value{}, err
	}
	switch name {
	case notANumber:
		return point.FloatValue(math.NaN()), nil
	case infinite:
		return point.FloatValue(math.Inf(1)), nil
	case negative:
		return point.FloatValue(math.Inf(-1)), nil
	default:
		return point.Value{}, fmt.Errorf("number %q", name)
	}
}
