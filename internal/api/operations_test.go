package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// operation is an operation as the document has it.
type operation struct {
	ID, Method, Path string
	Role, Scope      string
	Statuses         []int    // documented one by one
	Bodies           []string // content types of the body
	Streams          bool     // answers with server-sent events
	AnyQuery         bool     // drops parameters that it does not know
}

// documented is the part of an OpenAPI document that the tests read.
type documented struct {
	Paths map[string]map[string]struct {
		OperationID string `json:"operationId"`
		Role        string `json:"x-busbar-role"`
		Scope       string `json:"x-busbar-scope"`
		AnyQuery    bool   `json:"x-busbar-any-query"`
		Security    *[]map[string][]string
		Parameters  []struct {
			Name, In string
			Required bool
			Schema   struct {
				Type    any
				Minimum *float64
			}
			Example any
		}
		RequestBody struct{ Content map[string]any }
		Responses   map[string]struct{ Content map[string]any }
	}
}

// documentedOperations reads the operations from the document, by path and method.
func documentedOperations() ([]operation, error) {
	a, err := build(Deps{})
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(a.huma.OpenAPI())
	if err != nil {
		return nil, err
	}
	var doc documented
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	var list []operation
	for path, methods := range doc.Paths {
		for method, d := range methods {
			o := operation{ID: d.OperationID, Method: strings.ToUpper(method), Role: d.Role, Scope: d.Scope, AnyQuery: d.AnyQuery}
			o.Path = path
			query := ""
			for _, p := range d.Parameters {
				sample := "x"
				if p.Schema.Type == "integer" || p.Schema.Type == "number" {
					sample = "1"
				}
				if p.Example != nil {
					sample = fmt.Sprint(p.Example)
				}
				switch {
				case p.In == "path":
					o.Path = strings.ReplaceAll(o.Path, "{"+p.Name+"}", sample)
				case p.In == "query" && p.Required:
					query += "&" + p.Name + "=" + sample
				}
			}
			o.Path += "?" + strings.TrimPrefix(query, "&")
			for status, response := range d.Responses {
				if n, err := strconv.Atoi(status); err == nil {
					o.Statuses = append(o.Statuses, n)
				}
				_, streams := response.Content["text/event-stream"]
				o.Streams = o.Streams || streams
			}
			for kind := range d.RequestBody.Content {
				o.Bodies = append(o.Bodies, kind)
			}
			if d.Security == nil || (len(*d.Security) == 0) != (o.Role == "public") {
				return nil, fmt.Errorf("%s: role %s and security %v", o.ID, o.Role, d.Security)
			}
			slices.Sort(o.Bodies)
			slices.Sort(o.Statuses)
			list = append(list, o)
		}
	}
	slices.SortFunc(list, func(a, b operation) int { return strings.Compare(a.Path+" "+a.Method, b.Path+" "+b.Method) })
	return list, nil
}

// send sends a request of the operation that the core refuses at the latest when
// it looks at its parameters: no handler runs.
func (o operation) send(r *rig, options ...option) int {
	r.t.Helper()
	var body any
	if len(o.Bodies) > 0 {
		body = "{}"
		options = append([]option{header("Content-Type", o.Bodies[0])}, options...)
	}
	faulty := "&no-such-parameter=1"
	if o.AnyQuery {
		faulty = "&state=" + strings.Repeat("x", 5000)
	}
	return r.do(o.Method, o.Path+faulty, body, options...).Code
}

// pass is the status of such a request of who may.
const pass = http.StatusUnprocessableEntity
