package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"busbar/internal/auth"
	"busbar/internal/manage"
	"busbar/internal/plant"
	"busbar/internal/plantdoc"
)

// Content types of plants.
const (
	jsonType = "application/json"
	yamlType = "application/yaml"
	maxPlant = 256 << 20 // octets of a whole plant
)

func documentTypes() []string { return []string{jsonType, yamlType} }

// registerPlant registers the routes of the whole plant.
func registerPlant(a *api) {
	register(a, op{
		ID: "getPlant", Method: http.MethodGet, Path: "/plant", Tag: "plant", Role: auth.Viewer,
		Summary: "The whole plant, as JSON or YAML", Description: "It is what a plant file holds. Secrets are references. The entity tag is the number of the revision.",
		Produces: documentTypes(), Errors: []int{http.StatusNotModified, http.StatusPreconditionFailed},
	}, a.getPlant)
	register(a, op{
		ID: "putPlant", Method: http.MethodPut, Path: "/plant", Tag: "plant", Role: auth.Engineer,
		Summary: "Replace the whole plant", Description: "Validated as a whole; links that have nothing to do with what differs stay up. " +
			"If-Match is required: the entity tag of the plant that the change was made for, or *.",
		Consumes: documentTypes(), MaxBody: maxPlant, Errors: []int{http.StatusConflict, http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, a.putPlant)
	register(a, op{
		ID: "validatePlant", Method: http.MethodPost, Path: "/plant/validate", Tag: "plant", Role: auth.Engineer,
		Summary: "Find out what is wrong with a plant", Harmless: true,
		Description: "Nothing is changed. A faulty plant is a result, 200 with `valid` false and every problem.",
		Consumes:    documentTypes(), MaxBody: maxPlant,
	}, a.validatePlant)
}

type getPlantInput struct {
	Conditions
	Accept string `header:"Accept" hidden:"true"`
}

func (a *api) getPlant(ctx context.Context, in *getPlantInput) (*huma.StreamResponse, error) {
	objs, head, err := a.deps.Store.Document(ctx)
	if err != nil {
		return nil, err
	}
	etag := plantTag(head.Number)
	if err := in.readable(etag); err != nil {
		return nil, err
	}
	return a.document(ctx, etag, objs)
}

// plantTag is the entity tag of the whole plant.
func plantTag(revision int64) string { return fmt.Sprintf(`"%d"`, revision) }

// document answers with a plant as the client likes it best.
func (a *api) document(ctx context.Context, etag string, objs []plantdoc.Object) (*huma.StreamResponse, error) {
	req := requestOf(ctx)
	kind := prefer(req.http.Header.Values("Accept"), documentTypes())
	text := plantdoc.JSON(objs)
	if kind == yamlType {
		var err error
		if text, err = plantdoc.YAML(objs); err != nil {
			return nil, err
		}
	}
	return &huma.StreamResponse{Body: func(huma.Context) {
		req.answer.Header().Set("Content-Type", kind)
		req.answer.Header().Set("ETag", etag)
		w := &slowAnswer{req.answer, http.NewResponseController(req.answer)}
		if _, err := io.Copy(w, struct{ io.Reader }{bytes.NewReader(text)}); err != nil {
			a.log.Debug("http client left before the answer", "request", req.id, "error", err)
			panic(http.ErrAbortHandler)
		}
	}}, nil
}

// documentName names a body after its content type, as the plant tells JSON from YAML.
func documentName(kind string) string {
	if kind == yamlType {
		return "plant.yaml"
	}
	return "plant.json"
}

// readDocument reads a whole plant from the body of a request.
func readDocument(ctx context.Context) ([]plantdoc.Object, error) {
	body, kind := bodyOf(ctx)
	text, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	objs, problems := plantdoc.Parse(documentName(kind), text)
	if len(problems) > 0 {
		return nil, located(problems)
	}
	return objs, nil
}

// located puts the position of problems in a body into their text.
func located(problems plant.Problems) plant.Problems {
	for i := range problems {
		if p := &problems[i]; p.Line > 0 {
			p.Text = fmt.Sprintf("line %d, column %d: %s", p.Line, p.Col, p.Text)
		}
	}
	return problems
}

type putPlantInput struct {
	Conditions
	ChangingWhole
}

type plantChangeOutput struct {
	ETag string `header:"ETag"`
	Body PlantChange
}

func (a *api) putPlant(ctx context.Context, in *putPlantInput) (*plantChangeOutput, error) {
	if in.IfMatch == "" {
		return nil, problem(http.StatusPreconditionRequired, "precondition-required", "want If-Match: the entity tag of the plant that the change was made for, or *")
	}
	objs, err := readDocument(ctx)
	if err != nil {
		return nil, err
	}
	return a.changePlant(ctx, in.Conditions, in.options(), func(e *manage.Edit) error {
		e.Replace(objs)
		return nil
	})
}

// changePlant changes the whole plant if it is as the client thinks.
func (a *api) changePlant(ctx context.Context, c Conditions, o manage.ChangeOptions, edit func(*manage.Edit) error) (*plantChangeOutput, error) {
	r, err := a.deps.Manage.Change(ctx, author(ctx), o, func(e *manage.Edit) error {
		if err := c.writable(plantTag(e.Head())); err != nil {
			return err
		}
		return edit(e)
	})
	if err != nil {
		return nil, err
	}
	noteDetail(ctx, fmt.Sprintf("revision %d, %d changes", r.Revision.Number, len(r.Changes)))
	return &plantChangeOutput{plantTag(r.Revision.Number), plantChangeOf(r)}, nil
}

// Validation is what was found in a plant.
type Validation struct {
	Valid    bool    `json:"valid"`
	Problems []Fault `json:"problems" nullable:"false"`
	Warnings []Fault `json:"warnings" nullable:"false" doc:"What is right but may not be meant"`
}

type validationOutput struct{ Body Validation }

func (a *api) validatePlant(ctx context.Context, _ *struct{}) (*validationOutput, error) {
	objs, err := readDocument(ctx)
	problems, ok := err.(plant.Problems) //nolint:errorlint // as it was made
	if err != nil && !ok {
		return nil, err
	}
	var warnings []plant.Problem
	if err == nil {
		problems, warnings = a.deps.Manage.Validate(ctx, objs)
	}
	return &validationOutput{Validation{len(problems) == 0, faultsOf(problems), faultsOf(warnings)}}, nil
}
