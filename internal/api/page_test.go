package api

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestPageShowsTheDocumentWithNothingFromElsewhere(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	w := r.do(http.MethodGet, "/docs", nil)
	page := w.Body.String()
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("answer %d %v", w.Code, w.Header())
	}
	if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("content security policy %q", csp)
	}
	if r.do(http.MethodGet, "/docs/page.css", nil).Code != http.StatusOK {
		t.Error("the page has no style")
	}
	operations, err := documentedOperations()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range operations {
		if !strings.Contains(page, `id="`+o.ID+`"`) {
			t.Errorf("operation %s is not on the page", o.ID)
		}
	}
	ids, links := anchors(t, page)
	for _, link := range links {
		target, local := strings.CutPrefix(link, "#")
		switch {
		case local && !slices.Contains(ids, target):
			t.Errorf("link %s leads nowhere", link)
		case !local && !strings.HasPrefix(link, "/openapi.") && link != "/docs/page.css":
			t.Errorf("link %s leads away", link)
		}
	}
	if strings.Contains(page, "<script") || strings.Contains(page, "style=") {
		t.Error("the page has scripts or styles of its own")
	}
}

// anchors returns the ids and the links of a page, which must be well-formed.
func anchors(t *testing.T, page string) (ids, links []string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return ids, links
		}
		if err != nil {
			t.Fatal(err)
		}
		element, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		for _, attribute := range element.Attr {
			switch attribute.Name.Local {
			case "id":
				ids = append(ids, attribute.Value)
			case "href", "src":
				links = append(links, attribute.Value)
			}
		}
	}
}

// TestEveryCodeOfAProblemIsExplained reads the codes from the source.
func TestEveryCodeOfAProblemIsExplained(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var known []string
	for _, c := range problemCodes() {
		if slices.Contains(known, c.Code) || c.Meaning == "" {
			t.Errorf("code %s is there twice or not explained", c.Code)
		}
		known = append(known, c.Code)
	}
	code := regexp.MustCompile(`problem\(http\.Status\w+, "([^"]+)"|p\.Code = "[^"]+", "([^"]+)"|Code\w+ += "([^"]+)"`)
	found := 0
	for _, name := range append(files, "../auth/error.go") {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range code.FindAllStringSubmatch(string(text), -1) {
			found++
			if c := m[1] + m[2] + m[3]; !slices.Contains(known, c) {
				t.Errorf("%s: code %s is not in problem_codes.go", name, c)
			}
		}
	}
	if found < 40 {
		t.Errorf("%d codes were found in the source, want them all", found)
	}
}
