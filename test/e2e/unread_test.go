package e2e

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"busbar/test/rig"
)

// TestServesWhileNobodyReadsTheLog has a station log more than the pipe and the
// buffer hold, into a pipe that nobody reads.
func TestServesWhileNobodyReadsTheLog(t *testing.T) {
	t.Parallel()
	unread, log, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unread.Close() }()
	addr := rig.FreeAddr(t)
	cmd := exec.Command(builtBinary(t), "station", "--listen", addr, "--points", "20000", "--log-level", "trace")
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.Contains(line, addr) {
		t.Fatalf("output %q, %v, want the address", line, err)
	}
	for range 2 {
		if data := rig.StartMaster(t, addr).Interrogate(1); len(data) != 16000 {
			t.Errorf("%d objects, want all but the counters: 16000", len(data))
		}
	}
	begun := time.Now()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || time.Since(begun) > 4*time.Second {
		t.Errorf("ended with %v after %v, want success", err, time.Since(begun))
	}
}
