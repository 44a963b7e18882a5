package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/plant"
	"busbar/internal/point"
)

// anyKind takes any settings and ends.
type anyKind struct{}

func (anyKind) CanSource() bool { return true }
func (anyKind) CanTarget() bool { return true }

func (anyKind) System() []plant.SystemPoint { return nil }

func (anyKind) CanRequest() bool { return true }
func (anyKind) Decodes() bool    { return false }
func (anyKind) CanExecute() bool { return true }

func (anyKind) Settings(*plant.Node) (any, []plant.FieldProblem)             { return struct{}{}, nil }
func (anyKind) Source(*plant.Node, *plant.Point) (any, []plant.FieldProblem) { return struct{}{}, nil }

func (anyKind) Target(*plant.Node, *plant.Point, *plant.Target) (any, []plant.FieldProblem) {
	return struct{}{}, nil
}

func (anyKind) Requester(*plant.Node, *plant.Command, *plant.Request) (any, []plant.FieldProblem) {
	return struct{}{}, nil
}

func (anyKind) Executor(*plant.Node, *plant.Command) (any, bool, []plant.FieldProblem) {
	return struct{}{}, false, nil
}

func (anyKind) Check(*plant.Cross) {}

type anyKinds struct{}

func (anyKinds) Kind(name string) (plant.Kind, bool) { return anyKind{}, name == "any" }
func (anyKinds) Names() []string                     { return []string{"any"} }

func (anyKinds) CheckCondition(string, bool, func(string) (point.Type, bool)) string { return "" }

func TestCheck(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := map[string]string{
		"good.yaml": `
version: 1
connectors:
  a: {kind: any, password: "${env:BUSBAR_SECRET_THAT_IS_NOT_SET}"}
points:
  p:
    type: int
    from: {connector: a, value: v}
    to: [{connector: a}, {connector: a}]
  q: {type: int, from: {connector: a, value: v}}
`,
		"system.yaml": `
version: 1
connectors: {a: {kind: any}}
points:
  sys/connectors/a/up: {to: [{connector: a}]}
  sys/journal/fill: {to: [{connector: a}]}
`,
		"bad.yaml":  "version: 1\npoints:\n  p: {typ: int}\n",
		"file.yaml": "version: 1\nconnectors: {a: {kind: any, password: \"${file:mqtt}\"}}\n",
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "mqtt"), []byte("word"), 0o600); err != nil {
		t.Fatal(err)
	}
	good, bad, file := filepath.Join(dir, "good.yaml"), filepath.Join(dir, "bad.yaml"), filepath.Join(dir, "file.yaml")
	goodOut := good + ":4:28: connectors.a.password: warning: environment variable BUSBAR_SECRET_THAT_IS_NOT_SET is not set, want the secret in it\n" +
		good + ":10:3: points.q: warning: has no target, so it is seen only inside\n" +
		good + ": ok: 1 connector, 2 points, 2 targets, 2 warnings\n"
	badOut := bad + ":3:6: points.p.type: is missing, want one of single, double, step, bits, int, float, counter, text\n" +
		bad + ":3:7: points.p.typ: unknown key; did you mean type?\n"
	usage := "Usage: busbar check [flags] PLANT…\n\nPrints every problem of plant files as file:line:col: path: what is wrong, what is wanted.\n" +
		"Exit code 0: all are right, 1: not, 2: wrong usage.\n\n  --secrets-dir directory\n    \tdirectory of the secrets that the plant refers to with ${file:…}\n"
	tests := []struct {
		name     string
		args     []string
		code     int
		out, err string
	}{
		{"a file that is right", []string{good}, 0, goodOut, ""},
		{"a file with problems", []string{bad}, 1, badOut, ""},
		{"several files", []string{bad, good}, 1, badOut + goodOut, ""},
		{"system points", []string{filepath.Join(dir, "system.yaml")}, 0,
			filepath.Join(dir, "system.yaml") + ": ok: 1 connector, 0 points, 2 system points, 2 targets, 0 warnings\n", ""},
		{"a file that is not there", []string{filepath.Join(dir, "none")}, 1, filepath.Join(dir, "none") + ": cannot be read: no such file or directory\n", ""},
		{"secrets in a directory", []string{file, "--secrets-dir", dir}, 0,
			file + ":2:14: connectors.a: warning: is not used by any point or command\n" + file + ": ok: 1 connector, 0 points, 0 targets, 1 warning\n", ""},
		{"no file", nil, 2, "", "busbar check: which plant file? try: busbar check plant.yaml\n"},
		{"an unknown flag", []string{"--strict", good}, 2, "", "busbar check: --strict: unknown flag, want one of --secrets-dir\n" + usage},
		{"help", []string{"--help"}, 0, usage, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out, err bytes.Buffer
			if code := Check(tt.args, anyKinds{}, &out, &err); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			if diff := cmp.Diff(tt.out, out.String()); diff != "" {
				t.Errorf("stdout (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.err, err.String()); diff != "" {
				t.Errorf("stderr (-want +got):\n%s", diff)
			}
		})
	}
}
