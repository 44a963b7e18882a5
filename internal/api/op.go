package api

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"busbar/internal/auth"
)

// Limits of bodies, where an operation names none.
const (
	defaultMaxBody     = 1 << 20
	defaultBodyTimeout = 5 * time.Second
)

// scope says what principals that are limited to subtrees of points may do.
type scope uint8

const (
	scopeWhole  scope = iota // nothing: the route shows or changes more than points and commands
	scopePoints              // all; the handler filters by what the principal sees
	scopeSelf                // all; the route concerns the principal alone
)

func (s scope) String() string { return [...]string{"whole", "points", "self"}[s] }

// op declares a route.
type op struct {
	ID     string // operation id, camelCase, unique, never changed once released
	Method string
	Path   string // below /api/v1: "/points/{id}"
	Tag    string // resource that the document lists the route under

	// Who may: either Role and Scope, or one of the other two.
	Role     auth.Role
	Scope    scope
	SignedIn bool // whoever has signed in, also before he has changed a password that must be changed
	Public   bool // everybody

	Summary     string
	Description string
	Status      int   // of success; 0: 200 with a body, 204 without
	Errors      []int // answers of the handler other than success

	// Harmless: changes nothing although the method says so; not audited.
	Harmless bool
	// AnyQuery: parameters that the route does not know are dropped instead of
	// refused, for requests whose address others make up.
	AnyQuery bool
	// OptionalBody is set where all members of the body may be absent, so that the body may be too.
	OptionalBody bool
	// MaxBody is the most octets that a body may have, default 1 MiB.
	MaxBody int64
	// BodyTimeout is how long the body may take, default 5 s; a stream (Consumes) 5 min.
	BodyTimeout time.Duration
	// Consumes are the content types of a body that the handler reads itself, with bodyOf.
	Consumes []string
	// Produces are the content types of success other than JSON.
	Produces []string

	accepts  []string // content types of bodies, after registration
	provides []string // content types of success, after registration
	query    []string // names of the parameters that the route knows, after registration
}

// opKey is where an operation of the library holds its op.
const opKey = "op"

// changes reports whether the route is audited.
func (o *op) changes() bool { return o.Method != http.MethodGet && !o.Harmless }

// role is what the document says about who may.
func (o *op) role() string {
	switch {
	case o.Public:
		return "public"
	case o.SignedIn:
		return "signed-in"
	default:
		return o.Role.String()
	}
}

// check returns what is wrong with the declaration.
func (o *op) check() error {
	ways := 0
	for _, way := range []bool{o.Role != 0, o.SignedIn, o.Public} {
		if way {
			ways++
		}
	}
	switch {
	case o.ID == "" || o.Summary == "" || o.Tag == "":
		return fmt.Errorf("route %s %s: want an id, a tag and a summary", o.Method, o.Path)
	case ways != 1:
		return fmt.Errorf("route %s: want a role, or SignedIn, or Public", o.ID)
	case !strings.HasPrefix(o.Path, "/"):
		return fmt.Errorf("route %s: path %q does not begin with /", o.ID, o.Path)
	}
	return nil
}

// operation returns the operation for the library and the document.
func (o *op) operation() huma.Operation {
	h := huma.Operation{
		OperationID: o.ID, Method: o.Method, Path: o.Path, Tags: []string{o.Tag},
		Summary: o.Summary, Description: o.Description, DefaultStatus: o.Status,
		MaxBodyBytes: o.MaxBody, BodyReadTimeout: o.BodyTimeout,
		Metadata:  map[string]any{opKey: o},
		Responses: map[string]*huma.Response{},
		Security:  []map[string][]string{{"token": {}}, {"oidc": {}}, {"session": {}}},
		Extensions: map[string]any{
			"x-busbar-role": o.role(),
		},
	}
	if o.AnyQuery {
		h.Extensions["x-busbar-any-query"] = true
	}
	switch {
	case o.Public:
		h.Security = []map[string][]string{}
	case !o.SignedIn:
		h.Extensions["x-busbar-scope"] = o.Scope.String()
	}
	return h
}

// documentAnswers adds what can be answered to the documented operation.
func (o *op) documentAnswers(h *huma.Operation) {
	answers := slices.Clone(o.Errors)
	answers = append(answers, http.StatusUnprocessableEntity)
	if !o.Public {
		answers = append(answers, http.StatusUnauthorized, http.StatusForbidden)
	}
	if len(o.accepts) > 0 {
		answers = append(answers, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	problem := map[string]*huma.MediaType{problemType: {Schema: &huma.Schema{Ref: "#/components/schemas/Problem"}}}
	for _, status := range answers {
		answer := &huma.Response{Description: http.StatusText(status), Content: problem}
		if status < 400 {
			answer.Content = nil
		}
		h.Responses[strconv.Itoa(status)] = answer
	}
	h.Responses["default"] = &huma.Response{
		Description: "Another problem that every operation can have: 400, 406, 408, 429, 500 or 503", Content: problem,
	}
}
