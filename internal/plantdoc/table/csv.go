package table

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"busbar/internal/plantdoc"
)

// byteOrderMark is what spreadsheet programs know UTF-8 by.
const byteOrderMark = "\ufeff"

// ReadCSV returns a reader of CSV. Encoding (UTF-8, UTF-16 with byte order mark, otherwise
// Windows-1252), separator (comma, semicolon, tab, or a first line sep=;) and with it the
// decimal comma are found out: numbers have one where the separator is none.
func ReadCSV(r io.Reader) (Reader, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxSize {
		return nil, formatError("is larger than %d MiB", MaxSize>>20)
	}
	if data, err = decoded(data); err != nil {
		return nil, err
	}
	if bytes.IndexByte(data, 0) >= 0 {
		return nil, formatError("has octets of value 0, want text: is it a workbook?")
	}
	c := &csvReader{}
	separator, skip := separatorOf(data)
	if skip > 0 {
		c.row = 1
	}
	c.csv = csv.NewReader(bytes.NewReader(data[skip:]))
	c.csv.Comma = separator
	c.csv.FieldsPerRecord = -1
	c.csv.ReuseRecord = true
	c.csv.LazyQuotes = true
	return c, nil
}

// decoded returns a text in UTF-8 without byte order mark.
func decoded(data []byte) ([]byte, error) {
	switch {
	case bytes.HasPrefix(data, []byte(byteOrderMark)):
		data = data[len(byteOrderMark):]
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}):
		return fromUTF16(data[2:], binary.LittleEndian), nil
	case bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		return fromUTF16(data[2:], binary.BigEndian), nil
	}
	if utf8.Valid(data) {
		return data, nil
	}
	out, err := charmap.Windows1252.NewDecoder().Bytes(data)
	if err != nil {
		return nil, formatError("is neither UTF-8 nor Windows-1252: %w", err)
	}
	return out, nil
}

func fromUTF16(data []byte, order binary.ByteOrder) []byte {
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = order.Uint16(data[2*i:])
	}
	return []byte(string(utf16.Decode(units)))
}

// separatorOf returns what is between the cells of the first line, and how many octets are
// in front of the table.
func separatorOf(data []byte) (separator rune, skip int) {
	line, _, _ := bytes.Cut(data, []byte("\n"))
	if name, ok := bytes.CutPrefix(bytes.TrimRight(line, "\r"), []byte("sep=")); ok && len(name) == 1 {
		switch name[0] {
		case ',', ';', '\t', '|':
			return rune(name[0]), min(len(line)+1, len(data))
		}
	}
	most := 0
	separator = ','
	for _, candidate := range ",;\t" {
		if n := bytes.Count(line, []byte(string(candidate))); n > most {
			separator, most = candidate, n
		}
	}
	return separator, 0
}

type csvReader struct {
	csv   *csv.Reader
	row   int
	cells []Cell
}

// DecimalComma implements [Reader].
func (c *csvReader) DecimalComma() bool { return c.csv.Comma != ',' }

// Next implements [Reader].
func (c *csvReader) Next() (int, []Cell, error) {
	fields, err := c.csv.Read()
	if errors.Is(err, io.EOF) {
		return 0, nil, io.EOF
	}
	c.row++
	if err != nil {
		return c.row, nil, formatError("row %d: %w", c.row, err)
	}
	if c.row > MaxRows || len(fields) > MaxColumns {
		return c.row, nil, tooMuch(c.row)
	}
	c.cells = c.cells[:0]
	for _, text := range fields {
		cell := Cell{Text: text}
		if len(text) > MaxCell {
			cell.Fault = tooLong
		}
		c.cells = append(c.cells, cell)
	}
	return c.row, c.cells, nil
}

var tooLong = fmt.Sprintf("is too long, want at most %d octets", MaxCell)

func tooMuch(row int) error {
	return formatError("row %d: a table may have %d rows and %d columns", row, MaxRows, MaxColumns)
}

// CSVOptions say how CSV is written.
type CSVOptions struct {
	// Semicolon is the form for spreadsheet programs in countries with a decimal comma: cells
	// are separated by semicolons, numbers have a comma, a byte order mark is in front.
	Semicolon bool
}

// WriteCSV writes the objects of the section of the layout as CSV, with a column for each key that
// any of them has.
func (l *Layout) WriteCSV(w io.Writer, objs []plantdoc.Object, o CSVOptions) error {
	buffered := bufio.NewWriterSize(w, 64<<10)
	out := csv.NewWriter(buffered)
	if o.Semicolon {
		out.Comma = ';'
		if _, err := buffered.WriteString(byteOrderMark); err != nil {
			return err
		}
	}
	err := l.rows(objs, func(cells []leaf) error {
		record := make([]string, len(cells))
		for i := range cells {
			record[i] = cells[i].text
			if o.Semicolon && cells[i].form != textForm && isFraction(cells[i].json) {
				record[i] = strings.Replace(record[i], ".", ",", 1)
			}
		}
		return out.Write(record)
	})
	if err != nil {
		return err
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return err
	}
	return buffered.Flush()
}

// isFraction reports whether canonical JSON is a number with a point.
func isFraction(json []byte) bool { return isFigure(json) && bytes.IndexByte(json, '.') >= 0 }
