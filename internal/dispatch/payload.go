package dispatch

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"busbar/internal/connector"
	"busbar/internal/point"
)

// maxPayload is the longest payload of an order, in octets.
const maxPayload = 64 << 10

// payload writes the payloads of one command. It may be used from any goroutine.
type payload struct {
	text *Template // nil: the standard JSON
}

// fields are what a template may use.
type fields struct {
	ID         string
	Point      string
	Type       string
	Value      any // the name of a state, otherwise a number
	Number     number
	Qualifier  int
	Time       string
	Expires    string
	Originator int
}

// number is a number that is written without exponent.
type number float64

// String returns the number in decimal.
func (n number) String() string { return strconv.FormatFloat(float64(n), 'f', -1, 64) }

// valueOf returns the name of a state, otherwise a number.
func valueOf(v point.Value) any {
	switch v.Type() {
	case point.Single, point.Double:
		return v.String()
	default:
		return numberOf(v)
	}
}

func numberOf(v point.Value) number {
	n, _ := v.Number()
	return number(n)
}

func newPayload(text string) (*payload, error) {
	if text == "" {
		return &payload{}, nil
	}
	t, err := NewTemplate(text)
	if err != nil {
		return nil, err
	}
	return &payload{text: t}, nil
}

// write returns the payload of an order.
func (p *payload) write(o *point.Order) ([]byte, error) {
	if p.text == nil {
		return standard(o)
	}
	return p.text.Execute(fields{
		ID: o.ID, Point: o.Command, Type: o.Value.Type().String(), Value: valueOf(o.Value), Number: numberOf(o.Value), Qualifier: int(o.Qualifier),
		Time: stamp(o.Issued), Expires: stamp(o.Expires), Originator: int(o.Requester.Originator),
	}, maxPayload)
}

// standard is the payload of a command without a template.
func standard(o *point.Order) ([]byte, error) {
	text, err := json.Marshal(struct {
		ID         string `json:"id"`
		Point      string `json:"point"`
		Type       string `json:"type"`
		Value      any    `json:"value"`
		Qualifier  uint8  `json:"qualifier"`
		Time       string `json:"time"`
		Expires    string `json:"expires,omitempty"`
		Originator uint8  `json:"originator"`
	}{o.ID, o.Command, o.Value.Type().String(), valueOf(o.Value), o.Qualifier, stamp(o.Issued), stamp(o.Expires), o.Requester.Originator})
	if err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	return text, nil
}

// stamp is a time in RFC 3339 with milliseconds, in UTC.
func stamp(i point.Instant) string {
	if i == 0 {
		return ""
	}
	return i.Time().UTC().Format("2006-01-02T15:04:05.000Z")
}

// samples are orders of a command, such as it may get.
func samples(c *connector.CommandKeys) []point.Order {
	var values []point.Value
	switch c.Type {
	case point.Single:
		values = []point.Value{point.SingleValue(false), point.SingleValue(true)}
	case point.Double:
		values = []point.Value{point.DoubleValue(point.DoubleOff), point.DoubleValue(point.DoubleOn)}
	case point.Step:
		values = []point.Value{point.StepValue(-1, false), point.StepValue(1, false)}
	case point.Bits:
		values = []point.Value{point.BitsValue(0), point.BitsValue(math.MaxUint32)}
	case point.Int:
		values = []point.Value{point.IntValue(0), point.IntValue(-7)}
	default:
		values = []point.Value{point.FloatValue(0), point.FloatValue(-7.25)}
	}
	now := point.InstantOf(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	var orders []point.Order
	for i, v := range values {
		orders = append(orders, point.Order{
			ID: strings.Repeat("X", 26), Command: c.ID, Value: v, Qualifier: c.Qualifiers[i%len(c.Qualifiers)],
			Issued: now, Expires: now, Requester: point.Requester{Originator: 5},
		})
	}
	return orders
}
