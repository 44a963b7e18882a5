package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStationShowsFeedbackAfterTheConfirmation gives orders one after the other: what
// each does at its feedback point is return information every time.
func TestStationShowsFeedbackAfterTheConfirmation(t *testing.T) {
	t.Parallel()
	addr := station(t, "--points", "3", "--types", "M_SP_NA_1", "--commands", "2")
	var lines strings.Builder
	for n := range 20 {
		value := []string{"on", "off"}[n%2]
		fmt.Fprintf(&lines, "command --ca 1 --ioa 1000002 --type C_DC_NA_1 --value %s\n", value)
		fmt.Fprintf(&lines, "expect --ca 1 --ioa 2000002 --value %s --type M_DP_TB_1 --cause return-remote --timeout 5s\n", value)
	}
	script := filepath.Join(t.TempDir(), "script")
	must(t, os.WriteFile(script, []byte(lines.String()), 0o600))
	if code, stdout, stderr := command(t, "master", addr, "script", script); code != 0 {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}
