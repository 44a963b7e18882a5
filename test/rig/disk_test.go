package rig_test

import (
	"os/exec"
	"strings"
	"testing"

	"busbar/test/rig"
)

func TestDiskIsFullUntilItIsFreed(t *testing.T) {
	t.Parallel()
	disk := rig.NewDisk(t, 1<<20)
	write := func() string {
		args := disk.Command("sh", "-c", `head -c 100000 /dev/zero >"$0/data"`, disk.Dir)
		out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
		if err != nil && len(out) == 0 {
			t.Fatal(err)
		}
		return string(out)
	}
	disk.Fill()
	if out := write(); !strings.Contains(out, "space") {
		t.Errorf("writing to a full disk says %q, want no space left", out)
	}
	disk.Free()
	if out := write(); out != "" {
		t.Errorf("writing to a freed disk says %q, want nothing", out)
	}
}
