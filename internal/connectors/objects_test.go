package connectors_test

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"busbar/internal/connector"
	"busbar/internal/connectors"
	"busbar/internal/plant"
	"busbar/internal/plantdoc"
)

func registry(tb testing.TB) *connector.Registry {
	tb.Helper()
	r, err := connector.NewRegistry(connectors.All()...)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// anySecret stands in for secrets.
func anySecret() plant.Options {
	return plant.Options{Secrets: plant.Secrets{Env: func(string) (string, bool) { return "s3cret", true }, Optional: true}}
}

// plantFiles returns the plant files of the repository and the examples of its
// documentation by name.
func plantFiles(tb testing.TB) map[string][]byte {
	tb.Helper()
	files := map[string][]byte{}
	for _, pattern := range []string{"../plant/testdata/*.[yj]*", "../cli/testdata/*.yaml", "../cli/demo/*.yaml", "../../docs/*.md", "../../docs/*/*.md"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			tb.Fatalf("%s: %d files, %v", pattern, len(names), err)
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				tb.Fatal(err)
			}
			files[name] = data
		}
	}
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```")
	for name, data := range files {
		switch filepath.Ext(name) {
		case ".want":
			delete(files, name)
		case ".md":
			delete(files, name)
			for i, m := range examples.FindAllSubmatch(data, -1) {
				files[name+strings.Repeat("'", i)+".yaml"] = m[1]
			}
		}
	}
	if len(files) < 30 {
		tb.Fatalf("%d plant files, want those of the tests and of the documentation", len(files))
	}
	return files
}

// samePlant checks that a plant decoded from the objects of a file is the one
// decoded from the file. It returns whether the file is right.
func samePlant(t *testing.T, name string, data []byte, kinds plant.Kinds) bool {
	t.Helper()
	want, wrong := plant.Decode(name, data, kinds, anySecret())
	objs, problems := plantdoc.Parse(name, data)
	if len(problems) > 0 {
		if want != nil {
			t.Fatalf("the plant %s is right, but has no objects:\n%v", name, problems)
		}
		return false
	}
	document := plantdoc.JSON(objs)
	got, stillWrong := plant.Decode("p.json", document, kinds, anySecret())
	if (len(wrong) > 0) != (len(stillWrong) > 0) {
		t.Fatalf("%s: the file has the problems\n%v\nand its objects\n%v\n%s\n%s", name, wrong, stillWrong, data, document)
	}
	if want == nil {
		return false
	}
	for _, p := range []*plant.Plant{want, got} {
		p.Warnings = nil // they are in order of the file
		if len(p.Points) == 0 {
			p.Points = nil // which differs from none in nothing
		}
	}
	if !reflect.DeepEqual(want, got) {
		t.Fatalf("%s: the plant of the file\n%+v\nand that of its objects\n%+v\n%s\n%s", name, want, got, data, document)
	}
	return true
}

func TestObjectsAreThePlant(t *testing.T) {
	t.Parallel()
	kinds, right := registry(t), 0
	for name, data := range plantFiles(t) {
		if samePlant(t, name, data, kinds) {
			right++
		}
	}
	if right < 8 {
		t.Errorf("%d plants are right, want 8 or more", right)
	}
}

func FuzzObjectsAreThePlant(f *testing.F) {
	for name, data := range plantFiles(f) {
		f.Add(data, strings.HasSuffix(name, ".json"))
	}
	kinds := registry(f)
	f.Fuzz(func(t *testing.T, data []byte, json bool) {
		name := "f.yaml"
		if json {
			name = "f.json"
		}
		samePlant(t, name, data, kinds)
	})
}
