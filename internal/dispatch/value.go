package dispatch

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"busbar/internal/point"
)

// ParseValue reads the value of an order from JSON, for a command of a type: true, false or the
// name of a state of single and double commands, "lower" or "higher", −1 or 1 of a step, otherwise a
// number. raw is valid JSON, or empty where there is none.
func ParseValue(raw json.RawMessage, typ point.Type) (v point.Value, err error) {
	text := string(raw)
	if len(raw) > 0 && raw[0] == '"' {
		if err := json.Unmarshal(raw, &text); err != nil {
			return v, err
		}
	}
	switch typ {
	case point.Single, point.Double:
		switch text {
		case "true", "on":
			return switched(true, typ), nil
		case "false", "off":
			return switched(false, typ), nil
		}
		return v, fmt.Errorf("is %s, want true, false, on or off", brief(raw))
	case point.Step:
		switch text {
		case "1", "higher":
			return point.StepValue(1, false), nil
		case "-1", "lower":
			return point.StepValue(-1, false), nil
		}
		return v, fmt.Errorf("is %s, want 1, -1, higher or lower", brief(raw))
	case point.Int:
		i, err := strconv.ParseInt(string(raw), 10, 64)
		if err != nil {
			return v, fmt.Errorf("is %s, want an integer", brief(raw))
		}
		return point.IntValue(i), nil
	case point.Bits:
		i, err := strconv.ParseUint(string(raw), 10, 32)
		if err != nil {
			return v, fmt.Errorf("is %s, want an integer from 0 to %d", brief(raw), uint32(math.MaxUint32))
		}
		return point.BitsValue(uint32(i)), nil
	default:
		var f float64
		if json.Unmarshal(raw, &f) != nil || string(raw) == "null" {
			return v, fmt.Errorf("is %s, want a number", brief(raw))
		}
		return point.FloatValue(f), nil
	}
}

// switched is one of the end positions of a single or double command.
func switched(on bool, typ point.Type) point.Value {
	switch {
	case typ == point.Single:
		return point.SingleValue(on)
	case on:
		return point.DoubleValue(point.DoubleOn)
	default:
		return point.DoubleValue(point.DoubleOff)
	}
}

// brief returns the beginning of a JSON text, for a line.
func brief(raw json.RawMessage) string {
	const most = 40
	if len(raw) == 0 {
		return "missing"
	}
	if len(raw) > most {
		return strings.ToValidUTF8(string(raw[:most]), "") + "…"
	}
	return string(raw)
}
