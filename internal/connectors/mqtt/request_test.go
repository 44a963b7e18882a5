package mqtt

import (
	"strings"
	"testing"

	"busbar/internal/point"
)

func TestMembersOfARequestAreExactlyThose(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, request, fault string }{
		{"two values", `{"value":1,"value":2}`, `"value" occurs twice`},
		{"two ids", `{"id":"a","value":1,"id":"b"}`, `"id" occurs twice`},
		{"a value and another in capitals", `{"value":1,"VALUE":2}`, `unknown field "VALUE"`},
		{"capitals", `{"Value":1}`, `unknown field "Value"`},
		{"another member", `{"value":1,"x":{"value":2}}`, `unknown field "x"`},
		{"written with an escape", `{"value":1,"\u0076alue":2}`, `"value" occurs twice`},
		{"no object", `null`, "want a JSON object with value"},
		{"a list", `[{"value":1}]`, "want a JSON object with value"},
		{"all of them", ` {"value":1,"qualifier":0,"id":"a","expires":"2026-01-15T10:30:00Z"} `, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o, err := parseRequest([]byte(c.request), point.Float)
			switch {
			case c.fault == "" && (err != nil || o.Value != point.FloatValue(1)):
				t.Errorf("got %v, %v, want 1", o.Value, err)
			case c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)):
				t.Errorf("got %v, %v, want the error %q", o.Value, err, c.fault)
			}
		})
	}
}
