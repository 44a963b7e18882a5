package interop

import (
	"fmt"
	"io"

	"github.com/xuri/excelize/v2"
)

// The sheets of a workbook.
const (
	statementSheet = "Statement"
	matrixSheet    = "Matrix"
)

// WriteXLSX writes the statement as a workbook: a sheet with all items, and one
// with the matrix of types and causes.
func (s *Statement) WriteXLSX(w io.Writer) (err error) {
	book := excelize.NewFile()
	defer func() {
		if closeErr := book.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("closing the workbook: %w", closeErr)
		}
	}()
	if err := book.SetSheetName("Sheet1", statementSheet); err != nil {
		return fmt.Errorf("making the sheet: %w", err)
	}
	rows := [][]string{{"section", "id", "item", "mark", "value"}}
	for _, r := range s.Rows {
		rows = append(rows, []string{r.Section, r.ID, r.Item, r.Mark, r.Value})
	}
	if err := fill(book, statementSheet, []float64{36, 20, 70, 6, 40}, rows); err != nil {
		return err
	}
	if _, err := book.NewSheet(matrixSheet); err != nil {
		return fmt.Errorf("making the sheet: %w", err)
	}
	head, widths := []string{"type"}, []float64{18}
	for _, c := range matrixColumns() {
		head, widths = append(head, c.name), append(widths, 6)
	}
	if err := fill(book, matrixSheet, widths, append([][]string{head}, s.matrix()...)); err != nil {
		return err
	}
	if err := book.Write(w); err != nil {
		return fmt.Errorf("writing the workbook: %w", err)
	}
	return nil
}

// fill streams rows of text into a sheet; the first stays when one scrolls.
func fill(book *excelize.File, sheet string, widths []float64, rows [][]string) error {
	out, err := book.NewStreamWriter(sheet)
	if err != nil {
		return fmt.Errorf("sheet %s: %w", sheet, err)
	}
	for i, width := range widths {
		if err := out.SetColWidth(i+1, i+1, width); err != nil {
			return fmt.Errorf("sheet %s: %w", sheet, err)
		}
	}
	if err := out.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}); err != nil {
		return fmt.Errorf("sheet %s: %w", sheet, err)
	}
	for i, row := range rows {
		cells := make([]any, len(row))
		for j, text := range row {
			cells[j] = text
		}
		if err := out.SetRow(fmt.Sprintf("A%d", i+1), cells); err != nil {
			return fmt.Errorf("sheet %s: %w", sheet, err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("sheet %s: %w", sheet, err)
	}
	return nil
}

// What is read of a workbook at most.
const (
	maxUnzipped = 64 << 20 // octets of all parts
	maxRows     = 10_000   // of the sheet
)

// ReadXLSX reads the sheet of a workbook that WriteXLSX writes the items to.
func ReadXLSX(r io.Reader) (s *Statement, err error) {
	defer func() { // the reader of workbooks panics on some that are damaged
		if p := recover(); p != nil {
			s, err = nil, fmt.Errorf("%w: damaged workbook: %v", ErrFormat, p)
		}
	}()
	book, err := excelize.OpenReader(r, excelize.Options{UnzipSizeLimit: maxUnzipped, UnzipXMLSizeLimit: maxUnzipped})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	defer func() {
		if closeErr := book.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("closing the workbook: %w", closeErr)
		}
	}()
	sheet, err := book.Rows(statementSheet)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	defer func() {
		if closeErr := sheet.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("closing the sheet: %w", closeErr)
		}
	}()
	if s, err = readSheet(sheet); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return s, s.check()
}

// readSheet reads the rows behind the first. Rows that are left out count, since a
// row may have any number.
func readSheet(sheet *excelize.Rows) (*Statement, error) {
	s := &Statement{}
	for i := 0; sheet.Next(); i++ {
		if i == maxRows {
			return nil, fmt.Errorf("the sheet has more than %d rows", maxRows)
		}
		row, err := sheet.Columns()
		if err != nil {
			return nil, fmt.Errorf("row %d: %w", i+1, err)
		}
		if i == 0 || len(row) == 0 {
			continue
		}
		row = append(row, make([]string, 5)...) // empty cells at the end are not there
		s.Rows = append(s.Rows, Row{row[0], row[1], row[2], row[3], row[4]})
	}
	return s, nil
}
