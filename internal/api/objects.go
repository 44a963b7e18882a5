package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"busbar/internal/auth"
	"busbar/internal/manage"
	"busbar/internal/plant"
	"busbar/internal/plantdoc"
)

// Object is a connector, a point or a command as the plant file has it, with its id.
type Object json.RawMessage

// Schema implements [huma.SchemaProvider].
func (Object) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeObject, Description: "The keys of the plant file, and the id", AdditionalProperties: true, Required: []string{"id"},
		Properties: map[string]*huma.Schema{"id": {Type: huma.TypeString}},
	}
}

// MarshalJSON implements [json.Marshaler].
func (o Object) MarshalJSON() ([]byte, error) { return o, nil }

// UnmarshalJSON implements [json.Unmarshaler].
func (o *Object) UnmarshalJSON(text []byte) error {
	*o = bytes.Clone(text)
	return nil
}

// objectOfPlant puts the id before the keys of an object.
func objectOfPlant(id string, body []byte) (Object, error) {
	name, err := json.Marshal(id)
	if err != nil {
		return nil, err
	}
	text := append([]byte(`{"id":`), name...)
	if len(body) > len("{}") {
		text = append(text, ',')
	}
	return append(text, body[1:]...), nil
}

// objects are the routes of one section of the plant.
type objects struct {
	*api
	section plantdoc.Section
	one     string // what one of it is called
	scope   scope
}

// registerObjects registers the routes of connectors, points and commands.
func registerObjects(a *api) {
	for _, o := range []objects{
		{a, plantdoc.Connectors, "connector", scopeWhole},
		{a, plantdoc.Points, "point", scopePoints},
		{a, plantdoc.Commands, "command", scopePoints},
	} {
		o.register()
	}
}

// changeScope says whether who is limited to a part of the points may change his part of a section.
// Commands he may not: a command of his could operate whatever a connector reaches.
func changeScope(section plantdoc.Section) scope {
	if section == plantdoc.Points {
		return scopePoints
	}
	return scopeWhole
}

func (o objects) register() {
	path, tag := "/"+string(o.section), string(o.section)
	word := strings.ToUpper(o.one[:1]) + o.one[1:]
	list := op{ID: "list" + word + "s", Method: http.MethodGet, Path: path, Tag: tag, Role: auth.Viewer, Scope: o.scope, Summary: "The " + tag + " of the plant"}
	switch o.section {
	case plantdoc.Connectors:
		register(o.api, list, o.listConnectors)
	case plantdoc.Points:
		register(o.api, list, o.listPoints)
	default:
		register(o.api, list, o.listCommands)
	}
	register(o.api, op{
		ID: "get" + word, Method: http.MethodGet, Path: path + "/{id}", Tag: tag, Role: auth.Viewer, Scope: o.scope,
		Summary: "One " + o.one + " of the plant", Errors: []int{http.StatusNotFound, http.StatusNotModified, http.StatusPreconditionFailed},
	}, o.get)
	register(o.api, op{
		ID: "put" + word, Method: http.MethodPut, Path: path + "/{id}", Tag: tag, Role: auth.Engineer, Scope: changeScope(o.section),
		Summary:     "Add a " + o.one + ", or replace it",
		Description: "The body has the keys of the plant file, as JSON or YAML. The whole plant is validated, stored and put into force, or nothing is changed.",
		Consumes:    documentTypes(), Errors: o.changeErrors(http.StatusCreated),
	}, o.put)
	register(o.api, op{
		ID: "delete" + word, Method: http.MethodDelete, Path: path + "/{id}", Tag: tag, Role: auth.Engineer, Scope: changeScope(o.section),
		Summary: "Remove a " + o.one, Status: http.StatusNoContent, Errors: o.changeErrors(http.StatusNotFound),
	}, o.remove)
	answers := o.huma.OpenAPI().Paths[path+"/{id}"].Put.Responses
	answers["201"].Content = answers["200"].Content
}

// changeErrors are the answers of a change; who is limited to a part of the points gets 403 for the others.
func (o objects) changeErrors(status int) []int {
	return []int{status, http.StatusConflict, http.StatusPreconditionFailed}
}

// visible returns why who asks must not see or change an object; nil if he may.
func (o objects) visible(ctx context.Context, id string, change bool) error {
	if o.scope == scopeWhole || actor(ctx).Sees(id) {
		return nil
	}
	if change {
		return problem(http.StatusForbidden, "limited", o.one+" "+id+" is not among those that you may change")
	}
	return o.absent(id)
}

func (o objects) absent(id string) *Problem { return notFound("there is no " + o.one + " " + id) }

// ObjectInput names an object of the plant.
type ObjectInput struct {
	ID string `path:"id" doc:"Id of the object; each / in it is written %2F" example:"x"`
	Conditions
}

type objectOutput struct {
	Status int
	ETag   string `header:"ETag"`
	Body   Object
}

func (o objects) get(ctx context.Context, in *ObjectInput) (*objectOutput, error) {
	if err := o.visible(ctx, in.ID, false); err != nil {
		return nil, err
	}
	found, revision, err := o.deps.Store.Object(ctx, o.section, in.ID)
	if err != nil {
		return nil, o.fault(err, in.ID)
	}
	etag := etagOf(revision, found.Body)
	if err := in.readable(etag); err != nil {
		return nil, err
	}
	body, err := objectOfPlant(in.ID, found.Body)
	return &objectOutput{Status: http.StatusOK, ETag: etag, Body: body}, err
}

// fault says what is not there.
func (o objects) fault(err error, id string) error {
	if p := plantProblem(err); p != nil && p.Status == http.StatusNotFound {
		return o.absent(id)
	}
	return err
}

type putObjectInput struct {
	ObjectInput
	Changing
}

func (o objects) put(ctx context.Context, in *putObjectInput) (*objectOutput, error) {
	if err := o.visible(ctx, in.ID, true); err != nil {
		return nil, err
	}
	body, err := o.read(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := &objectOutput{Status: http.StatusOK}
	var before []byte
	var revision int64
	r, err := o.deps.Manage.Change(ctx, author(ctx), manage.ChangeOptions{Comment: in.Comment}, func(e *manage.Edit) error {
		var ok bool
		if before, revision, ok = e.Get(o.section, in.ID); !ok {
			out.Status = http.StatusCreated
		}
		e.Put(o.section, in.ID, body)
		return in.writable(o.tag(before, revision))
	})
	if err != nil {
		return nil, err
	}
	after := before
	for _, c := range r.Changes { // secrets are cut out of what is stored
		after, revision = c.After, r.Revision.Number
	}
	noteChange(ctx, rawOrNil(before), rawOrNil(after))
	out.ETag = etagOf(revision, after)
	out.Body, err = objectOfPlant(in.ID, after)
	return out, err
}

// tag returns the entity tag of an object, empty if it is not there.
func (objects) tag(body []byte, revision int64) string {
	if body == nil {
		return ""
	}
	return etagOf(revision, body)
}

func rawOrNil(body []byte) any {
	if body == nil {
		return nil
	}
	return json.RawMessage(body)
}

// read reads an object from the body of a request. It may have its id, as in an answer.
func (o objects) read(ctx context.Context, id string) ([]byte, error) {
	in, kind := bodyOf(ctx)
	text, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	body, err := plantdoc.ParseObject(documentName(kind), text)
	if problems, ok := errors.AsType[plant.Problems](err); ok {
		return nil, located(problems)
	}
	if err != nil {
		return nil, err
	}
	var named struct{ ID *string }
	if err := json.Unmarshal(body, &named); err != nil || named.ID == nil {
		return body, nil //nolint:nilerr // what is not as a plant file has it, the plant says
	}
	if *named.ID != id {
		return nil, invalid("the body is another "+o.one, Fault{Location: "id", Message: "want " + id + ", as in the path, or none", Value: *named.ID})
	}
	return withoutID(body)
}

// withoutID removes the key id.
func withoutID(body []byte) ([]byte, error) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(body, &keys); err != nil {
		return nil, err
	}
	delete(keys, "id")
	text, err := json.Marshal(keys)
	if err != nil {
		return nil, err
	}
	return plantdoc.ParseObject(documentName(jsonType), text)
}

func (o objects) remove(ctx context.Context, in *putObjectInput) (*struct{}, error) {
	if err := o.visible(ctx, in.ID, true); err != nil {
		return nil, err
	}
	_, err := o.deps.Manage.Change(ctx, author(ctx), manage.ChangeOptions{Comment: in.Comment}, func(e *manage.Edit) error {
		before, revision, ok := e.Get(o.section, in.ID)
		if err := in.writable(o.tag(before, revision)); err != nil {
			return err
		}
		if !ok {
			return o.absent(in.ID)
		}
		e.Delete(o.section, in.ID)
		noteChange(ctx, rawOrNil(before), nil)
		return nil
	})
	return nil, err
}
