package mqtt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"busbar/internal/dispatch"
	"busbar/internal/point"
)

// maxRequest is the longest request, in octets.
const maxRequest = 64 << 10

// demand is the JSON of a request.
type demand struct {
	Value     json.RawMessage `json:"value"`
	Qualifier *uint8          `json:"qualifier"`
	ID        *string         `json:"id"`
	Expires   *time.Time      `json:"expires"`
}

// parseRequest reads a request for a command of a type. What was read of it before
// a fault is in the order, so that the answer can name it.
func parseRequest(payload []byte, typ point.Type) (o point.Order, err error) {
	if len(payload) > maxRequest {
		return o, fmt.Errorf("has %d octets, want %d at most", len(payload), maxRequest)
	}
	d := json.NewDecoder(bytes.NewReader(payload))
	d.DisallowUnknownFields()
	var r demand
	err = d.Decode(&r)
	if r.ID != nil && checkID(*r.ID) {
		o.ID = *r.ID
	}
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("something follows the object")
		}
	}
	if err == nil {
		err = checkMembers(payload)
	}
	switch {
	case err != nil:
		return o, fmt.Errorf("want a JSON object with value, and if needed qualifier, id and expires: %w", err)
	case r.ID != nil && o.ID == "":
		return o, errors.New("id: want 1 to 100 printable characters")
	}
	if r.Qualifier != nil {
		o.Qualifier = *r.Qualifier
	}
	if r.Expires != nil {
		if o.Expires = point.InstantOf(*r.Expires); o.Expires <= 0 || r.Expires.Year() > 2261 { // beyond, nanoseconds overflow
			return o, errors.New("expires: want a time from 1970 to 2261")
		}
	}
	if o.Value, err = dispatch.ParseValue(r.Value, typ); err != nil {
		return o, fmt.Errorf("value: %w", err)
	}
	return o, nil
}

// checkMembers returns what is wrong with the members of a request that is JSON: the
// decoder takes names in capitals too, and the last of several.
func checkMembers(payload []byte) error {
	d := json.NewDecoder(bytes.NewReader(payload))
	if begin, err := d.Token(); err != nil || begin != json.Delim('{') {
		return fmt.Errorf("is %s", shorten(string(payload)))
	}
	seen := make(map[json.Token]bool, 4)
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		switch {
		case name != "value" && name != "qualifier" && name != "id" && name != "expires":
			return fmt.Errorf("unknown field %q", name)
		case seen[name]:
			return fmt.Errorf("%q occurs twice", name)
		}
		seen[name] = true
		var skipped json.RawMessage
		if err := d.Decode(&skipped); err != nil {
			return err
		}
	}
	return nil
}

// checkID reports whether a text may be the id of an order.
func checkID(id string) bool {
	for i := range len(id) {
		if id[i] < ' ' || id[i] > '~' {
			return false
		}
	}
	return id != "" && len(id) <= 100
}
