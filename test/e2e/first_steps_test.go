package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"busbar/test/rig"
)

// TestFirstStepsAreAsWritten runs the shell blocks of docs/first-steps.md on other ports.
func TestFirstStepsAreAsWritten(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/first-steps.md")
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	script.WriteString("set -euo pipefail\ntrap 'kill %1; wait' EXIT\n")
	blocks := regexp.MustCompile("(?ms)^```sh\n(.*?)^```$").FindAllSubmatch(text, -1)
	if len(blocks) != 7 {
		t.Fatalf("%d blocks, want 7", len(blocks))
	}
	for _, block := range blocks {
		script.Write(block[1])
	}
	lines := script.String()
	for _, addr := range []string{"127.0.0.1:8080", "127.0.0.1:2404", "127.0.0.1:1883"} {
		free := rig.FreeAddr(t)
		lines = strings.ReplaceAll(lines, addr, free)
		lines = strings.ReplaceAll(lines, "-p "+addr[len("127.0.0.1:"):], "-p "+free[len("127.0.0.1:"):])
		if addr == "127.0.0.1:8080" {
			lines = strings.Replace(lines, "busbar run ", "busbar run --http-listen "+free+" ", 1)
		}
	}
	dir := t.TempDir()
	if err := os.Symlink(filepath.Dir(builtBinary(t)), filepath.Join(dir, "bin")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-c", lines)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOME="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "busbar.log"))
		t.Fatalf("%v\n%s\nlog:\n%s", err, out, log)
	}
	for _, want := range []string{`(?m)^ +225 +100 M_ME_NC_1 `, `(?m)^ +225 +101 M_SP_NA_1 `, `(?m)^ +225 +102 M_ME_NB_1 `, `"mustChangePassword":true`, `"roles":\["engineer"\]`, `(?m)^  ons4711/tap:$`, `"comment":"back to revision 4"`} {
		if !regexp.MustCompile(want).Match(out) {
			t.Errorf("no %s in the output:\n%s", want, out)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "busbar-data", "initial-admin-password")); !os.IsNotExist(err) {
		t.Errorf("the file with the one-time password is still there: %v", err)
	}
}
