package linkprofile

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDocumentedProfilesAreThoseOfTheCode(t *testing.T) {
	t.Parallel()
	plain := standard()
	usual := map[string]string{}
	for _, v := range plain.Values() {
		usual[v.Key] = v.Value
	}
	var b strings.Builder
	b.WriteString("| profile | for | standing | differs from the standard in | rests on |\n|---|---|---|---|---|\n")
	for _, p := range All() {
		var own []string
		for _, v := range p.Values() {
			if v.Value != usual[v.Key] {
				own = append(own, fmt.Sprintf("`%s: %s`", v.Key, v.Value))
			}
		}
		differs := strings.Join(own, ", ")
		if differs == "" {
			differs = "nothing"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", p.Name, p.Title, p.Standing, differs, p.Basis)
	}
	doc, err := os.ReadFile("../../docs/interoperability.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(doc), "<!-- profiles -->\n")
	table, _, _ := strings.Cut(rest, "<!-- end -->")
	if diff := cmp.Diff(b.String(), table); diff != "" {
		t.Errorf("docs/interoperability.md differs (-code +documented):\n%s\nwhole table:\n%s", diff, b.String())
	}
}
