package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"busbar/internal/auth"
	"busbar/internal/plant"
	"busbar/internal/store"
)

// problemOf turns the error of a handler into a problem. What is unknown becomes
// a 500 that says nothing; the log has the error.
func (a *api) problemOf(req *request, err error) error {
	var p *Problem
	var faults plant.Problems
	var large *http.MaxBytesError
	var refused *auth.Error
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &faults):
		return invalidPlant(faults)
	case errors.As(err, &refused):
		return refusedProblem(refused)
	case errors.As(err, &large):
		return tooLarge(large.Limit)
	case errors.Is(err, context.Canceled) && req.http.Context().Err() != nil:
		return problem(http.StatusRequestTimeout, "gone", "the client left")
	}
	if p := plantProblem(err); p != nil {
		return p
	}
	if p := problemOfStore(err); p != nil {
		return p
	}
	a.log.Error("http request failed", "request", req.id, "operation", req.op.ID, "error", err)
	return internalError(req.id)
}

// problemOfStore tells what the store refuses; nil: it is no such error.
func problemOfStore(err error) *Problem {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return notFound("there is no such thing, or no longer")
	case errors.Is(err, store.ErrConflict):
		return conflict("it is there already, or somebody else has changed it meanwhile")
	case errors.Is(err, store.ErrNoKey), errors.Is(err, store.ErrWrongKey):
		return problem(http.StatusServiceUnavailable, "no-key", "there is no key for secrets, or another one: see the setting secrets.key")
	case errors.Is(err, store.ErrFull):
		return unavailable("there is no room on the disk; nothing was changed")
	case errors.Is(err, store.ErrAway):
		return unavailable("the database does not answer; nothing was changed")
	case errors.Is(err, store.ErrInUse):
		return unavailable("another Busbar has taken the database; nothing was changed")
	case errors.Is(err, store.ErrReadOnly):
		return unavailable("the database is read-only; nothing was changed")
	}
	return nil
}

// invalidPlant tells every fault of a plant.
func invalidPlant(faults plant.Problems) *Problem {
	detail := "the plant would be faulty; nothing was changed"
	if len(faults) > maxRefused {
		detail += fmt.Sprintf("; the first %d of %d errors are told", maxRefused, len(faults))
	}
	p := invalid(detail, faultsOf(faults)...)
	p.Type, p.Code = "/docs#problem-invalid-plant", "invalid-plant"
	return p
}

// maxFaultValue is the longest value that a fault shows.
const maxFaultValue = 200

// retold turns an error of the library, which it makes of what it finds in a
// request, into one of ours.
func retold(_ huma.Context, _ string, v any) (any, error) {
	e, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	p := problem(e.Status, codeOf(e.Status), e.Detail)
	for _, d := range e.Errors {
		if d == nil {
			continue
		}
		p.Errors = append(p.Errors, Fault{Location: strings.TrimPrefix(d.Location, "body."), Message: d.Message, Value: shown(d.Location, d.Value)})
	}
	return p, nil
}

// shown returns what a fault may show of the value at a location: no secrets, no large values.
func shown(location string, v any) any {
	text, ok := v.(string)
	switch {
	case location == "body" || secretLocation(location):
		return nil
	case ok && len(text) > maxFaultValue:
		return strings.ToValidUTF8(text[:maxFaultValue], "") + "…"
	case ok:
		return text
	}
	switch v.(type) {
	case bool, float64, int, int64, uint64:
		return v
	}
	return nil
}

func codeOf(status int) string {
	switch status {
	case http.StatusBadRequest:
		return "malformed"
	case http.StatusRequestTimeout:
		return "timeout"
	case http.StatusRequestEntityTooLarge:
		return "too-large"
	case http.StatusUnsupportedMediaType:
		return "unsupported-media-type"
	case http.StatusUnprocessableEntity:
		return "invalid"
	default:
		return strings.ReplaceAll(strings.ToLower(http.StatusText(status)), " ", "-")
	}
}

func tooLarge(limit int64) *Problem {
	return problem(http.StatusRequestEntityTooLarge, "too-large", "the body is larger than "+size(limit))
}
