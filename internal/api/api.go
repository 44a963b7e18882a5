package api

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"busbar/internal/auth"
	"busbar/internal/commandlog"
	"busbar/internal/connector"
	"busbar/internal/image"
	"busbar/internal/manage"
	"busbar/internal/store"
	"busbar/internal/trace"
)

// base is the path below which all routes of the API lie.
const base = "/api/v1"

// Authenticator knows who makes a request. It also refuses requests that a
// foreign page may have made a browser send. It must be safe for concurrent use.
type Authenticator interface {
	Authenticate(r *http.Request) (auth.Principal, error)
}

// Deps are what the API stands on.
type Deps struct {
	Log    *slog.Logger    // nil: nothing is logged
	Auth   Authenticator   // nil: only public routes can be used
	Audit  Audit           // nil: nothing is audited
	Store  *store.Store    // nil: what it holds is not told of
	Manage *manage.Service // changes the plant
	// Accounts are what the routes of accounts, sessions and tokens work on.
	Accounts *auth.Service
	Version  string    // of Busbar
	Started  time.Time // of the process
	// Stopping is closed when the process begins to stop: streams end then. nil: never.
	Stopping <-chan struct{}
	// Manager runs the connectors, and Image holds the points. nil: nothing is told of them.
	Manager *connector.Manager
	Image   image.Image
	Process Process
	Orders  *commandlog.Log     // the log of commands
	Kinds   *connector.Registry // of connectors
	// Limits bound what clients may ask; the zero value means the defaults.
	Limits Limits
	// Trace reads the frames of links.
	Trace *trace.Tracer

	observe func(operation string, status int) // told of every answer of a route; nil: nobody is
}

// api is one API. Its handlers are methods of it.
type api struct {
	deps    Deps
	log     *slog.Logger
	huma    huma.API
	mux     *http.ServeMux
	ops     []*op
	limits  *limiter
	audit   *auditor
	streams *slots
	large   chan struct{} // holds an element for each request with a large body that is served
}

// New returns the handler of the API, of its OpenAPI document and of the page
// that shows it. It serves /api/, /openapi.json, /openapi.yaml and /docs, and
// answers every other path with a problem.
func New(deps Deps) (http.Handler, error) {
	a, err := build(deps)
	if err != nil {
		return nil, err
	}
	if err := a.serveDocument(); err != nil {
		return nil, err
	}
	return a, nil
}

// strictCasing makes the library take the names of members as they are written.
// It has one switch for all of its users.
var strictCasing = sync.OnceFunc(func() { huma.ValidateStrictCasing = true })

// build registers every route.
func build(deps Deps) (a *api, err error) {
	defer func() { // the library reports mistakes of a declaration so
		if p := recover(); p != nil {
			a, err = nil, fmt.Errorf("api: %v", p)
		}
	}()
	strictCasing()
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Auth == nil {
		deps.Auth = nobody{}
	}
	deps.Limits = deps.Limits.orDefault()
	a = &api{deps: deps, log: deps.Log, mux: http.NewServeMux(), limits: newLimiter(deps.Limits), audit: &auditor{log: deps.Log, keep: deps.Audit}, streams: newSlots(deps.Limits), large: make(chan struct{}, parallelLarge)}
	a.huma = huma.NewAPI(a.documentConfig(), adapter{a})
	registerRoutes(a)
	if err := a.documentConnectors(); err != nil {
		return nil, fmt.Errorf("api: document: %w", err)
	}
	return a, nil
}

var errNobody = errors.New("nobody can sign in")

// nobody lets nobody in.
type nobody struct{}

// Authenticate implements [Authenticator].
func (nobody) Authenticate(*http.Request) (auth.Principal, error) { return auth.Principal{}, errNobody }

// adapter joins the library with the mux: every operation is guarded.
type adapter struct{ *api }

// Handle implements [huma.Adapter].
func (a adapter) Handle(o *huma.Operation, handle func(huma.Context)) {
	declared := o.Metadata[opKey].(*op)
	a.mux.HandleFunc(o.Method+" "+base+o.Path, a.guard(declared, func(w http.ResponseWriter, r *http.Request) {
		handle(newContext(o, r, w))
	}))
}
