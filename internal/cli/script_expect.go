package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"busbar/iec104/asdu"
)

// errExpected is what became of an expectation that nothing has met.
var errExpected = errors.New("not met")

// expectation is a line `expect` of a script.
type expectation struct {
	ca                         uint16
	ioa                        uint32
	typ, value, quality, cause string
	low, high                  float64 // of a value that is a number; not a number: it is a word
	words                      []string
	timeout                    time.Duration
}

// parseExpect reads the flags of `expect`.
func parseExpect(words []string, timeout time.Duration) (*expectation, error) {
	e := &expectation{}
	fs := newLineFlags("expect")
	ca, ioa := fs.Uint("ca", 0, ""), fs.Uint("ioa", 0, "")
	fs.StringVar(&e.typ, "type", "", "")
	fs.StringVar(&e.value, "value", "", "")
	fs.StringVar(&e.quality, "quality", "", "")
	fs.StringVar(&e.cause, "cause", "", "")
	fs.DurationVar(&e.timeout, "timeout", timeout, "")
	rest, err := parse(fs, words)
	switch {
	case errors.Is(err, errHelp):
		return nil, errors.New("expect has --ca, --ioa, --type, --value, --quality, --cause, --timeout")
	case err != nil:
		return nil, err
	case len(rest) > 0:
		return nil, fmt.Errorf("unexpected argument %q behind expect", rest[0])
	case *ca < 1 || *ca > 65534:
		return nil, fmt.Errorf("--ca: %d, want 1 to 65534", *ca)
	case *ioa > asdu.MaxIOA || !given(fs, "ioa"):
		return nil, fmt.Errorf("--ioa: %d, want 0 to %d", *ioa, asdu.MaxIOA)
	case e.timeout < 0:
		return nil, fmt.Errorf("--timeout: %v, want 0 or more", e.timeout)
	}
	e.ca, e.ioa = uint16(*ca), uint32(*ioa)
	return e, e.complete()
}

// complete checks the words of an expectation.
func (e *expectation) complete() error {
	if e.typ != "" {
		t, ok := asdu.ParseTypeID(e.typ)
		if !ok {
			return fmt.Errorf("--type: %q, want a type such as M_SP_TB_1 or 30", e.typ)
		}
		e.typ = t.String()
	}
	if e.cause != "" && !slices.Contains(causes(), e.cause) {
		return fmt.Errorf("--cause: %q, want one of %s", e.cause, strings.Join(causes(), ", "))
	}
	if e.quality != "" && e.quality != "good" {
		known := []string{"invalid", "not-topical", "substituted", "blocked", "overflow", "elapsed-time-invalid", "carry", "adjusted"}
		e.words = strings.Split(e.quality, ",")
		for _, w := range e.words {
			if !slices.Contains(known, w) {
				return fmt.Errorf("--quality: %q, want good, or of %s", w, strings.Join(known, ", "))
			}
		}
		slices.Sort(e.words)
	}
	return e.bounds()
}

// bounds reads a value that is a number, or a range of them such as 20..30.
func (e *expectation) bounds() error {
	e.low, e.high = math.NaN(), math.NaN()
	low, high, isRange := strings.Cut(e.value, "..")
	a, err := strconv.ParseFloat(low, 64)
	switch {
	case err != nil && isRange:
		return fmt.Errorf("--value: %q, want a number, a range such as 20..30, or a word as it is printed", e.value)
	case err != nil:
		return nil
	case !isRange:
		const tolerance = 1e-6 // a short float has no more
		e.low, e.high = a-math.Abs(a)*tolerance, a+math.Abs(a)*tolerance
		return nil
	}
	b, err := strconv.ParseFloat(high, 64)
	if err != nil || !(a <= b) {
		return fmt.Errorf("--value: %q, want a range from the lower to the higher number", e.value)
	}
	e.low, e.high = a, b
	return nil
}

// causes are the words for causes of transmission in monitor direction.
func causes() (words []string) {
	for c := asdu.Cause(1); c < 48; c++ {
		if word := c.String(); !strings.ContainsAny(word, "0123456789") || c >= asdu.InterrogatedGeneral && c <= asdu.CounterGeneral+4 {
			words = append(words, word)
		}
	}
	return words
}

// seen is an object that has come.
type seen struct {
	header asdu.Header
	object asdu.Object
}

// met reports whether an object is what is expected.
func (e *expectation) met(o *seen) bool {
	if o.header.CA != e.ca || o.object.IOA != e.ioa ||
		e.typ != "" && o.header.Type.String() != e.typ || e.cause != "" && o.header.Cause.String() != e.cause {
		return false
	}
	value, quality := o.texts()
	if e.value != "" && !e.hasValue(value) {
		return false
	}
	switch e.quality {
	case "":
		return true
	case "good":
		return len(quality) == 0
	default:
		slices.Sort(quality)
		return slices.Equal(quality, e.words)
	}
}

// hasValue compares with a value as it is printed.
func (e *expectation) hasValue(text string) bool {
	if math.IsNaN(e.low) {
		return text == e.value
	}
	if v, err := strconv.ParseFloat(text, 64); err == nil {
		return v >= e.low && v <= e.high
	}
	return false
}

// texts returns the value as it is printed, and the words of the quality.
func (o *seen) texts() (value string, quality []string) {
	var fields struct {
		Value   json.RawMessage `json:"value"`
		Quality []string        `json:"quality"`
	}
	if err := json.Unmarshal(o.header.AppendJSON(nil, &o.object, nil), &fields); err != nil {
		return err.Error(), nil
	}
	switch value = string(fields.Value); value {
	case "true":
		value = "on"
	case "false":
		value = "off"
	}
	return strings.Trim(value, `"`), fields.Quality
}

// String says what an object was.
func (o *seen) String() string {
	value, quality := o.texts()
	words := strings.Join(quality, ",")
	if words == "" {
		words = "good"
	}
	return fmt.Sprintf("%s value %s, %s, %s", o.header.Type, value, words, o.header.Cause)
}

// String says what is expected.
func (e *expectation) String() string {
	text := fmt.Sprintf("expect %d/%d", e.ca, e.ioa)
	for _, part := range [][2]string{{"type", e.typ}, {"value", e.value}, {"quality", e.quality}, {"cause", e.cause}} {
		if part[1] != "" {
			text += " " + part[0] + " " + part[1]
		}
	}
	return text
}
