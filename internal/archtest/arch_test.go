package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// layers are the packages of the module, lowest first. A package imports only
// packages of lower layers, or of its own folder.
var layers = [][]string{
	{"iec104/apci"},
	{"iec104/asdu"},
	{"internal/point", "internal/pki", "internal/tape", "iec104"},
	{"internal/plant"},
	{"internal/mapping", "internal/plantdoc"},
	{"internal/image"},
	{"internal/connector", "internal/config", "internal/store"},
	{"internal/dispatch", "internal/commandlog", "internal/tlsconf", "internal/linkprofile", "internal/linkdoctor", "internal/interop"},
	{"internal/iec104keys", "internal/linkbook"},
	{"internal/connectors", "internal/auth"},
	{"internal/manage", "internal/trace"},
	{"internal/api"},
	{"internal/app"},
	{"internal/apiclient"},
	{"internal/cli"},
	{"cmd/busbar"},
}

// source is one Go file of the module.
type source struct {
	dir  string // slash-separated, relative to the root
	name string
	file *ast.File
}

func sources(t *testing.T) []source {
	t.Helper()
	var out []source
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if base := d.Name(); rel != "." && (strings.HasPrefix(base, ".") || base == "bin" || base == "testdata" || base == "node_modules") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		out = append(out, source{dir: path.Dir(rel), name: d.Name(), file: f})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 20 {
		t.Fatalf("found %d Go files below %s, want the whole module", len(out), root)
	}
	return out
}

// layer returns the number of the layer that holds dir, and the entry.
func layer(dir string) (int, string) {
	best, entry := -1, ""
	for i, l := range layers {
		for _, e := range l {
			if (dir == e || strings.HasPrefix(dir, e+"/")) && len(e) > len(entry) {
				best, entry = i, e
			}
		}
	}
	return best, entry
}

func TestPackagesImportOnlyLowerLayers(t *testing.T) {
	for _, s := range sources(t) {
		if s.dir == "internal/archtest" || strings.HasPrefix(s.dir, "test") {
			continue
		}
		from, fromEntry := layer(s.dir)
		if from < 0 {
			t.Errorf("%s is in no layer: add it to the table", s.dir)
			continue
		}
		for _, spec := range s.file.Imports {
			imp, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			dir, ok := strings.CutPrefix(imp, "busbar/")
			if !ok {
				checkExternal(t, s, imp)
				continue
			}
			checkInternal(t, s, dir, from, fromEntry)
		}
	}
}

func checkInternal(t *testing.T, s source, dir string, from int, fromEntry string) {
	t.Helper()
	to, toEntry := layer(dir)
	switch {
	case to > from:
		t.Errorf("%s/%s imports %s, which is in a higher layer", s.dir, s.name, dir)
	case to == from && toEntry != fromEntry:
		t.Errorf("%s/%s imports %s, which is in the same layer", s.dir, s.name, dir)
	}
	if fromEntry != "internal/connectors" || s.dir == "internal/connectors" {
		return
	}
	if toEntry == "internal/connectors" && dir != s.dir {
		t.Errorf("%s/%s imports %s: connectors never know each other", s.dir, s.name, dir)
	}
	if strings.HasSuffix(s.name, "_test.go") {
		return
	}
	for _, low := range []string{"internal/image", "internal/plant", "internal/mapping"} {
		if dir == low {
			t.Errorf("%s/%s imports %s: a connector gets what it needs from its host", s.dir, s.name, dir)
		}
	}
}

func checkExternal(t *testing.T, s source, imp string) {
	t.Helper()
	if strings.HasPrefix(s.dir, "iec104") && strings.Contains(strings.SplitN(imp, "/", 2)[0], ".") &&
		!strings.HasSuffix(s.name, "_test.go") {
		t.Errorf("%s/%s imports %s: the protocol library stands on the standard library alone", s.dir, s.name, imp)
	}
}

func TestEveryPackageIsDocumented(t *testing.T) {
	documented := map[string]bool{}
	for _, s := range sources(t) {
		if strings.HasSuffix(s.name, "_test.go") {
			continue
		}
		has := s.file.Doc != nil && (strings.HasPrefix(s.file.Doc.Text(), "Package ") || strings.HasPrefix(s.file.Doc.Text(), "Command "))
		documented[s.dir] = documented[s.dir] || has
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("package %s has no package comment", dir)
		}
	}
}

func TestNoPackageIsCalledUtil(t *testing.T) {
	for _, s := range sources(t) {
		switch path.Base(s.dir) {
		case "util", "utils", "common", "helpers", "misc":
			t.Errorf("package %s: name it after what it does", s.dir)
		}
	}
}

func TestEveryConnectorHasAPage(t *testing.T) {
	entries, err := os.ReadDir("../connectors")
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]string{"mqttbroker": "mqtt-broker", "iec104server": "iec104-server", "iec104client": "iec104-client"}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		kind := e.Name()
		if k, ok := kinds[kind]; ok {
			kind = k
		}
		if _, err := os.Stat("../../docs/connectors/" + kind + ".md"); err != nil {
			t.Errorf("connector %s: %v", kind, err)
		}
	}
}
