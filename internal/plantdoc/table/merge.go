package table

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"busbar/internal/plant"
	"busbar/internal/plantdoc"
)

// Action is what becomes of an object because of a row.
type Action string

// What a row does.
const (
	New       Action = "new"
	Changed   Action = "changed"
	Unchanged Action = "unchanged"
	Removed   Action = "removed"
	Failed    Action = "error" // the row has faults: nothing
)

// Row is what is made of one row.
type Row struct {
	Number int // from 1, as a spreadsheet program counts, or of an item; 0: removed because it is in no row
	ID     string
	Action Action
	Body   []byte // canonical JSON of the object as the row wants it; nil: it is removed
	Faults []Fault
}

// Import is what is made of a table.
type Import struct {
	Rows   []Row
	Faults []Fault // of the table as a whole, such as columns that are not known
	at     map[string]int
}

// Merge reads a table and makes objects of its rows. existing returns the body of the object
// with an id as it is, canonical JSON; false if there is none. What a row has no column for stays as it is, an
// empty cell removes its key, and a row whose column delete says so removes the object. The error is
// [ErrFormat]; what is wrong in rows is in the rows.
func (l *Layout) Merge(r Reader, existing func(id string) ([]byte, bool)) (*Import, error) {
	m := merger{layout: l, existing: existing, out: NewImport(), comma: r.DecimalComma()}
	var err error
	if m.columns, m.out.Faults, err = l.header(r); err != nil || len(m.out.Faults) > 0 {
		return m.out, err
	}
	m.id = slices.IndexFunc(m.columns, func(c column) bool { return c.path == idColumn })
	for {
		number, cells, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return m.out, nil
		case err != nil:
			return m.out, err
		}
		if !slices.ContainsFunc(cells, func(c Cell) bool { return strings.TrimSpace(c.Text) != "" || c.Fault != "" }) {
			continue
		}
		row := m.row(number, cells)
		m.out.Add(row)
	}
}

// NewImport returns an import without rows.
func NewImport() *Import { return &Import{at: make(map[string]int)} }

// Add adds a row. One that has faults has failed. The first of several rows with an id is the one
// that problems of the plant come to.
func (i *Import) Add(row Row) {
	if len(row.Faults) > 0 {
		row.Action = Failed
	}
	if _, ok := i.at[row.ID]; !ok {
		i.at[row.ID] = len(i.Rows)
	}
	i.Rows = append(i.Rows, row)
}

// Row returns the first row with an id, nil if there is none.
func (i *Import) Row(id string) *Row {
	at, ok := i.at[id]
	if !ok {
		return nil
	}
	return &i.Rows[at]
}

// RemoveOthers adds a removal for each of the ids that is in no row.
func (i *Import) RemoveOthers(ids []string) {
	for _, id := range ids {
		if i.Row(id) == nil {
			i.Add(Row{ID: id, Action: Removed})
		}
	}
}

// Blame adds a problem of the plant to the row that its path leads to. It returns false if
// that is none.
func (i *Import) Blame(in plantdoc.Section, p plant.Problem) bool {
	section, id, rest := plant.CutPath(p.Path)
	row := i.Row(id)
	if section != string(in) || row == nil || id == "" || row.Number == 0 {
		return false
	}
	if rest == "" {
		rest = idColumn
	}
	row.Action = Failed
	row.Faults = append(row.Faults, Fault{Row: row.Number, Column: rest, Message: p.Text})
	return true
}

// Failed reports whether anything is wrong.
func (i *Import) Failed() bool {
	return len(i.Faults) > 0 || slices.ContainsFunc(i.Rows, func(r Row) bool { return r.Action == Failed })
}

type merger struct {
	layout   *Layout
	columns  []column
	id       int // of the columns
	comma    bool
	existing func(id string) ([]byte, bool)
	out      *Import
}

// row makes an object of a row.
func (m *merger) row(number int, cells []Cell) Row {
	row := Row{Number: number}
	fault := func(column, message, value string) {
		const shown = 100
		if len(value) > shown {
			value = strings.ToValidUTF8(value[:shown], "") + "…"
		}
		row.Faults = append(row.Faults, Fault{number, column, message, value})
	}
	for i, cell := range cells {
		switch {
		case cell.Fault != "":
			name := letters(i)
			if i < len(m.columns) && m.columns[i].path != "" {
				name = m.columns[i].path
			}
			fault(name, cell.Fault, cell.Text)
		case strings.TrimSpace(cell.Text) != "" && (i >= len(m.columns) || m.columns[i].path == ""):
			fault(letters(i), "has no name in the first row, want one, or no text", cell.Text)
		}
	}
	if m.id < len(cells) {
		row.ID = strings.TrimPrefix(strings.TrimSpace(cells[m.id].Text), quote)
	}
	switch first := m.out.Row(row.ID); {
	case row.ID == "":
		fault(idColumn, "is empty, want the id of a point or command", "")
	case !plant.IsID(row.ID):
		fault(idColumn, "is no id, want "+plant.WantID, row.ID)
	case first != nil:
		fault(idColumn, fmt.Sprintf("occurs twice, first in row %d", first.Number), row.ID)
	default:
		m.object(&row, cells, fault)
	}
	return row
}

// object makes the body of a row that has an id.
func (m *merger) object(row *Row, cells []Cell, fault func(column, message, value string)) {
	before, exists := m.existing(row.ID)
	gone, wrong := m.deletes(cells)
	if wrong != "" {
		fault(deleteColumn, "is "+wrong+", want true, false or nothing", wrong)
	}
	if gone {
		row.Action = Removed
		if !exists {
			fault(deleteColumn, "removes what does not exist, want an id that does", row.ID)
		}
		return
	}
	row.Put(m.body(before, exists, cells, fault), before, exists)
}

// Put gives the row the body that it wants, and finds out what it does to an object as it is.
func (r *Row) Put(body, before []byte, exists bool) {
	r.Body = body
	switch {
	case !exists:
		r.Action = New
	case bytes.Equal(before, body):
		r.Action = Unchanged
	default:
		r.Action = Changed
	}
}

// deletes reports whether the row removes its object, or what else the column says.
func (m *merger) deletes(cells []Cell) (gone bool, wrong string) {
	for i, c := range m.columns {
		if c.path != deleteColumn || i >= len(cells) {
			continue
		}
		text := strings.TrimSpace(cells[i].Text)
		switch strings.ToLower(text) {
		case "", "false", "falsch", "no", "nein", "0":
		case "true", "wahr", "yes", "ja", "x", "1":
			return true, ""
		default:
			return false, text
		}
	}
	return false, ""
}

// body lays the cells of a row over the object as it is.
func (m *merger) body(before []byte, exists bool, cells []Cell, fault func(column, message, value string)) []byte {
	var old []leaf
	if exists {
		if n, problems := plant.Tree("object.json", before); len(problems) == 0 {
			old = m.layout.leaves(n)
		}
	}
	var t tree
	named := make(map[string]bool, len(m.columns))
	for i, c := range m.columns {
		if c.path == "" || c.path == idColumn || c.path == deleteColumn {
			continue
		}
		named[c.path] = true
		text := ""
		if i < len(cells) {
			text = trim(cells[i].Text)
		}
		json, wrong := m.cell(c, text, old)
		if wrong != "" {
			fault(c.path, wrong, text)
		}
		if json != nil && !t.put(c.steps, json) {
			fault(c.path, "says something else than another column, want one of them", text)
		}
	}
	for i := range old {
		if o := &old[i]; !named[o.path] {
			t.put(o.steps, o.json) // false: a cell takes its place
		}
	}
	return t.append(nil)
}

// cell returns what a cell says, as it was where it says the same as before.
func (m *merger) cell(c column, text string, old []leaf) (json []byte, wrong string) {
	at := slices.IndexFunc(old, func(o leaf) bool { return o.path == c.path })
	if text != "" && at >= 0 && old[at].text == text {
		return old[at].json, ""
	}
	return parse(text, c.form, m.comma && !c.address())
}
