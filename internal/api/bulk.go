package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"busbar/internal/auth"
	"busbar/internal/manage"
	"busbar/internal/plant"
	"busbar/internal/plantdoc"
	"busbar/internal/plantdoc/table"
)

// Limits of a bulk request.
const (
	ndjsonType   = "application/x-ndjson"
	maxBulk      = 64 << 20 // octets
	maxBulkItems = 1_000_000
	maxBulkItem  = 1 << 20 // octets
)

// registerBulk registers the routes that take many points or commands at once.
func registerBulk(a *api) {
	for _, s := range []struct {
		section plantdoc.Section
		id      string
		handle  func(context.Context, *RowsInput) (*rowsOutput, error)
	}{
		{plantdoc.Points, "bulkPoints", func(ctx context.Context, in *RowsInput) (*rowsOutput, error) { return a.bulk(ctx, plantdoc.Points, in) }},
		{plantdoc.Commands, "bulkCommands", func(ctx context.Context, in *RowsInput) (*rowsOutput, error) {
			return a.bulk(ctx, plantdoc.Commands, in)
		}},
	} {
		register(a, op{
			ID: s.id, Method: http.MethodPost, Path: "/" + string(s.section) + "/bulk", Tag: string(s.section), Role: auth.Engineer, Scope: changeScope(s.section),
			Summary: "Add, replace and remove many " + string(s.section),
			Description: "The body is a JSON array, or a line of JSON for each item: the object as it is read, with its id, is added or replaced; " +
				`{"op":"delete","id":"…"} removes one. All of it is one change, or nothing is.`,
			Consumes: []string{jsonType, ndjsonType}, MaxBody: maxBulk, Errors: []int{http.StatusConflict},
		}, s.handle)
	}
}

func (a *api) bulk(ctx context.Context, section plantdoc.Section, in *RowsInput) (*rowsOutput, error) {
	body, _ := bodyOf(ctx)
	items, err := readItems(body)
	if err != nil {
		return nil, err
	}
	return a.rows(ctx, section, in, func(e *manage.Edit) (*table.Import, error) {
		imp := table.NewImport()
		before := existing(ctx, e, section)
		for i := range items {
			imp.Add(items[i].row(i+1, imp, before))
		}
		return imp, nil
	})
}

// item is one item of a bulk request.
type item struct {
	id     string
	gone   bool
	body   []byte
	faults []table.Fault
}

// row returns what becomes of the object.
func (m *item) row(number int, imp *table.Import, existing func(id string) ([]byte, bool)) table.Row {
	row := table.Row{Number: number, ID: m.id, Faults: m.faults}
	fault := func(message string) {
		row.Faults = append(row.Faults, table.Fault{Row: number, Column: "id", Message: message, Value: m.id})
	}
	before, exists := existing(m.id)
	first := imp.Row(m.id)
	switch {
	case len(m.faults) > 0:
	case !plant.IsID(m.id):
		fault("is no id, want " + plant.WantID)
	case first != nil:
		fault(fmt.Sprintf("occurs twice, first in item %d", first.Number))
	case m.gone && !exists:
		fault("does not exist, want one that does")
	case m.gone:
		row.Action = table.Removed
	default:
		row.Put(m.body, before, exists)
	}
	return row
}

// readItems reads the items of a list, or of lines.
func readItems(body io.Reader) ([]item, error) {
	in := bufio.NewReaderSize(body, 64<<10)
	listed, err := skipToItems(in)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(in)
	if listed {
		if _, err := d.Token(); err != nil {
			return nil, malformed(err, 0)
		}
	}
	var items []item
	for listed && d.More() || !listed {
		var raw json.RawMessage
		switch err := d.Decode(&raw); {
		case errors.Is(err, io.EOF) && !listed:
			return items, nil
		case err != nil:
			return nil, malformed(err, len(items)+1)
		case len(items) == maxBulkItems:
			return nil, problem(http.StatusRequestEntityTooLarge, "too-large", fmt.Sprintf("there are more than %d items", maxBulkItems))
		}
		items = append(items, itemOf(len(items)+1, raw))
	}
	if _, err := d.Token(); err != nil {
		return nil, malformed(err, len(items)+1)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, malformed(errors.New("something follows the list"), len(items)+1)
	}
	return items, nil
}

// skipToItems goes to the first item. It tells whether they are in a list.
func skipToItems(in *bufio.Reader) (listed bool, err error) {
	for {
		c, err := in.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return false, nil
		case err != nil:
			return false, malformed(err, 1)
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			continue
		}
		return c == '[', in.UnreadByte()
	}
}

// malformed is the problem of a body that cannot be read on.
func malformed(err error, number int) error {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		err = errors.New("the body ends within it")
	}
	return invalid("the body is no list and no lines of JSON; nothing was changed", Fault{Location: fmt.Sprintf("item %d", number), Message: err.Error()})
}

// itemOf reads an item.
func itemOf(number int, raw []byte) (m item) {
	fault := func(path, message string) {
		m.faults = append(m.faults, table.Fault{Row: number, Column: path, Message: message})
	}
	if len(raw) > maxBulkItem {
		fault("", fmt.Sprintf("is larger than %s", size(maxBulkItem)))
		return m
	}
	n, problems := plant.Tree("item.json", raw)
	for _, p := range problems {
		fault(p.Path, p.Text)
	}
	if len(problems) > 0 {
		return m
	}
	if n.Kind != plant.Map {
		fault("", "is no object, want one with the key id")
		return m
	}
	kept := n.Fields[:0]
	for _, f := range n.Fields {
		switch text, err := f.Value.Str(); {
		case f.Key == "id" && err == nil && f.Value.Quoted:
			m.id = text
		case f.Key == "op" && err == nil && (text == "put" || text == "delete"):
			m.gone = text == "delete"
		case f.Key == "id":
			fault("id", "want text")
		case f.Key == "op":
			fault("op", "want put or delete; absent: put")
		default:
			kept = append(kept, f)
		}
	}
	n.Fields = kept
	if m.id == "" && len(m.faults) == 0 {
		fault("id", "is missing, want the id of the object")
	}
	if m.gone && len(kept) > 0 {
		fault(kept[0].Key, "has no meaning with op delete, want id alone")
	}
	m.body = plantdoc.AppendNode(nil, n)
	return m
}
