package commandlog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"busbar/internal/connector"
	"busbar/internal/point"
)

// line is a record in the form of the files. Members without a value are left
// out, but for time, id, stage, command, qualifier and requester, and positive
// from the confirmation on.
type line struct {
	Time       stamp           `json:"time"` // of the line
	ID         string          `json:"id"`
	Stage      string          `json:"stage"` // received, confirmed, terminated
	Positive   *bool           `json:"positive,omitempty"`
	Reason     string          `json:"reason,omitempty"`
	Unknown    bool            `json:"unknown,omitempty"`
	Command    string          `json:"command"`
	Type       string          `json:"type,omitempty"`
	Value      json.RawMessage `json:"value,omitempty"`
	Qualifier  uint8           `json:"qualifier"`
	Select     bool            `json:"select,omitempty"`
	Requester  requester       `json:"requester"`
	Executor   string          `json:"executor,omitempty"`
	Terminates bool            `json:"terminates,omitempty"`
	Failure    string          `json:"failure,omitempty"`
	Skipped    uint64          `json:"skipped,omitempty"`
	Issued     stamp           `json:"issued,omitzero"`
	Expires    stamp           `json:"expires,omitzero"`
	Received   stamp           `json:"received,omitzero"`
	Accepted   stamp           `json:"accepted,omitzero"`
	Replied    stamp           `json:"replied,omitzero"`
	Confirmed  stamp           `json:"confirmed,omitzero"`
	Terminated stamp           `json:"terminated,omitzero"`
	Late       stamp           `json:"late,omitzero"`
}

type requester struct {
	Connector   string `json:"connector"`
	Peer        string `json:"peer"`
	Certificate string `json:"certificate,omitempty"`
	Originator  uint8  `json:"originator"`
}

// The stages of a line.
const (
	received   = "received"
	confirmed  = "confirmed"
	terminated = "terminated"
)

// stamp is an instant in RFC 3339, UTC, with as many digits as it has.
type stamp point.Instant

// MarshalText implements [encoding.TextMarshaler].
func (s stamp) MarshalText() ([]byte, error) {
	return point.Instant(s).Time().AppendFormat(nil, time.RFC3339Nano), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *stamp) UnmarshalText(text []byte) error {
	t, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil {
		return err
	}
	if year := t.UTC().Year(); year < 1700 || year > 2200 {
		return fmt.Errorf("time %s: want a year from 1700 to 2200", text)
	}
	*s = stamp(t.UnixNano())
	return nil
}

// encode returns the line of a record with the newline. It fails if the record
// has no id, or has more to say than fits into a line.
func encode(r *connector.CommandRecord, now time.Time) ([]byte, error) {
	if r.Order.ID == "" || !utf8.ValidString(r.Order.ID) {
		return nil, fmt.Errorf("id %q: want text", r.Order.ID)
	}
	o := &r.Order
	value, err := EncodeValue(o.Value)
	if err != nil {
		return nil, fmt.Errorf("value: %w", err)
	}
	l := line{
		Time: stamp(now.UnixNano()), ID: o.ID, Unknown: r.Unknown,
		Command: o.Command, Type: typeName(o.Value), Value: value, Qualifier: o.Qualifier,
		Select: r.Select, Requester: requester(o.Requester), Executor: r.Executor, Terminates: r.Terminates,
		Failure: cut(r.Failure), Skipped: r.Skipped, Issued: stamp(o.Issued), Expires: stamp(o.Expires),
		Received: stamp(r.Received), Accepted: stamp(r.Accepted), Replied: stamp(r.Replied),
		Confirmed: stamp(r.Confirmed), Terminated: stamp(r.Terminated), Late: stamp(r.Late),
	}
	l.Stage, l.Positive, l.Reason = result(r)
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(&l); err != nil {
		return nil, err
	}
	if b.Len() > maxLine {
		return nil, fmt.Errorf("record of %d octets, want %d at most", b.Len(), maxLine)
	}
	return b.Bytes(), nil
}

// result returns the newest result of an order. Only an order that was
// confirmed positively is terminated, so that this is all there is to tell.
func result(r *connector.CommandRecord) (stage string, positive *bool, reason string) {
	switch {
	case r.Termination.Stage != 0:
		return terminated, &r.Termination.Positive, cut(r.Termination.Reason)
	case r.Confirmation.Stage != 0:
		return confirmed, &r.Confirmation.Positive, cut(r.Confirmation.Reason)
	default:
		return received, nil, ""
	}
}

// cut keeps the beginning of a reason that is too long.
func cut(reason string) string {
	if len(reason) <= maxReason {
		return reason
	}
	return strings.ToValidUTF8(reason[:maxReason], "")
}

// decode returns the record of a line. Members that are not known are left
// aside, for they may come from a newer version.
func decode(text []byte) (connector.CommandRecord, error) {
	r, _, err := decodeAt(text)
	return r, err
}

// decodeAt is decode, and returns the time of the line, too.
func decodeAt(text []byte) (r connector.CommandRecord, at point.Instant, err error) {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return r, 0, err
	}
	if l.ID == "" {
		return r, 0, errors.New("id is missing")
	}
	value, err := decodeValue(l.Type, l.Value)
	if err != nil {
		return r, 0, fmt.Errorf("value: %w", err)
	}
	r = connector.CommandRecord{
		Order: point.Order{
			ID: l.ID, Command: l.Command, Value: value, Qualifier: l.Qualifier, Requester: point.Requester(l.Requester),
			Issued: point.Instant(l.Issued), Expires: point.Instant(l.Expires),
		},
		Executor: l.Executor, Select: l.Select, Terminates: l.Terminates, Failure: l.Failure, Unknown: l.Unknown, Skipped: l.Skipped,
		Received: point.Instant(l.Received), Accepted: point.Instant(l.Accepted), Replied: point.Instant(l.Replied),
		Confirmed: point.Instant(l.Confirmed), Terminated: point.Instant(l.Terminated), Late: point.Instant(l.Late),
	}
	return r, point.Instant(l.Time), l.results(&r)
}

// results fills in what was told of an order.
func (l *line) results(r *connector.CommandRecord) error {
	if (l.Positive == nil) != (l.Stage == received) {
		return fmt.Errorf("stage %q: want positive from the confirmation on, and only then", l.Stage)
	}
	switch l.Stage {
	case received:
	case confirmed:
		r.Confirmation = point.Result{Stage: point.Confirmed, Positive: *l.Positive, Reason: l.Reason}
	case terminated:
		r.Confirmation = point.Result{Stage: point.Confirmed, Positive: true}
		r.Termination = point.Result{Stage: point.Terminated, Positive: *l.Positive, Reason: l.Reason}
	default:
		return fmt.Errorf("stage %q: want %s, %s or %s", l.Stage, received, confirmed, terminated)
	}
	return nil
}
