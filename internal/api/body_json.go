package api

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/danielgtaylor/huma/v2"
)

// bodyJSON is JSON as it is written by default, and read where no member occurs twice: who reads
// on the way, such as a proxy, might take the other one for what is ordered.
var bodyJSON = huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: unmarshalOnce}

func unmarshalOnce(data []byte, v any) error {
	if err := huma.DefaultJSONFormat.Unmarshal(data, v); err != nil {
		return err
	}
	return membersOnce(json.NewDecoder(bytes.NewReader(data)))
}

// membersOnce fails if an object of a valid JSON text has a member twice.
func membersOnce(d *json.Decoder) error {
	d.UseNumber()
	var open []map[string]bool // members of the objects that are open; nil: an array
	name := false              // the next token is the name of a member, or the end of an object
	for {
		t, err := d.Token()
		if err != nil {
			return nil //nolint:nilerr // the text is valid, so that this is its end
		}
		switch t {
		case json.Delim('{'):
			open, name = append(open, map[string]bool{}), true
			continue
		case json.Delim('['):
			open, name = append(open, nil), false
			continue
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		default:
			if name {
				members, text := open[len(open)-1], t.(string)
				if members[text] {
					return fmt.Errorf("member %q occurs twice", text)
				}
				members[text], name = true, false
				continue
			}
		}
		name = len(open) > 0 && open[len(open)-1] != nil
	}
}
