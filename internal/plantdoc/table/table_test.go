package table_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"busbar/internal/plant"
	"busbar/internal/plantdoc"
	"busbar/internal/plantdoc/table"
)

const some = `  ons/1:
    type: float
    name: =1+1
    unit: °C
    range: {low: -40, high: 120.5}
    deadband: 5%
    from: {connector: s, topic: 1/2, value: "1.10", map: {open: off, "a, b": on}, invert: true}
    to:
      - {connector: scada, ca: "0.225", ioa: 100, as: M_ME_TF_1, groups: [1, 2]}
      - {connector: out, topic: t, retain: true}
  "1.1": {type: int, name: "", description: "two\nlines; \"quoted\"", deadband: 1.50, to: []}
  sys/journal/fill: {to: [{connector: scada, ca: 1, ioa: 2}]}
`

func TestTableAsCSV(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		options table.CSVOptions
		want    string
	}{
		{table.CSVOptions{}, `id,type,name,description,unit,range.low,range.high,deadband,from.connector,from.topic,from.value,from.map,from.invert,to,to[0].connector,to[0].ca,to[0].ioa,to[0].as,to[0].groups,to[1].connector,to[1].topic,to[1].retain
'1.1,int,',"two
lines; ""quoted""",,,,1.50,,,,,,[],,,,,,,,
ons/1,float,'=1+1,,°C,-40,120.5,5%,s,'1/2,'1.10,"{""a, b"": on, open: off}",true,,scada,'0.225,100,M_ME_TF_1,"[1, 2]",out,t,true
sys/journal/fill,,,,,,,,,,,,,,scada,1,2,,,,,
`},
		{table.CSVOptions{Semicolon: true}, "\ufeff" + `id;type;name;description;unit;range.low;range.high;deadband;from.connector;from.topic;from.value;from.map;from.invert;to;to[0].connector;to[0].ca;to[0].ioa;to[0].as;to[0].groups;to[1].connector;to[1].topic;to[1].retain
'1.1;int;';"two
lines; ""quoted""";;;;1,50;;;;;;[];;;;;;;;
ons/1;float;'=1+1;;°C;-40;120,5;5%;s;'1/2;'1.10;"{""a, b"": on, open: off}";true;;scada;'0.225;100;M_ME_TF_1;[1, 2];out;t;true
sys/journal/fill;;;;;;;;;;;;;;scada;1;2;;;;;
`},
	} {
		objs := objects(t, some)
		var b bytes.Buffer
		if err := points(t).WriteCSV(&b, objs, tt.options); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, b.String()); diff != "" {
			t.Errorf("CSV (-want +got):\n%s", diff)
		}
		roundTrip(t, csvOf(t, b.String()), objs)
		roundTrip(t, csvOf(t, b.String()), nil)
	}
}

// roundTrip checks that a table makes the objects that it was made of: of none, or unchanged.
func roundTrip(t *testing.T, r table.Reader, objs []plantdoc.Object) {
	t.Helper()
	m := merge(t, points(t), r, objs)
	want := existing(objs)
	if objs == nil {
		want = existing(objects(t, some))
	}
	if len(m.Faults) > 0 || len(objs) > 0 && len(m.Rows) != len(objs) {
		t.Fatalf("%d rows, faults %v", len(m.Rows), m.Faults)
	}
	for _, row := range m.Rows {
		body, _ := want(row.ID)
		if action := row.Action; objs != nil && action != table.Unchanged || objs == nil && action != table.New {
			t.Errorf("row %d, %s: %s %v", row.Number, row.ID, action, row.Faults)
		}
		if diff := cmp.Diff(string(body), string(row.Body)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.ID, diff)
		}
	}
}

func TestTableAsXLSX(t *testing.T) {
	t.Parallel()
	objs := objects(t, some)
	var b bytes.Buffer
	if err := points(t).WriteXLSX(&b, objs); err != nil {
		t.Fatal(err)
	}
	roundTrip(t, xlsxOf(t, b.Bytes()), objs)
	roundTrip(t, xlsxOf(t, b.Bytes()), nil)
	book, err := excelize.OpenReader(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	for cell, want := range map[string]string{"A1": "id", "A2": "'1.1", "A3": "ons/1", "G3": "120.5", "H2": "1.50"} {
		if got, err := book.GetCellValue("Points", cell); got != want || err != nil {
			t.Errorf("cell %s is %q, %v, want %q", cell, got, err, want)
		}
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	objs := objects(t, "  a: {type: float, unit: V, to: [{connector: s, ca: 1, ioa: 1}, {connector: s, ca: 1, ioa: 2}]}\n  b: {type: int}\n")
	for name, tt := range map[string]struct {
		csv  string
		want []string
	}{
		"what has no column stays": {"id,name\na,N\n", []string{
			`a changed {"name":"N","to":[{"ca":1,"connector":"s","ioa":1},{"ca":1,"connector":"s","ioa":2}],"type":"float","unit":"V"}`,
		}},
		"empty cells remove": {"id,unit,to[0].connector,ca,ioa\na,,,,\n", []string{`a changed {"to":[{"ca":1,"connector":"s","ioa":2}],"type":"float"}`}},
		"short names, other case, spaces": {"ID, Type ,Server,CA,IOA,As,To[1].Connector\nc,float,s,0.225,0x64,36,t\n", []string{
			`c new {"to":[{"as":36,"ca":0.225,"connector":"s","ioa":"0x64"},{"connector":"t"}],"type":"float"}`,
		}},
		"delete": {"id,delete\na,x\nb,\nc,JA\nb,maybe\n", []string{
			"a removed ", `b unchanged {"type":"int"}`, "row 4, column delete: removes what does not exist, want an id that does",
			"row 5, column id: occurs twice, first in row 3",
		}},
		"decimal comma": {"id;type;deadband;range.low;name\nc;float;0,5;-1,5;1,5\nd;;5,5%;;\n", []string{
			`c new {"deadband":0.5,"name":"1,5","range":{"low":-1.5},"type":"float"}`, `d new {"deadband":"5.5%"}`,
		}},
		"no decimal comma": {"id,type,deadband\nc,float,\"0,5\"\n", []string{`c new {"deadband":"0,5","type":"float"}`}},
		"Windows-1252":     {"id;unit\r\nc;\xb0C\r\n", []string{`c new {"unit":"°C"}`}},
		"UTF-16":           {"\xff\xfei\x00d\x00\t\x00u\x00n\x00i\x00t\x00\n\x00c\x00\t\x00\xb0\x00", []string{`c new {"unit":"°"}`}},
		"separator named":  {"sep=;\nid;unit\nc;a,b\n", []string{`c new {"unit":"a,b"}`}},
		"what spreadsheet programs make": {"id;type;deadband;from.invert;unit\n'1.1;'float;1,00E+05;WAHR;'=V\n;;;;\n", []string{
			`1.1 new {"deadband":100000,"from":{"invert":true},"type":"float","unit":"=V"}`,
		}},
		"maps and lists": {"id;map;from.map;to[0].groups\n", []string{
			"row 1, column map: unknown column; did you mean from.map?",
		}},
		"maps and lists in cells": {"id;from.map;to[0].groups\na1;open: off, closed: on;1, 2\na2;{1: on};[3]\na3;{;4\n", []string{
			`a1 new {"from":{"map":{"closed":"on","open":"off"}},"to":[{"groups":[1,2]}]}`,
			`a2 new {"from":{"map":{"1":"on"}},"to":[{"groups":[3]}]}`,
			"row 4, column from.map: not YAML: did not find expected node content, want it as in a plant file, such as {open: off, closed: on} or [1, 2]",
		}},
		"faults": {"id,type,name\n,int\na b,int\nc,int,n,x\n", []string{
			"row 2, column id: is empty, want the id of a point or command",
			"row 3, column id: is no id, want " + plant.WantID,
			"row 4, column D: has no name in the first row, want one, or no text",
		}},
		"header": {"ca,tpye,to[0].ca,to[99].ca,from\n", []string{
			"row 1, column tpye: unknown column; did you mean type?",
			"row 1, column to[0].ca: is there twice, first in column A",
			"row 1, column to[99].ca: unknown column; did you mean to[0].ca?",
			"row 1, column from: unknown column, want a key of the plant file as path, such as id, delete, as, ca, ioa, server, source, time, topic, value, " +
				"type, name, description, unit, range.low, range.high, limits.low, limits.high, limits.clamp, deadband",
			"row 1, column id: is missing, want a column with the id of each row",
		}},
		"nothing": {"", []string{"row 0, column : is empty, want a first row with the names of the columns, such as id,type,unit"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, shown(merge(t, points(t), csvOf(t, tt.csv), objs))); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

func TestProblemsOfThePlantComeToTheirRows(t *testing.T) {
	t.Parallel()
	l := points(t)
	m := merge(t, l, csvOf(t, "id,type,ca\na.b,int,0\nc,int,1\n"), nil)
	m.RemoveOthers([]string{"c", "old"})
	if !m.Blame(plantdoc.Points, plant.Problem{Path: `points."a.b".to[0].ca`, Text: "is 0"}) || !m.Blame(plantdoc.Points, plant.Problem{Path: "points.c", Text: "is wrong"}) {
		t.Error("problems of rows are not taken")
	}
	for _, path := range []string{"points.old.type", "points.other", "commands.c", "", "points"} {
		if m.Blame(plantdoc.Points, plant.Problem{Path: path}) {
			t.Errorf("the problem %q is taken", path)
		}
	}
	want := []string{"row 2, column to[0].ca: is 0", "row 3, column id: is wrong", "old removed "}
	if diff := cmp.Diff(want, shown(m)); diff != "" || !m.Failed() {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// TestAnyTextComesBack writes random texts in every place and reads them again.
func TestAnyTextComesBack(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	parts := []string{"=", "+", "-", "@", "'", " ", "\t", "\n", "1", "0", ".", ",", ";", ":", "/", "e", "E", "%", "true", "null", "{", "}", "[", "]", "Jan", "ä", "\"", "a", "#", "~"}
	text := func() string {
		var b strings.Builder
		for range random.IntN(5) {
			b.WriteString(parts[random.IntN(len(parts))])
		}
		return string(plantdoc.AppendText(nil, b.String()))
	}
	var objs []plantdoc.Object
	for i := range 600 {
		body := fmt.Sprintf(`{"name":%s,"deadband":%s,"from":{"topic":%s,"map":{"a":%s},"invert":%s},"to":[{"as":%s,"groups":[%s]}]}`,
			text(), text(), text(), text(), text(), text(), text())
		canonical, err := plantdoc.Canonical([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		objs = append(objs, plantdoc.Object{Section: plantdoc.Points, ID: fmt.Sprintf("p%04d", i), Body: canonical})
	}
	l := points(t)
	for _, semicolon := range []bool{false, true} {
		var b bytes.Buffer
		if err := l.WriteCSV(&b, objs, table.CSVOptions{Semicolon: semicolon}); err != nil {
			t.Fatal(err)
		}
		same(t, objs, merge(t, l, csvOf(t, b.String()), nil))
		same(t, objs, merge(t, l, csvOf(t, b.String()), objs))
	}
	var b bytes.Buffer
	if err := l.WriteXLSX(&b, objs); err != nil {
		t.Fatal(err)
	}
	same(t, objs, merge(t, l, xlsxOf(t, b.Bytes()), nil))
}

func same(t *testing.T, objs []plantdoc.Object, m *table.Import) {
	t.Helper()
	if len(m.Rows) != len(objs) {
		t.Fatalf("%d rows, want %d", len(m.Rows), len(objs))
	}
	for i, row := range m.Rows {
		if string(row.Body) != string(objs[i].Body) {
			t.Fatalf("row %d\n got %s\nwant %s\n%v", row.Number, row.Body, objs[i].Body, row.Faults)
		}
	}
}

func TestFilesThatAreNoTables(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]string{"empty": "", "text": "id,type\n", "half a zip": "PK\x03\x04xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"} {
		if _, err := table.ReadXLSX(strings.NewReader(data), "Points"); !errors.Is(err, table.ErrFormat) {
			t.Errorf("%s: %v, want ErrFormat", name, err)
		}
	}
	if _, err := table.ReadCSV(strings.NewReader("PK\x03\x04\x00\x00")); !errors.Is(err, table.ErrFormat) {
		t.Errorf("a workbook as CSV: %v, want ErrFormat", err)
	}
}

// A comma in an address is a fault, and not the dot of a structured one.
func TestAddressesHaveNoDecimalComma(t *testing.T) {
	t.Parallel()
	m := merge(t, points(t), csvOf(t, "id;type;unit;range.high;to[0].connector;to[0].ca;to[0].ioa\na/b;float;V;1,5;scada;225,5;1,5\n"), nil)
	body := string(m.Rows[0].Body)
	for _, want := range []string{`"ca":"225,5"`, `"ioa":"1,5"`, `"high":1.5`} {
		if !strings.Contains(body, want) {
			t.Errorf("%s, want %s", body, want)
		}
	}
}
