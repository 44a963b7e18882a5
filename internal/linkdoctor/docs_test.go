package linkdoctor

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDocumentedFindingsAreThoseOfTheCode(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("| finding | severity | means |\n|---|---|---|\n")
	for _, k := range Catalogue() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", k.ID, k.Severity, k.Means)
	}
	doc, err := os.ReadFile("../../docs/interoperability.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(doc), "<!-- findings -->\n")
	table, _, _ := strings.Cut(rest, "<!-- end -->")
	if diff := cmp.Diff(b.String(), table); diff != "" {
		t.Errorf("docs/interoperability.md differs (-code +documented):\n%s\nwhole table:\n%s", diff, b.String())
	}
}
