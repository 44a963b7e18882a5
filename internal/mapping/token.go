package mapping

import (
	"math"
	"strconv"
	"strings"
)

// kind is the kind of a JSON value.
type kind uint8

const (
	absent  kind = iota
	useless      // the message is of no use
	null
	boolean
	numeric
	text
	nested // object or array
)

// token is a value found in a message.
type token struct {
	kind kind
	text string // content of a string, otherwise the raw JSON
}

// tokenOf returns the token of raw JSON; empty is absent.
func tokenOf(raw string) token {
	if raw == "" {
		return token{}
	}
	switch raw[0] {
	case '"':
		return token{text, unquote(raw)}
	case '{', '[':
		return token{nested, raw}
	case 't', 'f':
		return token{boolean, raw}
	case 'n':
		return token{null, raw}
	default:
		return token{numeric, raw}
	}
}

// key returns what stands for the token in a map: the content of a string,
// true, false, null (also for an absent value) or the shortest decimal form of
// a number, so that 1, 1.0 and 1e0 are the same.
func (t token) key() (string, bool) {
	switch t.kind {
	case text, boolean, null:
		return t.text, true
	case absent:
		return "null", true
	case numeric:
		return numberKey(t.text), true
	default:
		return "", false
	}
}

// numberKey returns the shortest decimal form of a JSON number.
func numberKey(raw string) string {
	if isInteger(raw) && raw != "-0" {
		return raw
	}
	f, err := strconv.ParseFloat(raw, 64)
	if err != nil {
		return raw
	}
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return strconv.FormatInt(int64(f), 10)
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// number is a number on its way through the pipeline. Integers are carried
// exactly as long as no step needs a fraction.
type number struct {
	f     float64
	i     int64
	exact bool // the number is i; f is not set
}

func integer(i int64) number    { return number{i: i, exact: true} }
func fraction(f float64) number { return number{f: f} }

// float returns the number as a float64, rounded if it is beyond ±2^53.
func (n number) float() float64 {
	if n.exact {
		return float64(n.i)
	}
	return n.f
}

// parseNumber returns the number that a JSON number, or a string holding a
// decimal number, stands for. Numbers that no float64 can hold are infinite.
func parseNumber(s string) (number, bool) {
	if isInteger(s) {
		if i, err := strconv.ParseInt(s, 10, 64); err == nil && (i != 0 || s[0] != '-') {
			return integer(i), true
		}
	}
	if strings.Trim(s, "0123456789+-.eE") != "" {
		return number{}, false
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return number{}, false
	}
	return fraction(f), true
}

// isInteger reports whether s is an optional minus and digits.
func isInteger(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	return digits != "" && isDigits(digits)
}

// isDigits reports whether s has nothing but digits.
func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
