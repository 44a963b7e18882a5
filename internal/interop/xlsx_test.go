package interop

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// part is a file in a workbook.
type part struct {
	name, text string
}

const sheetPart = "xl/worksheets/sheet1.xml"

// parts returns what a workbook needs beside its first sheet.
func parts(tb testing.TB) (found []part) {
	tb.Helper()
	var book bytes.Buffer
	must(tb, (&Statement{}).WriteXLSX(&book))
	in, err := zip.NewReader(bytes.NewReader(book.Bytes()), int64(book.Len()))
	must(tb, err)
	for _, f := range in.File {
		if f.Name == sheetPart || strings.Contains(f.Name, "theme") || strings.HasPrefix(f.Name, "docProps") {
			continue
		}
		from, err := f.Open()
		must(tb, err)
		text, err := io.ReadAll(from)
		must(tb, err)
		must(tb, from.Close())
		found = append(found, part{f.Name, string(text)})
	}
	return found
}

// withSheet returns a workbook whose first sheet is this XML.
func withSheet(tb testing.TB, others []part, sheet string) *bytes.Buffer {
	tb.Helper()
	var book bytes.Buffer
	to := zip.NewWriter(&book)
	for _, p := range append(slices.Clip(others), part{sheetPart, sheet}) {
		w, err := to.CreateHeader(&zip.FileHeader{Name: p.name, Method: zip.Store})
		must(tb, err)
		_, err = io.WriteString(w, p.text)
		must(tb, err)
	}
	must(tb, to.Close())
	return &book
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

const sheetHead = `<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>`

func TestHostileSheets(t *testing.T) {
	t.Parallel()
	others := parts(t)
	for name, rows := range map[string]string{
		"a row beyond all numbers":      `<row r="99999999999999"><c r="A1" t="inlineStr"><is><t>x</t></is></c></row>`,
		"more rows than any statement":  strings.Repeat(`<row><c t="inlineStr"><is><t>x</t></is></c></row>`, maxRows+1),
		"a column beyond all letters":   `<row r="1"><c r="ZZZZZZZZZ1" t="inlineStr"><is><t>x</t></is></c></row>`,
		"a text that is not there":      `<row r="1"><c r="A1" t="s"><v>99999999</v></c></row>`,
		"a text with a negative number": `<row r="-1"><c r="A1" t="s"><v>-1</v></c></row>`,
		"half a sheet":                  `<row r="1"><c r="A1" t="inlineStr"><is><t>x`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := ReadXLSX(withSheet(t, others, sheetHead+rows+`</sheetData></worksheet>`)); !errors.Is(err, ErrFormat) {
				t.Errorf("error %v, want %v", err, ErrFormat)
			}
		})
	}
}

func FuzzReadXLSX(f *testing.F) {
	others := parts(f)
	f.Add(sheetHead + `<row r="1"><c r="A1" t="inlineStr"><is><t>section</t></is></c></row></sheetData></worksheet>`)
	f.Add(sheetHead + `<row r="2"><c r="B2" t="s"><v>1</v></c><c r="C2"><f>1+1</f><v>2</v></c></row></sheetData></worksheet>`)
	f.Fuzz(func(t *testing.T, sheet string) {
		if s, err := ReadXLSX(withSheet(t, others, sheet)); err == nil {
			Compare(s, s)
		}
	})
}
