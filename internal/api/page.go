package api

import (
	"bytes"
	"embed"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed page
var pageFiles embed.FS

// pageView is what the page of the document shows.
type pageView struct {
	Title, Version, Description, Base string
	Tags                              []pageTag
	Schemas                           []pageSchema
	Problems                          []problemCode
}

type pageTag struct {
	Name       string
	Operations []pageOperation
}

type pageOperation struct {
	ID, Method, Path, Summary, Description, Role, Scope string
	Parameters                                          []pageParameter
	Bodies                                              []pageContent
	Answers                                             []pageAnswer
}

type pageParameter struct {
	Name, In, Description string
	Required              bool
	Schema                *huma.Schema
}

type pageContent struct {
	Type   string
	Schema *huma.Schema
}

type pageAnswer struct {
	Status, Description string
	Contents            []pageContent
}

type pageSchema struct {
	Name    string
	Schema  *huma.Schema
	Members []pageMember
}

type pageMember struct {
	Name     string
	Required bool
	Schema   *huma.Schema
}

// servePage serves the document as a page that needs nothing from elsewhere.
func (a *api) servePage() error {
	t, err := template.New("page.html").Funcs(template.FuncMap{"type": typeText, "ref": refName, "limits": limitsText}).ParseFS(pageFiles, "page/page.html")
	if err != nil {
		return err
	}
	var html bytes.Buffer
	if err := t.Execute(&html, a.pageView()); err != nil {
		return err
	}
	style, err := pageFiles.ReadFile("page/page.css")
	if err != nil {
		return err
	}
	a.serveFile("/docs", "text/html; charset=utf-8", html.Bytes())
	a.serveFile("/docs/page.css", "text/css; charset=utf-8", style)
	return nil
}

// serveFile serves a file to everybody.
func (a *api) serveFile(path, kind string, text []byte) {
	a.mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
		if _, err := w.Write(text); err != nil {
			a.log.Debug("http client left before the answer", "request", requestOf(r.Context()).id, "error", err)
		}
	})
}

func (a *api) pageView() pageView {
	doc := a.huma.OpenAPI()
	v := pageView{Title: doc.Info.Title, Version: doc.Info.Version, Description: doc.Info.Description, Base: base, Problems: problemCodes()}
	byTag := map[string][]pageOperation{}
	for _, o := range a.ops {
		byTag[o.Tag] = append(byTag[o.Tag], pageOperationOf(o, a.documented(o)))
	}
	for _, tag := range slices.Sorted(maps.Keys(byTag)) {
		slices.SortFunc(byTag[tag], func(a, b pageOperation) int { return strings.Compare(a.Path+a.Method, b.Path+b.Method) })
		v.Tags = append(v.Tags, pageTag{tag, byTag[tag]})
	}
	schemas := doc.Components.Schemas.Map()
	for _, name := range slices.Sorted(maps.Keys(schemas)) {
		s := pageSchema{Name: name, Schema: schemas[name]}
		for _, member := range slices.Sorted(maps.Keys(s.Schema.Properties)) {
			s.Members = append(s.Members, pageMember{member, slices.Contains(s.Schema.Required, member), s.Schema.Properties[member]})
		}
		v.Schemas = append(v.Schemas, s)
	}
	return v
}

func pageOperationOf(o *op, h *huma.Operation) pageOperation {
	p := pageOperation{
		ID: o.ID, Method: o.Method, Path: base + o.Path, Summary: o.Summary, Description: o.Description, Role: o.role(),
	}
	if o.Role != 0 {
		p.Scope = o.Scope.String()
	}
	for _, q := range h.Parameters {
		p.Parameters = append(p.Parameters, pageParameter{q.Name, q.In, q.Description, q.Required, q.Schema})
	}
	if h.RequestBody != nil {
		p.Bodies = contentsOf(h.RequestBody.Content)
	}
	for _, status := range slices.Sorted(maps.Keys(h.Responses)) {
		answer := h.Responses[status]
		p.Answers = append(p.Answers, pageAnswer{status, answer.Description, contentsOf(answer.Content)})
	}
	return p
}

func contentsOf(content map[string]*huma.MediaType) (list []pageContent) {
	for _, kind := range slices.Sorted(maps.Keys(content)) {
		list = append(list, pageContent{kind, content[kind].Schema})
	}
	return list
}

// refName returns the name of the schema that s refers to, also as its items; empty if it refers to none.
func refName(s *huma.Schema) string {
	switch {
	case s == nil:
		return ""
	case s.Ref != "":
		return s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
	case s.Items != nil:
		return refName(s.Items)
	default:
		return ""
	}
}

// typeText returns the type of a schema in words.
func typeText(s *huma.Schema) string {
	switch {
	case s == nil:
		return "any"
	case s.Ref != "":
		return refName(s)
	case s.Items != nil:
		return "list of " + typeText(s.Items)
	case len(s.OneOf) > 0:
		names := make([]string, len(s.OneOf))
		for i, one := range s.OneOf {
			if names[i] = one.Title; one.Title == "" { // titles are for what has no name
				names[i] = typeText(one)
			}
		}
		return "one of " + strings.Join(names, ", ")
	case s.Extensions["type"] != nil:
		return valueText(s.Extensions["type"])
	case s.Type == "":
		return "any"
	case s.Format != "":
		return s.Type + " (" + s.Format + ")"
	default:
		return s.Type
	}
}

// limitsText returns what restricts the values of a schema.
func limitsText(s *huma.Schema) string {
	if s == nil {
		return ""
	}
	var parts []string
	add := func(name string, value any) { parts = append(parts, name+" "+strings.TrimSpace(valueText(value))) }
	if len(s.Enum) > 0 {
		add("one of", s.Enum)
	}
	if s.Minimum != nil {
		add("from", *s.Minimum)
	}
	if s.Maximum != nil {
		add("to", *s.Maximum)
	}
	if s.MaxLength != nil {
		add("at most", strconv.Itoa(*s.MaxLength)+" characters")
	}
	if s.Pattern != "" {
		add("as", s.Pattern)
	}
	if s.Default != nil {
		add("default", s.Default)
	}
	if len(s.Examples) > 0 {
		add("for example", s.Examples[0])
	}
	return strings.Join(parts, "; ")
}

func valueText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case []any:
		words := make([]string, len(v))
		for i := range v {
			words[i] = valueText(v[i])
		}
		return strings.Join(words, ", ")
	default:
		var b bytes.Buffer
		if err := huma.DefaultJSONFormat.Marshal(&b, v); err != nil {
			return ""
		}
		return b.String()
	}
}
