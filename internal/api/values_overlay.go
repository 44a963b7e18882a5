package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"busbar/internal/auth"
	"busbar/internal/image"
	"busbar/internal/point"
)

func registerOverlays(a *api) {
	change := op{Tag: "values", Role: auth.Operator, Scope: scopePoints, Errors: []int{http.StatusNotFound}}
	route := func(id, method, path, summary, description string) op {
		o := change
		o.ID, o.Method, o.Path, o.Summary, o.Description = id, method, "/values/{id}"+path, summary, description
		return o
	}
	register(a, route("substituteValue", http.MethodPut, "/substitution", "Enter a value in the place of that of the source",
		"It is shown with the quality SB until it is released. Answered when it is kept."), a.substituteValue)
	register(a, route("releaseSubstitution", http.MethodDelete, "/substitution", "Show again what the source tells", ""), a.releaseSubstitution)
	block := route("blockValue", http.MethodPut, "/blocking", "Freeze the value that the source has told last",
		"It is shown with the quality BL until it is released. Answered when it is kept.")
	block.OptionalBody = true
	register(a, block, a.blockValue)
	register(a, route("releaseBlocking", http.MethodDelete, "/blocking", "Show again what the source tells", ""), a.releaseBlocking)
	register(a, route("testValue", http.MethodPost, "/test", "Send a value with the test bit to the targets of the point",
		"No state changes. It goes to the controlling stations that have data transfer started now, and is not repeated."), a.testValue)
}

// Entered is a value that somebody has entered.
type Entered struct {
	Value     json.RawMessage `json:"value" doc:"Of the type of the point, as values show it"`
	Transient bool            `json:"transient,omitempty" doc:"Of a step position: the equipment is in transit"`
	Time      *time.Time      `json:"time,omitempty" doc:"When it holds from; absent: now"`
}

// parse reads it for a point of a type.
func (e *Entered) parse(typ point.Type, now time.Time) (v point.Value, at point.Instant, faults []Fault) {
	v, err := parseValue(e.Value, typ, e.Transient)
	if err != nil {
		faults = append(faults, Fault{Location: "value", Message: err.Error() + ": the point is of type " + typ.String(), Value: e.Value})
	}
	if at, err = parseTime(e.Time, now); err != nil {
		faults = append(faults, Fault{Location: "time", Message: err.Error(), Value: e.Time})
	}
	return v, at, faults
}

type substitutionInput struct {
	ValueInput
	Body struct {
		Entered
		Quality []string `json:"quality,omitempty" doc:"Beside substituted: invalid, not-topical, overflow"`
		Comment string   `json:"comment,omitempty" maxLength:"500" doc:"Why"`
	}
}

func (a *api) substituteValue(ctx context.Context, in *substitutionInput) (*valueOutput, error) {
	p, typ, err := a.pointOf(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	v, at, faults := in.Body.parse(typ, now)
	q, err := parseQuality(in.Body.Quality, point.Invalid|point.NotTopical|point.Overflow)
	if err != nil {
		faults = append(faults, Fault{Location: "quality", Message: err.Error(), Value: in.Body.Quality})
	}
	if len(faults) > 0 {
		return nil, invalid("the value cannot be substituted so", faults...)
	}
	return a.overlay(ctx, in.ID, typ, p, func() error {
		return a.deps.Image.Substitute(ctx, p, image.Substitution{Mark: mark(ctx, now, in.Body.Comment), Value: v, Quality: q, At: at})
	})
}

type blockingInput struct {
	ValueInput
	Body struct {
		Comment string `json:"comment,omitempty" maxLength:"500" doc:"Why"`
	}
}

func (a *api) blockValue(ctx context.Context, in *blockingInput) (*valueOutput, error) {
	p, typ, err := a.pointOf(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return a.overlay(ctx, in.ID, typ, p, func() error {
		return a.deps.Image.Block(ctx, p, mark(ctx, time.Now(), in.Body.Comment))
	})
}

func (a *api) releaseSubstitution(ctx context.Context, in *ValueInput) (*struct{}, error) {
	return a.release(ctx, in.ID, point.Substituted)
}

func (a *api) releaseBlocking(ctx context.Context, in *ValueInput) (*struct{}, error) {
	return a.release(ctx, in.ID, point.Blocked)
}

func (a *api) release(ctx context.Context, id string, what point.Quality) (*struct{}, error) {
	p, typ, err := a.pointOf(ctx, id)
	if err != nil {
		return nil, err
	}
	_, err = a.overlay(ctx, id, typ, p, func() error { return a.deps.Image.Release(ctx, p, what) })
	return nil, err
}

// overlay changes the overlay of a point, and notes it for the audit log.
func (a *api) overlay(ctx context.Context, id string, typ point.Type, p point.Index, change func() error) (*valueOutput, error) {
	before, err := a.valueNow(id, typ, p)
	if err != nil {
		return nil, err
	}
	if err := change(); err != nil {
		return nil, overlayProblem(id, err)
	}
	after, err := a.valueNow(id, typ, p)
	if err != nil {
		return nil, err
	}
	noteChange(ctx, before, after)
	return &valueOutput{after}, nil
}

// overlayProblem tells why an overlay was not changed. What else an image says is that it
// cannot keep anything now.
func overlayProblem(id string, err error) error {
	switch {
	case errors.Is(err, image.ErrNoPoint):
		return notFound("there is no point " + id)
	case errors.Is(err, image.ErrOverlay):
		return invalid(err.Error())
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return unavailable("nothing was changed, it could not be kept: " + err.Error())
}

// mark is what is kept about who has changed an overlay.
func mark(ctx context.Context, now time.Time, comment string) image.Mark {
	name := actor(ctx).Name
	if len(name) > image.MaxAuthor {
		name = name[:image.MaxAuthor]
	}
	return image.Mark{Author: strings.ToValidUTF8(name, ""), Comment: strings.ToValidUTF8(comment, ""), Time: point.InstantOf(now)}
}

type testInput struct {
	ValueInput
	Body struct {
		Entered
		Quality []string `json:"quality,omitempty" doc:"invalid, not-topical, substituted, blocked, overflow; absent: good"`
	}
}

// TestTarget says what became of a test value at a target.
type TestTarget struct {
	Connector string `json:"connector"`
	Target    string `json:"target,omitempty" doc:"Address and type" example:"225/100 M_ME_TF_1"`
	Stations  int    `json:"stations" doc:"To how many it was handed"`
	Reason    string `json:"reason,omitempty" doc:"Why to none"`
}

// TestSent is what became of a test value.
type TestSent struct {
	Stations int          `json:"stations" doc:"To how many it was handed in all"`
	Targets  []TestTarget `json:"targets" nullable:"false" doc:"Every target of the point"`
}

type testOutput struct{ Body TestSent }

func (a *api) testValue(ctx context.Context, in *testInput) (*testOutput, error) {
	p, typ, err := a.pointOf(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	v, at, faults := in.Body.parse(typ, now)
	const may = point.Invalid | point.NotTopical | point.Substituted | point.Blocked | point.Overflow
	q, err := parseQuality(in.Body.Quality, may)
	if err != nil {
		faults = append(faults, Fault{Location: "quality", Message: err.Error(), Value: in.Body.Quality})
	}
	if len(faults) > 0 {
		return nil, invalid("the value cannot be sent so", faults...)
	}
	if at == 0 {
		at = point.InstantOf(now)
	}
	results, err := a.deps.Manager.SendTest(p, point.Update{Value: v, Quality: q, Time: at, Arrival: point.InstantOf(now)})
	if err != nil {
		return nil, overlayProblem(in.ID, err)
	}
	sent := TestSent{Targets: make([]TestTarget, len(results))}
	for i, r := range results {
		sent.Targets[i] = TestTarget{Connector: r.Connector, Target: r.Place, Stations: r.Stations}
		if r.Err != nil {
			sent.Targets[i].Reason = r.Err.Error()
		}
		sent.Stations += r.Stations
	}
	noteChange(ctx, nil, sent)
	return &testOutput{sent}, nil
}
