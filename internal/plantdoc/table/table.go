package table

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// Limits of a table. A reader stops where one is exceeded.
const (
	MaxSize    = 64 << 20  // octets of a file
	MaxRows    = 1_000_000 // with the first
	MaxColumns = 1000
	MaxCell    = 131_068 // octets: 32,767 characters, as many as spreadsheet programs have
)

// ErrFormat marks a file that is no table, or beyond the limits.
var ErrFormat = errors.New("not a table")

func formatError(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrFormat, fmt.Errorf(format, args...))
}

// Cell is one cell of a table.
type Cell struct {
	Text  string
	Fault string // what is wrong with the cell in the file; empty: nothing
}

// Reader reads the rows of a table, from the first to the last.
type Reader interface {
	// Next returns the cells of the next row, which are valid until it is called again, and the
	// number of the row from 1. It returns io.EOF after the last one, and [ErrFormat]
	// where the file cannot be read on.
	Next() (row int, cells []Cell, err error)
	// DecimalComma reports whether 0,5 is a number.
	DecimalComma() bool
}

// Fault is something in a table that has to be corrected.
type Fault struct {
	Row     int    // from 1, as a spreadsheet program counts; 0: the table as a whole
	Column  string // path of the column, or its letter where it has no name
	Message string // what is wrong, and what is wanted
	Value   string // of the cell, if it is short
}

// String returns all that is known about the fault.
func (f Fault) String() string {
	return fmt.Sprintf("row %d, column %s: %s", f.Row, f.Column, f.Message)
}

// header finds the columns of a table.
func (l *Layout) header(r Reader) (columns []column, faults []Fault, err error) {
	row, cells, err := r.Next()
	if errors.Is(err, io.EOF) {
		return nil, []Fault{{Message: "is empty, want a first row with the names of the columns, such as id,type,unit"}}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	first := make(map[string]int)
	for i, cell := range cells {
		name := strings.TrimSpace(cell.Text)
		c, ok := l.column(name)
		other, twice := first[c.path]
		switch {
		case name == "":
			c = column{}
		case !ok:
			faults = append(faults, Fault{Row: row, Column: name, Message: l.unknown(name)})
		case twice:
			faults = append(faults, Fault{Row: row, Column: name, Message: "is there twice, first in column " + letters(other)})
		default:
			first[c.path] = i
		}
		columns = append(columns, c)
	}
	if _, ok := first[idColumn]; !ok {
		faults = append(faults, Fault{Row: row, Column: idColumn, Message: "is missing, want a column with the id of each row"})
	}
	return columns, faults, nil
}

// letters returns the name of a column from 0 as spreadsheet programs write it.
func letters(i int) string {
	name := ""
	for i++; i > 0; i = (i - 1) / 26 {
		name = string(rune('A'+(i-1)%26)) + name
	}
	return name
}
