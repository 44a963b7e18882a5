package plant_test

import (
	"os"
	"path/filepath"
	"testing"

	"busbar/internal/plant"
)

// FuzzDecode checks that no file makes Decode panic or hang, that there is
// either a plant or a problem, and that problems have a position in the file.
func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob("testdata/*.[yj]*")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		if filepath.Ext(file) == ".want" {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, filepath.Ext(file) == ".json")
	}
	kinds, options := kinds(f), secrets()
	f.Fuzz(func(t *testing.T, data []byte, json bool) {
		name := "f.yaml"
		if json {
			name = "f.json"
		}
		p, problems := plant.Decode(name, data, kinds, options)
		if (p == nil) != (len(problems) > 0) {
			t.Fatalf("plant %v and %d problems", p, len(problems))
		}
		for i, problem := range problems {
			if problem.Line < 1 || problem.Col < 1 || problem.File != name || problem.Text == "" {
				t.Fatalf("problem without a place or text: %+v", problem)
			}
			if i > 0 && problems[i-1].Line > problem.Line {
				t.Fatalf("problems out of order:\n%v", problems)
			}
		}
	})
}
