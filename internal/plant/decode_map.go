package plant

import (
	"strconv"

	"busbar/internal/point"
)

// mapResult checks one result of a `map` for the type of its point. States
// given as numbers or as true and false get their names; of what cannot be a
// result it returns what is wanted.
func mapResult(t point.Type, text string) (result, want string) {
	switch t {
	case point.Single:
		switch text {
		case "off", "false", "0":
			return "off", ""
		case "on", "true", "1":
			return "on", ""
		}
		return "", "off or on"
	case point.Double:
		if _, ok := point.ParseDouble(text); ok {
			return text, ""
		}
		if len(text) == 1 && text[0] >= '0' && text[0] <= '3' {
			return point.DoubleState(text[0] - '0').String(), ""
		}
		return "", "one of off, on, intermediate, indeterminate"
	case point.Step:
		return within(text, point.StepMin, point.StepMax)
	case point.Bits:
		return within(text, 0, 1<<32-1)
	case point.Int, point.Counter:
		return within(text, -1<<63, 1<<63-1)
	case point.Float:
		if _, err := (&Node{Kind: Scalar, Text: text}).Float(); err != nil {
			return "", "a number"
		}
		return text, ""
	default:
		return text, ""
	}
}

func within(text string, low, high int64) (result, want string) {
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil || v < low || v > high {
		return "", wantInt(low, high)
	}
	return strconv.FormatInt(v, 10), ""
}
