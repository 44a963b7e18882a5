package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const ndjson = "application/x-ndjson"

func (r *plantRig) rows(status int, method, path string, body any, options ...option) Rows {
	r.t.Helper()
	return decoded[Rows](r.t, r.want(status, method, path, body, options...), status)
}

func TestBulkIsOneChange(t *testing.T) {
	t.Parallel()
	r := newPlantRig(t, "")
	r.seed()
	const lines = `{"id":"x","op":"delete"}
{"id":"x/a","type":"single","name":"Zulu"}

{"op":"put","id":"x/b","type":"int"} {"id":"new","type":"float"}
`
	dry := r.rows(200, "POST", "/points/bulk?dryRun=true&show=all", lines, header("Content-Type", ndjson))
	want := Rows{DryRun: true, Counts: RowCounts{New: 1, Changed: 1, Unchanged: 1, Removed: 1}, Rows: []Row{
		{1, "x", "removed", nil}, {2, "x/a", "unchanged", nil}, {3, "x/b", "changed", nil}, {4, "new", "new", nil},
	}, Errors: []Fault{}}
	dry.Revision, dry.Warnings = Revision{}, nil
	if diff := cmp.Diff(want, dry); diff != "" {
		t.Errorf("dry run (-want +got):\n%s", diff)
	}
	r.wantIDs("/points", "x x/a x/b y/a")
	got := r.rows(200, "POST", "/points/bulk?comment=all", lines, header("Content-Type", ndjson))
	if got.Revision.Number != 6 || got.Revision.Comment != "all" || got.Revision.Changes != 3 || len(got.Rows) != 3 || got.DryRun {
		t.Errorf("bulk %+v, want revision 6 with 3 changes", got)
	}
	r.wantIDs("/points", "new x/a x/b y/a")
	got = r.rows(200, "POST", "/points/bulk?show=errors", ` [ {"id":"x/a","op":"delete"}, {"id":"x/c","type":"int"} ] `)
	if got.Counts != (RowCounts{New: 1, Removed: 1}) || len(got.Rows) != 0 {
		t.Errorf("bulk as list %+v", got)
	}
	if got = r.rows(200, "POST", "/points/bulk", "[]"); got.Counts != (RowCounts{}) || got.Revision.Number != 7 {
		t.Errorf("nothing %+v, want no revision", got)
	}
	if got = r.rows(200, "POST", "/points/bulk", "", header("Content-Type", ndjson)); got.Revision.Number != 7 {
		t.Errorf("no lines %+v, want no revision", got)
	}
	r.rows(200, "POST", "/commands/bulk", `[{"id":"c","type":"single","from":[{"connector":"a","number":1}],"to":{"connector":"a","number":2}}]`)
	r.wantIDs("/commands", "c")
	newPlantRig(t, "plant.yaml").want(409, "POST", "/points/bulk", "[]")
	newPlantRig(t, "plant.yaml").want(409, "POST", "/commands/bulk", "[]")
}

func TestFaultsOfABulkChangeNothing(t *testing.T) {
	t.Parallel()
	r := newPlantRig(t, "")
	r.seed()
	p := r.problem(r.want(422, "POST", "/points/bulk", `[{"id":"x","op":"delete"},{"id":"q","type":"flaot"},{"id":"a b"},{"op":"drop","id":"x"},{"id":5},{},7,{"id":"q"},
		{"id":"z","op":"delete"},{"id":"z","op":"delete","type":"int"},{"id":"y","type":"int","type":"int"},{"id":"y/b","type":"int","to":[{"connector":"no"}]}]`), 422, "invalid")
	want := []Fault{
		{"row 2, column type", `is "flaot", want one of single, double, step, bits, int, float, counter, text; did you mean float?`, nil},
		{"row 3, column id", "is no id, want segments of the characters A-Z a-z 0-9 . _ - joined by /, at most 200 characters in all", "a b"},
		{"row 4, column op", "want put or delete; absent: put", nil},
		{"row 5, column id", "want text", nil},
		{"row 6, column id", "is missing, want the id of the object", nil},
		{"row 7", "is no object, want one with the key id", nil},
		{"row 8, column id", "occurs twice, first in item 2", "q"},
		{"row 9, column id", "does not exist, want one that does", "z"},
		{"row 10, column type", "has no meaning with op delete, want id alone", nil},
		{"row 11, column type", "occurs twice, first in line 1", nil},
		{"row 12, column to[0].connector", "there is no connector no, want a", nil},
	}
	if diff := cmp.Diff(want, p.Errors); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	if p.Detail != "11 of 12 rows have errors; nothing was changed" {
		t.Error(p.Detail)
	}
	r.wantIDs("/points", "x x/a x/b y/a")
	dry := r.rows(200, "POST", "/points/bulk?dryRun=true", `[{"id":"q","type":"flaot"}]`)
	if dry.Counts.Error != 1 || len(dry.Rows) != 1 || dry.Rows[0].Errors[0].Column != "type" {
		t.Errorf("dry run %+v, want the fault", dry)
	}
	for body, want := range map[string]string{
		`[{"id":"x"}`: "item 2", `[{"id":"x"},`: "item 2", `{"id":"x"`: "item 1", `[] x`: "item 1", `[{]`: "item 1", "x": "item 1",
	} {
		if p := r.problem(r.want(422, "POST", "/points/bulk", body), 422, "invalid"); p.Errors[0].Location != want {
			t.Errorf("%s: %+v, want a fault of %s", body, p.Errors, want)
		}
	}
	large := fmt.Sprintf(`[{"id":"x","name":"%s"}]`, strings.Repeat("x", 2<<20))
	if p := r.problem(r.want(422, "POST", "/points/bulk", large), 422, "invalid"); p.Errors[0].Message != "is larger than 1 MiB" {
		t.Errorf("a large item: %+v", p.Errors)
	}
}

func TestBulkOfALimitedPrincipal(t *testing.T) {
	t.Parallel()
	r := newPlantRig(t, "")
	r.seed()
	p := r.problem(r.do("POST", "/points/bulk", `[{"id":"x/a","type":"int"},{"id":"y/a","type":"float"}]`, as("engineer:x")), 422, "invalid")
	if len(p.Errors) != 1 || p.Errors[0].Location != "row 2, column id" {
		t.Errorf("faults %+v, want that of y/a", p.Errors)
	}
	for _, body := range []string{`[{"id":"y/a","type":"int","name":"Alpha"}]`, `[{"id":"y/new","type":"int"}]`} { // there and the same, and not there
		p := r.problem(r.do("POST", "/points/bulk", body, as("engineer:x")), 422, "invalid")
		if len(p.Errors) != 1 || p.Errors[0].Message != "is not among those that you may change" {
			t.Errorf("%s: %+v, want that it is not said whether it is there", body, p.Errors)
		}
	}
	if w := r.do("POST", "/points/bulk", `[{"id":"x/a","type":"int"}]`, as("engineer:x")); w.Code != 200 {
		t.Errorf("answer %d %s", w.Code, w.Body)
	}
}

func FuzzBulk(f *testing.F) {
	for _, s := range []string{`[{"id":"x","op":"delete"}]`, "{\"id\":\"a\"}\n{\"id\":\"b\",\"type\":\"int\"}", "[", `[{"id":"a","to":[{}]},1]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		items, err := readItems(strings.NewReader(body))
		if err != nil {
			return
		}
		for _, m := range items {
			if len(m.faults) == 0 && m.id == "" || len(m.faults) == 0 && m.body == nil {
				t.Fatalf("item %+v", m)
			}
		}
	})
}
