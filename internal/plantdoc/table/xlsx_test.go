package table_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"busbar/internal/plantdoc/table"
)

// workbook returns a workbook with parts as they are given; some are there anyway.
func workbook(tb testing.TB, parts map[string]string) []byte {
	tb.Helper()
	all := map[string]string{
		"xl/workbook.xml": `<?xml version="1.0"?><workbook xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">` +
			`<sheets><sheet name="Other" r:id="r9"/><sheet name="points" r:id="r1"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels": `<Relationships><Relationship Id="r1" Type="x/worksheet" Target="worksheets/sheet1.xml"/>` +
			`<Relationship Id="r2" Type="x/sharedStrings" Target="/xl/sharedStrings.xml"/><Relationship Id="r3" Type="x/styles" Target="styles.xml"/></Relationships>`,
		"xl/styles.xml":        `<styleSheet><numFmts><numFmt numFmtId="164" formatCode="[$-407]d/\ mmm"/></numFmts><cellXfs><xf numFmtId="0"/><xf numFmtId="164"/><xf numFmtId="14"/><xf numFmtId="2"/></cellXfs></styleSheet>`,
		"xl/sharedStrings.xml": `<sst><si><t>id</t></si><si><r><t>ty</t></r><r><t>pe</t></r><rPh><t>x</t></rPh></si><si/></sst>`,
	}
	for name, text := range parts {
		all[name] = text
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range all {
		w, err := z.Create(name)
		if err != nil {
			tb.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			tb.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func sheet(rows string) map[string]string {
	return map[string]string{"xl/worksheets/sheet1.xml": `<?xml version="1.0"?><worksheet><sheetData>` + rows + `</sheetData></worksheet>`}
}

// read returns the rows of a workbook as text.
func read(r table.Reader) (rows []string, err error) {
	for {
		number, cells, err := r.Next()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return rows, err
		}
		texts := make([]string, len(cells))
		for i, c := range cells {
			texts[i] = c.Text + c.Fault
		}
		rows = append(rows, fmt.Sprint(number, " ", strings.Join(texts, "|")))
	}
}

func TestCellsOfWorkbooks(t *testing.T) {
	t.Parallel()
	data := workbook(t, sheet(`<row r="1"><c r="A1" t="s"><v>0</v></c><c t="s"><v>1</v></c><c r="D1" t="inlineStr"><is><t xml:space="preserve"> a&amp;b </t></is></c></row>`+
		`<row/><row r="5"><c><v>23.300000000000001</v></c><c s="3"><v>1E5</v></c><c t="b"><v>1</v></c><c t="str"><f>A1</f><v>x</v></c><c/></row>`+
		`<row r="6"><c s="1"><v>46023</v></c><c s="2"><v>1</v></c><c t="e"><v>#REF!</v></c><c t="s"><v>2</v></c><c t="s"><v>3</v></c><c><v>x</v></c><c t="d"><v>2026-01-01</v></c></row>`))
	const date = "is a date: the spreadsheet program has made one of what was there; format the column as text and write it again"
	want := []string{
		"1 id|type|| a&b ", "2 ", "5 23.3|100000|true|x|",
		"6 46023" + date + "|1" + date + "|#REF!is the error #REF! of a formula, want a value||is a text that is not in the workbook|xis no number of a workbook|2026-01-01" + date,
	}
	got, err := read(xlsxOf(t, data))
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("rows (-want +got):\n%s%v", diff, err)
	}
}

func TestHostileWorkbooksAreRefused(t *testing.T) {
	t.Parallel()
	for name, parts := range map[string]map[string]string{
		"a text that fills the memory":  sheet(`<row><c t="str"><v>` + strings.Repeat("x", 2<<20) + `</v></c></row>`),
		"a comment":                     sheet(`<!--` + strings.Repeat("<", 100) + `--><row/>`),
		"a document type":               {"xl/worksheets/sheet1.xml": `<!DOCTYPE a [<!ENTITY b "c">]><worksheet/>`},
		"a value in pieces":             sheet(`<row><c><v>` + strings.Repeat("<f>"+strings.Repeat("1", 1000)+"</f><v>"+strings.Repeat("1", 1000), 200) + `</v></c></row>`),
		"rows that go back":             sheet(`<row r="2"/><row r="1"/>`),
		"row that is no number":         sheet(`<row r="x"/>`),
		"too many rows":                 sheet(`<row r="1000001"/>`),
		"a column far right":            sheet(`<row><c r="XFD1"/></row>`),
		"columns that go back":          sheet(`<row><c r="B1"/><c r="A1"/></row>`),
		"a column without letters":      sheet(`<row><c r="11"/></row>`),
		"a sheet that ends":             sheet(`<row><c><v>1</v>`),
		"no sheet":                      {"xl/workbook.xml": `<workbook/>`},
		"a sheet without a part":        {},
		"no relations":                  {"xl/_rels/workbook.xml.rels": `x`},
		"strings that are no XML":       {"xl/worksheets/sheet1.xml": `<a/>`, "xl/sharedStrings.xml": `<si`},
		"a part that is twice the size": {"xl/worksheets/sheet1.xml": `<a/>`, "xl/styles.xml": "<a>" + strings.Repeat("<b/>", 3<<20)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := table.ReadXLSX(bytes.NewReader(workbook(t, parts)), "Points")
			if err == nil {
				_, err = read(r)
				if closeErr := r.Close(); closeErr != nil {
					t.Error(closeErr)
				}
			}
			if !errors.Is(err, table.ErrFormat) {
				t.Errorf("error %v, want ErrFormat", err)
			}
		})
	}
}

func TestWorkbookOfASpreadsheetProgram(t *testing.T) {
	t.Parallel()
	book := excelize.NewFile()
	defer book.Close()
	for i, row := range [][]any{{"id", "type", "deadband", "ca"}, {"a", "float", 0.1, 225}, {"b", "float", 1.0 / 3, "0.225"}} {
		if err := book.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+1), &row); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if err := book.Write(&b); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`a new {"deadband":0.1,"to":[{"ca":225}],"type":"float"}`, `b new {"deadband":0.3333333333333333,"to":[{"ca":0.225}],"type":"float"}`,
	}
	if diff := cmp.Diff(want, shown(merge(t, points(t), xlsxOf(t, b.Bytes()), nil))); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func FuzzCSV(f *testing.F) {
	for _, s := range []string{"id,type,ca\na,int,1\n", "id;deadband\r\n'1.1;0,5\r\n", "sep=\t\nid\ttype\n", "id,from.map\na,\"{a: b}\"\n", "\xff\xfei\x00d\x00", "id,to[0].groups,to\na,1;2,[]\n"} {
		f.Add([]byte(s))
	}
	l := points(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := table.ReadCSV(bytes.NewReader(data))
		if err != nil {
			return
		}
		check(t, l, r)
	})
}

func FuzzXLSX(f *testing.F) {
	f.Add([]byte(`<row r="1"><c r="A1" t="s"><v>0</v></c><c t="s"><v>1</v></c></row><row r="2"><c t="inlineStr"><is><t>a</t></is></c><c s="1"><v>1e5</v></c></row>`))
	f.Add([]byte(`<row><c t="b"><v>1</v></c></row>`))
	l := points(f)
	f.Fuzz(func(t *testing.T, rows []byte) {
		r, err := table.ReadXLSX(bytes.NewReader(workbook(t, sheet(string(rows)))), "Points")
		if err != nil {
			return
		}
		check(t, l, r)
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}

// check checks what is true of every import.
func check(t *testing.T, l *table.Layout, r table.Reader) {
	t.Helper()
	m, err := l.Merge(r, func(id string) ([]byte, bool) {
		return []byte(`{"name":"n","to":[{"ca":1},{"ca":2}]}`), strings.HasPrefix(id, "a")
	})
	if err != nil {
		if !errors.Is(err, table.ErrFormat) {
			t.Fatal(err)
		}
		return
	}
	for _, row := range m.Rows {
		if (row.Action == table.Failed) != (len(row.Faults) > 0) || row.Number < 2 {
			t.Fatalf("row %+v", row)
		}
		if row.Action == table.New || row.Action == table.Changed {
			canonical(t, row.Body)
		}
	}
}
