package api

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestExamplesOfEngineeringAreTaken imports the table and the lines of the documentation.
func TestExamplesOfEngineeringAreTaken(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/engineering.md")
	if err != nil {
		t.Fatal(err)
	}
	csvExample := regexp.MustCompile("(?s)```csv\n(.*?)```").FindSubmatch(text)
	lines := regexp.MustCompile("(?m)^\\{\"id\".*$").Find(text)
	body := regexp.MustCompile(`-d '(.*)'`).FindSubmatch(text)
	if csvExample == nil || lines == nil || body == nil {
		t.Fatal("the examples are not there")
	}
	r := newPlantRig(t, "")
	r.want(201, "PUT", "/connectors/sensors", deviceA)
	r.want(201, "PUT", "/connectors/scada", deviceA)
	got := r.rows(200, "POST", "/points/import", string(csvExample[1]), header("Content-Type", "text/csv"))
	if got.Counts.New != 2 {
		t.Errorf("table %+v, want 2 new points", got)
	}
	again := r.want(200, "GET", "/points/export?format=csv", nil).Body.String()
	if sorted := "ons4711/t1/load"; strings.Index(again, sorted) > strings.Index(again, "ons4711/t1/oil") || len(again) != len(csvExample[1]) {
		t.Errorf("export %s, want the table in order of id", again)
	}
	if got := r.rows(200, "POST", "/points/bulk", string(lines), header("Content-Type", ndjson)); got.Counts.Changed != 1 {
		t.Errorf("line %+v, want a change", got)
	}
	const path = "/points/ons4711%2Ft1%2Foil-temperature/outbound-configuration"
	if got := r.rows(200, "PUT", path, strings.Replace(string(body[1]), "65537", "6553", 1)); got.Counts.Changed != 1 {
		t.Errorf("outbound %+v, want a change", got)
	}
}
