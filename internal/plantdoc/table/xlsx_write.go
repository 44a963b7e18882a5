package table

import (
	"fmt"
	"io"
	"strconv"

	"github.com/xuri/excelize/v2"

	"busbar/internal/plantdoc"
)

// SheetName returns the name of the sheet of a workbook that tables of the section are in.
func (l *Layout) SheetName() string {
	if l.Section == plantdoc.Commands {
		return "Commands"
	}
	return "Points"
}

// WriteXLSX writes the objects of the section of the layout as a workbook with one sheet, with a
// column for each key that any of them has. Texts are cells of text, so that a spreadsheet
// program makes nothing else of them.
func (l *Layout) WriteXLSX(w io.Writer, objs []plantdoc.Object) (err error) {
	book := excelize.NewFile()
	defer func() {
		if closeErr := book.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("closing the workbook: %w", closeErr)
		}
	}()
	if err := book.SetSheetName("Sheet1", l.SheetName()); err != nil {
		return fmt.Errorf("making the sheet: %w", err)
	}
	if err := l.fill(book, objs); err != nil {
		return fmt.Errorf("sheet %s: %w", l.SheetName(), err)
	}
	if err := book.Write(w); err != nil {
		return fmt.Errorf("writing the workbook: %w", err)
	}
	return nil
}

// fill streams the rows into the sheet; the first one and the ids stay when it scrolls.
func (l *Layout) fill(book *excelize.File, objs []plantdoc.Object) error {
	const numFmtText = 49
	style, err := book.NewStyle(&excelize.Style{NumFmt: numFmtText})
	if err != nil {
		return err
	}
	out, err := book.NewStreamWriter(l.SheetName())
	if err != nil {
		return err
	}
	if err := out.SetColWidth(1, 1, 40); err != nil {
		return err
	}
	err = out.SetPanes(&excelize.Panes{Freeze: true, XSplit: 1, YSplit: 1, TopLeftCell: "B2", ActivePane: "bottomRight"})
	if err != nil {
		return err
	}
	row := 0
	err = l.rows(objs, func(cells []leaf) error {
		row++
		values := make([]any, len(cells))
		for i := range cells {
			values[i] = value(&cells[i], style)
		}
		return out.SetRow("A"+strconv.Itoa(row), values)
	})
	if err != nil {
		return err
	}
	return out.Flush()
}

// value returns what a cell of a workbook holds: a number or truth where it stays the same, otherwise text.
func value(c *leaf, style int) any {
	if c.text == "" {
		return nil
	}
	if c.form != textForm {
		switch text := string(c.json); {
		case text == "true" || text == "false":
			return text == "true"
		case isFigure(c.json):
			if v, err := strconv.ParseFloat(text, 64); err == nil && figure(v) == text {
				return v
			}
		}
	}
	return excelize.Cell{StyleID: style, Value: c.text}
}

// isFigure reports whether canonical JSON is a number.
func isFigure(json []byte) bool {
	return len(json) > 0 && (json[0] == '-' || json[0] >= '0' && json[0] <= '9')
}

// figure returns a number of a workbook, where it has up to 17 digits, as people write it.
func figure(v float64) string {
	const exact = 1e15
	if v > -exact && v < exact && (v == 0 || v > 1e-7 || v < -1e-7) {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}
