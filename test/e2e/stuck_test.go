package e2e

import (
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// stuckCommands are commands that wait for input that never comes: pipe is a
// named pipe that nobody writes to.
func stuckCommands(pipe string) map[string][]string {
	return map[string][]string{
		"plant to check": {"check", pipe},
		"plant to run":   {"run", "--plant", pipe, "--data", filepath.Join(filepath.Dir(pipe), "data"), "--http-listen", "off"},
		"input":          {"decode"},
	}
}

func TestStopsWhileItWaitsForAFile(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range stuckCommands(pipe) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(builtBinary(t), args...)
			input, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			defer input.Close()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = cmd.Process.Kill() }()
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			// Told again and again, because it may not listen to signals yet.
			again := time.NewTicker(100 * time.Millisecond)
			defer again.Stop()
			limit := time.After(20 * time.Second)
			for {
				select {
				case <-ended:
					return
				case <-again.C:
					_ = cmd.Process.Signal(syscall.SIGTERM)
				case <-limit:
					t.Fatal("goes on after SIGTERM, want its end within 5 s")
				}
			}
		})
	}
}
