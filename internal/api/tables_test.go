package api

import (
	"encoding/csv"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const csvText = "id,type,name,source,topic,value,to[0].connector,ioa\n"

func TestTablesComeBackAsTheyWent(t *testing.T) {
	t.Parallel()
	r := newPlantRig(t, "")
	r.seed()
	r.want(201, "PUT", "/commands/c", `{"type":"single","from":[{"connector":"a","number":1}],"to":{"connector":"a","number":2}}`)
	for format, kind := range map[string]string{
		"csv": "text/csv", "csv-semicolon": "text/csv", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
		"yaml": "application/yaml", "json": "application/json",
	} {
		for section, count := range map[string]int{"points": 4, "commands": 1} {
			w := r.want(200, "GET", "/"+section+"/export?format="+format, nil)
			name := section + "." + strings.TrimSuffix(format, "-semicolon")
			if w.Header().Get("Content-Disposition") != `attachment; filename="`+name+`"` || !strings.HasPrefix(w.Header().Get("Content-Type"), kind) {
				t.Errorf("%s: headers %v", format, w.Header())
			}
			got := r.rows(200, "POST", "/"+section+"/import?mode=replace&show=all", w.Body.String(), header("Content-Type", kind))
			if got.Counts != (RowCounts{Unchanged: count}) || len(got.Rows) != count || got.Revision.Number != 6 {
				t.Errorf("%s of %s: %+v, want nothing to change", section, format, got)
			}
		}
		if w := r.want(200, "GET", "/points/export?prefix=x%2F", nil, header("Accept", kind)); !strings.HasPrefix(w.Header().Get("Content-Type"), kind) {
			t.Errorf("Accept %s: %s", kind, w.Header().Get("Content-Type"))
		}
	}
	text := r.do("GET", "/points/export", nil, as("viewer:y")).Body.String()
	if text != "id,type,name\ny/a,int,Alpha\n" {
		t.Errorf("export of who is limited: %q", text)
	}
	newPlantRig(t, "plant.yaml").want(409, "POST", "/points/import", "id\n", header("Content-Type", "text/csv"))
	newPlantRig(t, "plant.yaml").want(409, "POST", "/commands/import", "id\n", header("Content-Type", "text/csv"))
}

func TestImportMergesAndReplaces(t *testing.T) {
	t.Parallel()
	r := newPlantRig(t, "")
	r.seed()
	const rows = csvText + "x,float,Oil,a,t,v,a,1\nn/1,int,,a,t,n,a,2\n"
	dry := r.rows(200, "POST", "/points/import?dryRun=true&mode=replace", rows, header("Content-Type", "text/csv"))
	want := []Row{{2, "x", "changed", nil}, {3, "n/1", "new", nil}, {0, "x/a", "removed", nil}, {0, "x/b", "removed", nil}, {0, "y/a", "removed", nil}}
	if diff := cmp.Diff(want, dry.Rows); diff != "" {
		t.Errorf("dry run (-want +got):\n%s", diff)
	}
	r.wantIDs("/points", "x x/a x/b y/a")
	r.rows(200, "POST", "/points/import", rows, header("Content-Type", "text/csv"))
	r.wantIDs("/points", "n/1 x x/a x/b y/a")
	if text := r.want(200, "GET", "/points/x", nil).Body.String(); !strings.Contains(text, `"name":"Oil"`) || !strings.Contains(text, `"ioa":1`) {
		t.Errorf("point %s", text)
	}
	w := r.do("POST", "/points/import?mode=replace", "id;type\nx/a;single\n", header("Content-Type", "text/csv"), as("engineer:x"))
	if got := decoded[Rows](t, w, 200); got.Counts != (RowCounts{Unchanged: 1, Removed: 2}) {
		t.Errorf("replaced by who is limited: %+v, want only points below x to go", got)
	}
	r.wantIDs("/points", "n/1 x/a y/a")
	for kind, body := range map[string]string{
		"text/csv": "id,typo\nx,int\n", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "no workbook",
		"application/yaml": "version: 1\nconnectors: {b: {kind: device}}\npoints: {q: {type: int}, \"a b\": {}}\n",
	} {
		p := r.problem(r.want(422, "POST", "/points/import", body, header("Content-Type", kind)), 422, "invalid")
		if kind == "text/csv" && p.Errors[0].Location != "row 1, column typo" || kind == "application/yaml" && len(p.Errors) != 2 {
			t.Errorf("%s: %+v", kind, p)
		}
	}
	r.problem(r.want(422, "POST", "/points/import", "version: 1\npoints: [", header("Content-Type", "application/yaml")), 422, "invalid-plant")
}

// TestFiveHundredFaultsOfTenThousandRows puts faults of ten sorts into a table.
func TestFiveHundredFaultsOfTenThousandRows(t *testing.T) {
	t.Parallel()
	r := newPlantRig(t, "")
	r.seed()
	var b strings.Builder
	out := csv.NewWriter(&b)
	header1 := strings.Split(strings.TrimSpace(csvText)+",deadband,delete", ",")
	if err := out.Write(header1); err != nil {
		t.Fatal(err)
	}
	want := map[int]string{}
	sorts := []struct {
		column int
		value  string
		path   string
	}{
		{0, "a b", "id"}, {0, "", "id"}, {0, "p/0", "id"}, {1, "flaot", "type"}, {1, "", "type"}, {3, "no", "from.connector"}, {7, "0", "to[0].ioa"},
		{7, "x", "to[0].ioa"}, {8, "-1", "deadband"}, {9, "perhaps", "delete"},
	}
	for i := range 10_000 {
		record := []string{fmt.Sprintf("p/%d", i), "float", "", "a", "t", "v", "a", fmt.Sprint(i%60000 + 1), "0.5", ""}
		if i%20 == 7 {
			s := sorts[i/20%len(sorts)]
			record[s.column] = s.value
			want[i+2] = s.path
		}
		if err := out.Write(record); err != nil {
			t.Fatal(err)
		}
	}
	out.Flush()
	p := r.problem(r.want(422, "POST", "/points/import", b.String(), header("Content-Type", "text/csv")), 422, "invalid")
	got := map[int]string{}
	for _, f := range p.Errors {
		var row int
		var column string
		if _, err := fmt.Sscanf(f.Location, "row %d, column %s", &row, &column); err != nil {
			t.Fatalf("%s: %v", f.Location, err)
		}
		got[row] = column
	}
	if len(want) != 500 || p.Detail != "500 of 10000 rows have errors; nothing was changed" {
		t.Errorf("%d faults, %s", len(want), p.Detail)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	r.wantIDs("/points", "x x/a x/b y/a")
	dry := r.rows(200, "POST", "/points/import?dryRun=true&show=errors", b.String(), header("Content-Type", "text/csv"))
	if dry.Counts.Error != 500 || dry.Counts.New != 9500 || len(dry.Rows) != 500 {
		t.Errorf("dry run %+v with %d rows, want 500 errors", dry.Counts, len(dry.Rows))
	}
}
