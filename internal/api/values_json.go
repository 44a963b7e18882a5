package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"busbar/internal/image"
	"busbar/internal/point"
)

// PointState is a value with its quality and time.
type PointState struct {
	Value           any      `json:"value" doc:"true or false of a single point; off, on, intermediate or indeterminate of a double point; a string of a text; otherwise a number; null: the point was never received"`
	Transient       *bool    `json:"transient,omitempty" doc:"Of a step position: the equipment is in transit"`
	Quality         []string `json:"quality" nullable:"false" doc:"invalid, not-topical, substituted, blocked, overflow, elapsed-time-invalid, carry, adjusted; empty is good"`
	Time            string   `json:"time,omitempty" doc:"When it happened, at the source, in UTC with milliseconds or more"`
	TimeInvalid     bool     `json:"timeInvalid,omitempty" doc:"The time is not to be trusted"`
	TimeSubstituted bool     `json:"timeSubstituted,omitempty" doc:"The source gave no time: it is that of the arrival"`
	Received        string   `json:"received,omitempty" doc:"When it reached Busbar"`
	Seq             uint64   `json:"seq" doc:"Number of the change in the change log"`
}

// PointValue is what is known of a point.
type PointValue struct {
	Point string `json:"point" doc:"Id of the point"`
	Type  string `json:"type" enum:"single,double,step,bits,int,float,counter,text"`
	PointState
	Overlay *PointOverlay `json:"overlay,omitempty" doc:"There if the point is substituted or blocked"`
}

// PointOverlay is what lies over the state of a point.
type PointOverlay struct {
	Substituted *OverlayMark `json:"substituted,omitempty"`
	Blocked     *OverlayMark `json:"blocked,omitempty"`
	Beneath     PointState   `json:"beneath" doc:"What the source has told last"`
}

// OverlayMark says who has put an overlay over a point.
type OverlayMark struct {
	Author  string `json:"author"`
	Comment string `json:"comment,omitempty"`
	Time    string `json:"time"`
}

func stateOf(s point.State) PointState {
	out := PointState{
		Value: valueOf(s.Value), Quality: s.Quality.Words(), Time: instantText(s.Time), Received: instantText(s.Arrival), Seq: s.Seq,
		TimeInvalid: s.TimeQuality&point.TimeInvalid != 0, TimeSubstituted: s.TimeQuality&point.TimeSubstituted != 0,
	}
	if s.Value.Type() == point.Step {
		_, transient := s.Value.Step()
		out.Transient = &transient
	}
	return out
}

// valueOf returns a value as JSON has it: integers with all their digits, floats with the
// fewest that are read as the same number.
func valueOf(v point.Value) any {
	switch v.Type() {
	case point.Single:
		return v.Single()
	case point.Double:
		return v.Double().String()
	case point.Text:
		return v.Text()
	case point.Float:
		f := v.Float()
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return strconv.FormatFloat(f, 'g', -1, 64)
		}
		if short := float32(f); float64(short) == f {
			text := strconv.FormatFloat(f, 'g', -1, 32)
			if back, err := strconv.ParseFloat(text, 64); err == nil && float32(back) == short {
				return json.Number(text)
			}
		}
		return json.Number(strconv.FormatFloat(f, 'g', -1, 64))
	case point.Int, point.Counter:
		return json.Number(strconv.FormatInt(v.Int(), 10))
	case point.Step, point.Bits:
		n, _ := v.Number()
		return json.Number(strconv.FormatInt(int64(n), 10))
	default:
		return nil
	}
}

// instantText returns a time in UTC: with milliseconds, or as many more digits as it has; empty for none.
func instantText(i point.Instant) string {
	format := "2006-01-02T15:04:05.000Z"
	switch {
	case i == 0:
		return ""
	case i%1e3 != 0:
		format = "2006-01-02T15:04:05.000000000Z"
	case i%1e6 != 0:
		format = "2006-01-02T15:04:05.000000Z"
	}
	return i.Time().Format(format)
}

func overlayOf(o image.Overlay) *PointOverlay {
	return &PointOverlay{Substituted: markOf(o.Substituted), Blocked: markOf(o.Blocked), Beneath: stateOf(o.Beneath)}
}

func markOf(m *image.Mark) *OverlayMark {
	if m == nil {
		return nil
	}
	return &OverlayMark{Author: m.Author, Comment: m.Comment, Time: instantText(m.Time)}
}

// parseValue reads a value of a type as valueOf writes it; transient is that of a step position.
func parseValue(raw json.RawMessage, typ point.Type, transient bool) (point.Value, error) {
	var text string
	quoted := json.Unmarshal(raw, &text) == nil && strings.HasPrefix(string(raw), `"`)
	if transient && typ != point.Step {
		return point.Value{}, errors.New("only a step position is in transit")
	}
	switch typ {
	case point.Single:
		var on bool
		if err := json.Unmarshal(raw, &on); err != nil || string(raw) == "null" {
			return point.Value{}, errors.New("want true or false")
		}
		return point.SingleValue(on), nil
	case point.Double:
		state, ok := point.ParseDouble(text)
		if !quoted || !ok {
			return point.Value{}, errors.New("want off, on, intermediate or indeterminate")
		}
		return point.DoubleValue(state), nil
	case point.Text:
		if !quoted {
			return point.Value{}, errors.New("want a string")
		}
		return point.TextValue(text), nil
	case point.Float:
		var f *float64
		if err := json.Unmarshal(raw, &f); err != nil || f == nil {
			return point.Value{}, errors.New("want a number")
		}
		return point.FloatValue(*f), nil
	}
	return parseInteger(string(raw), typ, transient)
}

func parseInteger(text string, typ point.Type, transient bool) (point.Value, error) {
	low, high := int64(math.MinInt64), int64(math.MaxInt64)
	switch typ {
	case point.Step:
		low, high = point.StepMin, point.StepMax
	case point.Bits:
		low, high = 0, math.MaxUint32
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < low || n > high {
		return point.Value{}, fmt.Errorf("want an integer from %d to %d", low, high)
	}
	switch typ {
	case point.Step:
		return point.StepValue(int(n), transient), nil
	case point.Bits:
		return point.BitsValue(uint32(n)), nil
	case point.Counter:
		return point.CounterValue(n), nil
	default:
		return point.IntValue(n), nil
	}
}

// parseQuality reads words of quality, of those that may be.
func parseQuality(words []string, may point.Quality) (all point.Quality, err error) {
	for _, word := range words {
		q, ok := point.ParseQuality(word)
		if !ok || q&^may != 0 {
			return 0, fmt.Errorf("%q cannot be entered, want %s", word, strings.Join(may.Words(), ", "))
		}
		all |= q
	}
	return all, nil
}

// Times that may be entered.
var earliestTime = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

const mostAhead = 10 * time.Minute

// parseTime reads a time that was entered; nil is 0.
func parseTime(at *time.Time, now time.Time) (point.Instant, error) {
	switch {
	case at == nil:
		return 0, nil
	case at.Before(earliestTime), at.After(now.Add(mostAhead)):
		return 0, errors.New("want a time since 2000 that is at most 10 minutes ahead")
	}
	return point.InstantOf(*at), nil
}
