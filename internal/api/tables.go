package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"busbar/internal/auth"
	"busbar/internal/manage"
	"busbar/internal/plant"
	"busbar/internal/plantdoc"
	"busbar/internal/plantdoc/table"
)

// Content types of tables.
const (
	csvType  = "text/csv"
	xlsxType = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
)

// registerTables registers the routes by which points and commands are imported and exported.
func registerTables(a *api) {
	for _, section := range []plantdoc.Section{plantdoc.Points, plantdoc.Commands} {
		t := tables{a, section}
		name, word := string(section), strings.ToUpper(string(section[:1]))+string(section[1:])
		register(a, op{
			ID: "import" + word, Method: http.MethodPost, Path: "/" + name + "/import", Tag: name, Role: auth.Engineer, Scope: changeScope(section),
			Summary: "Import " + name + " from a table or a plant file",
			Description: "CSV and XLSX have a row for each object and a column for each key, such as to[0].ca. What has no column stays as it is, an empty cell removes the key. " +
				"YAML and JSON are plant files, of which the " + name + " are taken as a whole. All of it is one change, or nothing is.",
			Consumes: []string{csvType, xlsxType, yamlType, jsonType}, MaxBody: table.MaxSize, Errors: []int{http.StatusConflict},
		}, t.take)
		register(a, op{
			ID: "export" + word, Method: http.MethodGet, Path: "/" + name + "/export", Tag: name, Role: auth.Viewer, Scope: scopePoints,
			Summary: "Export " + name + " as a table or a plant file", Produces: []string{csvType, xlsxType, yamlType, jsonType},
		}, t.give)
	}
}

type tables struct {
	*api
	section plantdoc.Section
}

type importInput struct {
	RowsInput
	Mode string `query:"mode" enum:"merge,replace" default:"merge" doc:"replace: objects that are not in the file are removed"`
}

// source is a body that was read: of it rows are made once the plant as it is is known.
type source func(l *table.Layout, before func(id string) ([]byte, bool)) (*table.Import, error)

func (t tables) take(ctx context.Context, in *importInput) (*rowsOutput, error) {
	from, err := t.source(ctx)
	if err != nil {
		return nil, tableProblem(err)
	}
	layout, err := t.layout()
	if err != nil {
		return nil, err
	}
	out, err := t.rows(ctx, t.section, &in.RowsInput, func(e *manage.Edit) (*table.Import, error) {
		imp, err := from(layout, existing(ctx, e, t.section))
		if err == nil && in.Mode == "replace" {
			imp.RemoveOthers(t.seen(ctx, e))
		}
		return imp, err
	})
	return out, tableProblem(err)
}

// tableProblem is the problem of a file that is no table.
func tableProblem(err error) error {
	if errors.Is(err, table.ErrFormat) {
		return invalid(err.Error() + "; nothing was changed")
	}
	return err
}

// seen returns the ids of the objects that who asks may see.
func (t tables) seen(ctx context.Context, e *manage.Edit) (ids []string) {
	who := actor(ctx)
	for o := range e.All(t.section) {
		if who.Sees(o.ID) {
			ids = append(ids, o.ID)
		}
	}
	return ids
}

func (t tables) layout() (*table.Layout, error) {
	s, err := t.deps.Kinds.PlantSchemas()
	if err != nil {
		return nil, err
	}
	if t.section == plantdoc.Commands {
		return table.NewLayout(t.section, s.Command), nil
	}
	return table.NewLayout(t.section, s.Point, s.SystemPoint), nil
}

// source reads the body of a request.
func (t tables) source(ctx context.Context) (source, error) {
	body, kind := bodyOf(ctx)
	data, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	switch kind {
	case csvType:
		r, err := table.ReadCSV(bytes.NewReader(data))
		return func(l *table.Layout, existing func(string) ([]byte, bool)) (*table.Import, error) {
			return l.Merge(r, existing)
		}, err
	case xlsxType:
		return func(l *table.Layout, before func(string) ([]byte, bool)) (*table.Import, error) {
			r, err := table.ReadXLSX(bytes.NewReader(data), l.SheetName())
			if err != nil {
				return nil, err
			}
			imp, err := l.Merge(r, before)
			return imp, errors.Join(err, r.Close())
		}, nil
	default:
		objs, problems := plantdoc.Parse(documentName(kind), data)
		if len(problems) > 0 {
			return nil, located(problems)
		}
		return func(_ *table.Layout, before func(string) ([]byte, bool)) (*table.Import, error) {
			return t.document(objs, before), nil
		}, nil
	}
}

// document makes rows of the objects of a plant file.
func (t tables) document(objs []plantdoc.Object, before func(string) ([]byte, bool)) *table.Import {
	imp := table.NewImport()
	for i, o := range objs {
		row := table.Row{Number: i + 1, ID: o.ID}
		switch {
		case o.Section != t.section:
			imp.Faults = append(imp.Faults, table.Fault{Message: plant.Key(string(o.Section), o.ID) + " is not imported here, want " + string(t.section) + " alone"})
			continue
		case !plant.IsID(o.ID):
			row.Faults = []table.Fault{{Row: row.Number, Column: "id", Message: "is no id, want " + plant.WantID, Value: o.ID}}
		default:
			body, exists := before(o.ID)
			row.Put(o.Body, body, exists)
		}
		imp.Add(row)
	}
	return imp
}

type exportInput struct {
	Format string `query:"format" enum:"csv,csv-semicolon,xlsx,yaml,json" doc:"Default: what Accept likes best. csv-semicolon is for spreadsheet programs in countries with a decimal comma"`
	Prefix string `query:"prefix" maxLength:"200" doc:"Only this id, and what lies below it" example:"ons4711/t1"`
	Accept string `header:"Accept" hidden:"true"`
}

func (t tables) give(ctx context.Context, in *exportInput) (*huma.StreamResponse, error) {
	all, _, err := t.deps.Store.Document(ctx)
	if err != nil {
		return nil, err
	}
	who := actor(ctx)
	objs := slices.DeleteFunc(all, func(o plantdoc.Object) bool {
		return o.Section != t.section || !below(o.ID, in.Prefix) || !who.Sees(o.ID)
	})
	layout, err := t.layout()
	if err != nil {
		return nil, err
	}
	format := in.Format
	if format == "" {
		kinds := map[string]string{csvType: "csv", xlsxType: "xlsx", yamlType: "yaml", jsonType: "json"}
		format = kinds[prefer(requestOf(ctx).http.Header.Values("Accept"), []string{csvType, xlsxType, yamlType, jsonType})]
	}
	req, name := requestOf(ctx), string(t.section)
	switch format {
	case "xlsx":
		return t.download(req, xlsxType, name+".xlsx", func(w io.Writer) error { return layout.WriteXLSX(w, objs) }), nil
	case "yaml":
		return t.download(req, yamlType, name+".yaml", func(w io.Writer) error {
			text, err := plantdoc.YAML(objs)
			if err != nil {
				return err
			}
			_, err = w.Write(text)
			return err
		}), nil
	case "json":
		return t.download(req, jsonType, name+".json", func(w io.Writer) error {
			_, err := w.Write(plantdoc.JSON(objs))
			return err
		}), nil
	default:
		o := table.CSVOptions{Semicolon: format == "csv-semicolon"}
		return t.download(req, csvType+"; charset=utf-8", name+".csv", func(w io.Writer) error { return layout.WriteCSV(w, objs, o) }), nil
	}
}
