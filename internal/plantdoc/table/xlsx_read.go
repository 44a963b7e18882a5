package table

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"
)

// ReadXLSX returns a reader of the sheet with the given name, or of the first sheet if there is none
// of that name. The whole file is held in memory, its parts are read as a stream. Numbers are read as they are and not as they are
// shown. Close it.
func ReadXLSX(r io.Reader, sheet string) (reader ReadCloser, err error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxSize {
		return nil, formatError("is larger than %d MiB", MaxSize>>20)
	}
	b, err := openBook(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	c, err := b.find(sheet)
	if err != nil {
		return nil, err
	}
	x := &xlsxReader{}
	if x.dates, err = b.dates(c.styles); err != nil {
		return nil, err
	}
	if x.strings, err = b.strings(c.strings); err != nil {
		return nil, err
	}
	if x.part, err = b.open(c.sheet, maxSheet); err != nil {
		return nil, err
	}
	x.xml = xml.NewDecoder(x.part)
	return x, nil
}

// ReadCloser is a reader that holds something open.
type ReadCloser interface {
	Reader
	io.Closer
}

// strings reads the texts that cells share.
func (b *book) strings(name string) (list []string, err error) {
	if name == "" {
		return nil, nil
	}
	r, err := b.open(name, maxStrings)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	d := xml.NewDecoder(r)
	for {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, formatError("shared strings: %w", err)
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "si" {
			text, err := textOf(d, "si")
			if err != nil {
				return nil, err
			}
			if list = append(list, text); len(list) > maxShared {
				return nil, formatError("the workbook has more than %d texts", maxShared)
			}
		}
	}
}

// textOf returns the text within an element that has begun, without its phonetic form.
func textOf(d *xml.Decoder, element string) (string, error) {
	var b strings.Builder
	inText, phonetic := false, 0
	for {
		token, err := d.RawToken()
		if err != nil {
			return "", formatError("%s: %w", element, unexpected(err))
		}
		switch t := token.(type) {
		case xml.StartElement:
			inText = t.Name.Local == "t"
			if t.Name.Local == "rPh" {
				phonetic++
			}
		case xml.EndElement:
			inText = false
			if t.Name.Local == element {
				return b.String(), nil
			}
			if t.Name.Local == "rPh" {
				phonetic--
			}
		case xml.CharData:
			if inText && phonetic == 0 {
				b.Write(t)
			}
		}
	}
}

type xlsxReader struct {
	part    io.ReadCloser
	xml     *xml.Decoder
	dates   []bool
	strings []string
	row     int
	cells   []Cell
}

// DecimalComma implements [Reader].
func (x *xlsxReader) DecimalComma() bool { return false }

// Close implements [io.Closer].
func (x *xlsxReader) Close() error { return x.part.Close() }

// Next implements [Reader].
func (x *xlsxReader) Next() (int, []Cell, error) {
	for {
		token, err := x.xml.RawToken()
		if err != nil {
			return 0, nil, formatError("behind row %d: %w", x.row, unexpected(err))
		}
		if end, ok := token.(xml.EndElement); ok && end.Name.Local == "sheetData" {
			return 0, nil, io.EOF
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "row" {
			continue
		}
		row := x.row + 1
		if r := attribute(&start, "r"); r != "" {
			if row, err = strconv.Atoi(r); err != nil || row <= x.row {
				return 0, nil, formatError("behind row %d: row %.20q is no number above it", x.row, r)
			}
		}
		if x.row = row; x.row > MaxRows {
			return 0, nil, tooMuch(x.row)
		}
		return x.row, x.cells, x.readRow()
	}
}

// readRow reads the cells of a row that has begun.
func (x *xlsxReader) readRow() error {
	x.cells = x.cells[:0]
	for {
		token, err := x.xml.RawToken()
		if err != nil {
			return formatError("row %d: %w", x.row, unexpected(err))
		}
		switch t := token.(type) {
		case xml.EndElement:
			if t.Name.Local == "row" {
				return nil
			}
		case xml.StartElement:
			if t.Name.Local != "c" {
				continue
			}
			if err := x.readCell(&t); err != nil {
				return err
			}
		}
	}
}

// readCell reads a cell that has begun. Empty ones before it need not be in the file.
func (x *xlsxReader) readCell(start *xml.StartElement) error {
	if r := attribute(start, "r"); r != "" {
		at, ok := columnOf(r)
		if !ok || at < len(x.cells) || at >= MaxColumns {
			return formatError("row %d: %.20q is no cell behind the one before it", x.row, r)
		}
		for len(x.cells) < at {
			x.cells = append(x.cells, Cell{})
		}
	}
	if len(x.cells) >= MaxColumns {
		return tooMuch(x.row)
	}
	kind, style := attribute(start, "t"), attribute(start, "s")
	text, err := x.content()
	if err != nil {
		return err
	}
	x.cells = append(x.cells, x.cell(kind, style, text))
	return nil
}

// content returns the text of the value of a cell that has begun.
func (x *xlsxReader) content() (text string, err error) {
	var inValue bool
	for {
		token, err := x.xml.RawToken()
		if err != nil {
			return "", formatError("row %d: %w", x.row, unexpected(err))
		}
		switch t := token.(type) {
		case xml.StartElement:
			if t.Name.Local == "is" {
				if text, err = textOf(x.xml, "is"); err != nil {
					return "", err
				}
			}
			inValue = t.Name.Local == "v"
		case xml.EndElement:
			inValue = false
			if t.Name.Local == "c" {
				return text, nil
			}
		case xml.CharData:
			if inValue {
				if text += string(t); len(text) > MaxCell {
					return "", formatError("row %d: the value of a cell is too long", x.row)
				}
			}
		}
	}
}

// cell returns a cell of a type with the content that the file has.
func (x *xlsxReader) cell(kind, style, text string) Cell {
	c := Cell{Text: text}
	switch kind {
	case "s":
		i, err := strconv.Atoi(text)
		if err != nil || i < 0 || i >= len(x.strings) {
			return Cell{Fault: "is a text that is not in the workbook"}
		}
		c.Text = x.strings[i]
	case "inlineStr", "str":
	case "b":
		c.Text = strconv.FormatBool(text == "1")
	case "e":
		c.Fault = "is the error " + text + " of a formula, want a value"
	case "d":
		c.Fault = isDate
	default:
		c = x.number(style, text)
	}
	if len(c.Text) > MaxCell {
		return Cell{Fault: tooLong}
	}
	return c
}

const isDate = "is a date: the spreadsheet program has made one of what was there; format the column as text and write it again"

func (x *xlsxReader) number(style, text string) Cell {
	if text == "" {
		return Cell{}
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return Cell{Text: text, Fault: "is no number of a workbook"}
	}
	c := Cell{Text: figure(v)}
	if s, err := strconv.Atoi(style); err == nil && s >= 0 && s < len(x.dates) && x.dates[s] {
		c.Fault = isDate
	}
	return c
}

// unexpected is the error of a part that ends within something.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func attribute(e *xml.StartElement, name string) string {
	for i := range e.Attr {
		if e.Attr[i].Name.Local == name && e.Attr[i].Name.Space == "" {
			return e.Attr[i].Value
		}
	}
	return ""
}

// columnOf returns the column, from 0, of a reference to a cell such as C5.
func columnOf(reference string) (int, bool) {
	n, i := 0, 0
	for ; i < len(reference) && reference[i] >= 'A' && reference[i] <= 'Z' && i < 4; i++ {
		n = n*26 + int(reference[i]-'A') + 1
	}
	return n - 1, i > 0 && i < 4
}
