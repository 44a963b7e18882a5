package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"busbar/internal/store/storetest"
	"busbar/test/rig"
)

// workDir holds what is built once per run.
var workDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "busbar-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	workDir = dir
	code := storetest.Main(m)
	os.RemoveAll(dir)
	os.Exit(code)
}

var build = sync.OnceValues(func() (string, error) {
	name := filepath.Join(workDir, "busbar")
	cmd := exec.Command("go", "build", "-trimpath", "-o", name, "busbar/cmd/busbar")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the binary: %w\n%s", err, out)
	}
	return name, nil
})

// builtBinary returns the path of the binary, as it is delivered.
func builtBinary(t *testing.T) string {
	t.Helper()
	name, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// hasAddress matches process data with an address.
func hasAddress(ca uint16, ioa uint32) func(rig.Object) bool {
	return func(o rig.Object) bool { return o.CA == ca && o.IOA == ioa && o.Type <= 40 }
}

// spontaneous matches events with an address.
func spontaneous(ca uint16, ioa uint32) func(rig.Object) bool {
	return func(o rig.Object) bool { return hasAddress(ca, ioa)(o) && o.Cause == 3 }
}

// only returns the one object of an answer with the address.
func only(t *testing.T, objects []rig.Object, ca uint16, ioa uint32) rig.Object {
	t.Helper()
	var found []rig.Object
	for _, o := range objects {
		if hasAddress(ca, ioa)(o) {
			found = append(found, o)
		}
	}
	if len(found) != 1 {
		t.Fatalf("CA %d IOA %d is %d times in an answer of %d objects, want once", ca, ioa, len(found), len(objects))
	}
	return found[0]
}

// Figures of Busbar.
const (
	faultMetric   = "busbar_source_faults_total"
	failureMetric = "busbar_connector_failures_total"
)
