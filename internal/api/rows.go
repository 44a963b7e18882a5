package api

import (
	"context"
	"errors"
	"fmt"

	"busbar/internal/manage"
	"busbar/internal/plant"
	"busbar/internal/plantdoc"
	"busbar/internal/plantdoc/table"
)

// RowsInput are the parameters of routes that take many objects at once.
type RowsInput struct {
	ChangingWhole
	Show string `query:"show" enum:"errors,changes,all" default:"changes" doc:"Which rows the answer has: those with errors, also those that change something, or all"`
}

// Rows is what became of many rows.
type Rows struct {
	DryRun   bool      `json:"dryRun" doc:"Nothing was changed"`
	Revision Revision  `json:"revision" doc:"The one that holds the change; the one before, if nothing was changed"`
	Counts   RowCounts `json:"counts"`
	Rows     []Row     `json:"rows" nullable:"false" doc:"All that have errors, and the first 1000 of the others that are asked for"`
	More     bool      `json:"more" doc:"There are more rows than these"`
	Errors   []Fault   `json:"errors" nullable:"false" doc:"What is wrong with the file as a whole, or would be elsewhere in the plant"`
	Warnings []Fault   `json:"warnings" nullable:"false" doc:"What is right but may not be meant, in the whole plant; the first 1000"`
}

// RowCounts are the numbers of rows by what they do.
type RowCounts struct {
	New       int `json:"new"`
	Changed   int `json:"changed"`
	Unchanged int `json:"unchanged"`
	Removed   int `json:"removed"`
	Error     int `json:"error"`
}

// Row is what becomes of an object because of a row of a table or an item of a list.
type Row struct {
	Row    int        `json:"row" doc:"Number of the row as a spreadsheet program counts, or of the item from 1; 0: the object is in no row"`
	ID     string     `json:"id"`
	Action string     `json:"action" enum:"new,changed,unchanged,removed,error"`
	Errors []RowFault `json:"errors,omitempty" nullable:"false"`
}

// RowFault is something in a row that has to be corrected.
type RowFault struct {
	Column  string `json:"column" doc:"Name of the column, path of the key"`
	Message string `json:"message" doc:"What is wrong, what is wanted"`
	Value   string `json:"value,omitempty" doc:"What is there"`
}

type rowsOutput struct{ Body Rows }

// errRows ends a change whose rows have faults.
var errRows = errors.New("rows have faults")

// rows makes one change of many rows, which build makes of the plant as it is. If anything is wrong
// nothing is changed, and everything that is wrong is told.
func (a *api) rows(ctx context.Context, section plantdoc.Section, in *RowsInput, build func(*manage.Edit) (*table.Import, error)) (*rowsOutput, error) {
	noteObject(ctx, string(section))
	var imp *table.Import
	o := in.options()
	result, err := a.deps.Manage.Change(ctx, author(ctx), o, func(e *manage.Edit) (err error) {
		if imp, err = build(e); err != nil {
			return err
		}
		limit(ctx, imp)
		put(e, section, imp)
		if imp.Failed() && !o.DryRun {
			return errRows
		}
		return nil
	})
	if errors.Is(err, errRows) { // what else is wrong shows in those that are right so far
		o.DryRun = true
		result, err = a.deps.Manage.Change(ctx, author(ctx), o, func(e *manage.Edit) error {
			put(e, section, imp)
			return nil
		})
	}
	problems, faulty := errors.AsType[plant.Problems](err)
	if err != nil && !faulty {
		return nil, err
	}
	others := blame(imp, section, problems)
	if !in.DryRun && (imp.Failed() || len(others) > 0) {
		return nil, refused(imp, others)
	}
	out := rowsOf(imp, in.Show, others)
	out.DryRun = in.DryRun
	out.Revision = revisionOf(result.Revision)
	out.Warnings = faultsOf(result.Warnings[:min(len(result.Warnings), maxChanges)])
	noteDetail(ctx, fmt.Sprintf("%d new, %d changed, %d removed", out.Counts.New, out.Counts.Changed, out.Counts.Removed))
	return &rowsOutput{out}, nil
}

// existing returns how rows see the objects that there are: those that who asks may not see are not.
func existing(ctx context.Context, e *manage.Edit, section plantdoc.Section) func(id string) ([]byte, bool) {
	who := actor(ctx)
	return func(id string) ([]byte, bool) {
		if !who.Sees(id) {
			return nil, false
		}
		return e.Body(section, id)
	}
}

// limit adds a fault to rows of objects that who asks may not change.
func limit(ctx context.Context, imp *table.Import) {
	who := actor(ctx)
	for i := range imp.Rows {
		if row := &imp.Rows[i]; row.Action != table.Failed && !who.Sees(row.ID) {
			row.Action = table.Failed
			row.Faults = append(row.Faults, table.Fault{Row: row.Number, Column: "id", Message: "is not among those that you may change", Value: row.ID})
		}
	}
}

// put makes the changes of rows without faults.
func put(e *manage.Edit, section plantdoc.Section, imp *table.Import) {
	for i := range imp.Rows {
		switch row := &imp.Rows[i]; row.Action {
		case table.New, table.Changed:
			e.Put(section, row.ID, row.Body)
		case table.Removed:
			e.Delete(section, row.ID)
		}
	}
}

// blame gives problems of the plant to their rows, and returns the others.
func blame(imp *table.Import, section plantdoc.Section, problems plant.Problems) []Fault {
	others := []Fault{}
	for _, f := range imp.Faults {
		others = append(others, faultOfTable(f))
	}
	for _, p := range problems {
		if !imp.Blame(section, p) {
			others = append(others, Fault{Location: p.Path, Message: p.Text})
		}
	}
	return others
}

func faultOfTable(f table.Fault) Fault {
	location := "row " + fmt.Sprint(f.Row)
	if f.Column != "" {
		location += ", column " + f.Column
	}
	fault := Fault{Location: location, Message: f.Message}
	if f.Value != "" {
		fault.Value = f.Value
	}
	return fault
}

// maxRefused is the most faults that are told.
const maxRefused = 10_000

// refused is the problem of a change of which at least one row has a fault.
func refused(imp *table.Import, others []Fault) *Problem {
	faults, rows := others, 0
	for i := range imp.Rows {
		if row := &imp.Rows[i]; row.Action == table.Failed {
			rows++
			for _, f := range row.Faults {
				faults = append(faults, faultOfTable(f))
			}
		}
	}
	detail := fmt.Sprintf("%d of %d rows have errors; nothing was changed", rows, len(imp.Rows))
	if len(faults) > maxRefused {
		detail += fmt.Sprintf("; the first %d of %d errors are told", maxRefused, len(faults))
		faults = faults[:maxRefused]
	}
	return invalid(detail, faults...)
}

// rowsOf counts rows and picks those that are asked for.
func rowsOf(imp *table.Import, show string, others []Fault) Rows {
	out := Rows{Rows: []Row{}, Errors: others, Warnings: []Fault{}}
	shown := 0
	for i := range imp.Rows {
		row := &imp.Rows[i]
		out.Counts.add(row.Action)
		wanted := show == "all" || show == "changes" && row.Action != table.Unchanged
		if row.Action != table.Failed {
			if !wanted {
				continue
			}
			if shown++; shown > maxChanges {
				out.More = true
				continue
			}
		}
		r := Row{Row: row.Number, ID: row.ID, Action: string(row.Action)}
		for _, f := range row.Faults {
			r.Errors = append(r.Errors, RowFault{f.Column, f.Message, f.Value})
		}
		out.Rows = append(out.Rows, r)
	}
	return out
}

func (c *RowCounts) add(a table.Action) {
	switch a {
	case table.New:
		c.New++
	case table.Changed:
		c.Changed++
	case table.Unchanged:
		c.Unchanged++
	case table.Removed:
		c.Removed++
	case table.Failed:
		c.Error++
	}
}
