package iec104server

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/iec104/asdu"
	"busbar/internal/point"
)

// documented returns the lines of a file between two markers.
func documented(t *testing.T, file, name string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(b), "<!-- "+name+" -->\n")
	table, _, ok2 := strings.Cut(rest, "<!-- end -->")
	if !ok || !ok2 {
		t.Fatalf("%s: no lines between <!-- %s --> and <!-- end -->", file, name)
	}
	return table
}

func typesOf(f family) string {
	var names []string
	for i, form := range forms {
		if form.family == f {
			names = append(names, fmt.Sprintf("%s (%d)", asdu.TypeID(i), i))
		}
	}
	return strings.Join(names, ", ")
}

func TestDocumentedConversionsAreThoseOfTheCode(t *testing.T) {
	var b strings.Builder
	b.WriteString("| point | `as` | value |\n|---|---|---|\n")
	for typ := point.Single; typ <= point.Text; typ++ {
		for f := single; f < families; f++ {
			if c := conversions[typ][f]; c != refused {
				fmt.Fprintf(&b, "| %s | %s | %s |\n", typ, typesOf(f), conversionTexts[c])
			}
		}
	}
	if diff := cmp.Diff(b.String(), documented(t, "../../../docs/values.md", "conversions")); diff != "" {
		t.Errorf("docs/values.md differs from the table in convert.go (-code +documented):\n%s\nwhole table:\n%s", diff, b.String())
	}
}

func TestDocumentedQualitiesAreThoseOfTheCode(t *testing.T) {
	var b strings.Builder
	b.WriteString("| `as` | sent as they are | set IV | set CA | always set | not sent with |\n|---|---|---|---|---|---|\n")
	for f := single; f < families; f++ {
		d := descriptors[f]
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", typesOf(f),
			letters(d.kept), letters(d.doubt), letters(d.adjust), letters(d.always), letters(d.withNot))
	}
	if diff := cmp.Diff(b.String(), documented(t, "../../../docs/values.md", "qualities")); diff != "" {
		t.Errorf("docs/values.md differs from the table in encode.go (-code +documented):\n%s\nwhole table:\n%s", diff, b.String())
	}
}

func letters(q asdu.Quality) string {
	var names []string
	for _, n := range []struct {
		bit  asdu.Quality
		name string
	}{
		{asdu.IV, "IV"}, {asdu.NT, "NT"}, {asdu.SB, "SB"}, {asdu.BL, "BL"}, {asdu.OV, "OV"},
		{asdu.EI, "EI"}, {asdu.CY, "CY"}, {asdu.CA, "CA"},
	} {
		if q&n.bit != 0 {
			names = append(names, n.name)
		}
	}
	if len(names) == 0 {
		return "–"
	}
	return strings.Join(names, " ")
}

func TestDocumentedSystemPointsAreThoseOfTheCode(t *testing.T) {
	var b strings.Builder
	b.WriteString("| point | type | tells |\n|---|---|---|\n")
	for _, p := range systemPoints() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", strings.Replace(p.Name, "*", "<group>", 1), p.Type, p.Doc)
	}
	if diff := cmp.Diff(b.String(), documented(t, "../../../docs/connectors/iec104-server.md", "system points")); diff != "" {
		t.Errorf("docs/connectors/iec104-server.md differs from the table in system.go (-code +documented):\n%s\n%s", diff, b.String())
	}
}
