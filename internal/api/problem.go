package api

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"time"
)

const problemType = "application/problem+json"

// Problem is an answer that says what is wrong, as RFC 9457 defines it.
type Problem struct {
	Type   string  `json:"type" format:"uri-reference" doc:"Names the kind of problem; never changes" example:"/docs#problem-not-found"`
	Title  string  `json:"title" doc:"The kind of problem in words" example:"Not Found"`
	Status int     `json:"status" doc:"HTTP status" example:"404"`
	Code   string  `json:"code" doc:"The kind of problem for programs; never changes" example:"not-found"`
	Detail string  `json:"detail,omitempty" doc:"What is wrong this time"`
	ID     string  `json:"id,omitempty" doc:"Where the log tells more: the id of the request there"`
	Errors []Fault `json:"errors,omitempty" nullable:"false" doc:"Every fault"`

	headers http.Header
}

// Fault is one of the faults of a request.
type Fault struct {
	Location string `json:"location,omitempty" doc:"Where: the path in the body or in the plant, or the parameter" example:"points.ons4711/t1/oil.to[0].ca"`
	Message  string `json:"message" doc:"What is wrong, what is wanted"`
	Value    any    `json:"value,omitempty" doc:"What is there"`
}

// Error implements error.
func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

// GetStatus implements [huma.StatusError].
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders implements [huma.HeadersError].
func (p *Problem) GetHeaders() http.Header { return p.headers }

// ContentType implements [huma.ContentTypeFilter].
func (p *Problem) ContentType(string) string { return problemType }

func problem(status int, code, detail string, faults ...Fault) *Problem {
	return &Problem{
		Type: "/docs#problem-" + code, Title: http.StatusText(status), Status: status, Code: code, Detail: detail, Errors: faults,
	}
}

func notFound(detail string) *Problem { return problem(http.StatusNotFound, "not-found", detail) }

func conflict(detail string) *Problem { return problem(http.StatusConflict, "conflict", detail) }

func invalid(detail string, faults ...Fault) *Problem {
	return problem(http.StatusUnprocessableEntity, "invalid", detail, faults...)
}

func unavailable(detail string) *Problem {
	return problem(http.StatusServiceUnavailable, "unavailable", detail)
}

func tooMany(wait time.Duration, detail string) *Problem {
	p := problem(http.StatusTooManyRequests, "too-many-requests", detail)
	p.headers = http.Header{"Retry-After": {strconv.Itoa(int(math.Ceil(wait.Seconds())))}}
	return p
}

func internalError(id string) *Problem {
	p := problem(http.StatusInternalServerError, "internal", "something went wrong here; the log tells more under this id")
	p.ID = id
	return p
}

// fail answers with a problem.
func (a *api) fail(req *request, p *Problem) {
	h := req.answer.Header()
	for name, values := range p.headers {
		h[name] = values
	}
	body, err := json.Marshal(p)
	if err != nil { // a value that is no JSON
		body, _ = json.Marshal(problem(p.Status, p.Code, p.Detail))
	}
	h.Set("Content-Type", problemType)
	req.answer.WriteHeader(p.Status)
	if _, err := req.answer.Write(append(body, '\n')); err != nil {
		a.log.Debug("http client left before the answer", "request", req.id, "error", err)
	}
}
