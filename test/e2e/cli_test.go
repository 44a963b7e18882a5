package e2e

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"busbar/internal/cli"
	"busbar/test/capture"
	"busbar/test/rig"
)

// command runs a command of the binary in the process of the test.
func command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
	defer cancel()
	var out, errOut bytes.Buffer
	code = cli.Main(ctx, args, cli.IO{
		In: strings.NewReader(""), Out: &out, Err: &errOut, Env: func(string) (string, bool) { return "", false },
	})
	return code, out.String(), errOut.String()
}

// master runs `busbar master` and returns what it prints. It fails the test if
// the exit code is not want.
func master(t *testing.T, want int, args ...string) string {
	t.Helper()
	code, stdout, stderr := command(t, append([]string{"master"}, args...)...)
	if code != want {
		t.Fatalf("busbar master %q: exit code %d, want %d\n%s%s", args, code, want, stdout, stderr)
	}
	return stdout
}

// monitor runs `busbar master --json monitor` through the proxy, does something
// meanwhile, and returns what was printed once n objects of process
// information have arrived.
func monitor(t *testing.T, proxy *capture.Proxy, n int, during func()) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var out, errOut rig.Log
	ended := make(chan int, 1)
	go func() {
		ended <- cli.Main(ctx, []string{"master", proxy.Addr(), "--json", "monitor"}, cli.IO{
			In: strings.NewReader(""), Out: &out, Err: &errOut, Env: func(string) (string, bool) { return "", false },
		})
	}()
	stop := func() { cancel(); <-ended }
	t.Cleanup(func() { cancel() })
	rig.Until(t, "STARTDT con", func() bool { return started(proxy) })
	during()
	rig.Until(t, "the events in the output of monitor", func() bool {
		return len(jsonReadings(t, wholeLines(out.String()))) >= n
	})
	stop()
	if errOut.String() != "" {
		t.Errorf("monitor says %s", errOut.String())
	}
	return out.String()
}

// wholeLines cuts off a line that is not complete yet.
func wholeLines(s string) string { return s[:strings.LastIndexByte(s, '\n')+1] }

// started reports whether a station has confirmed STARTDT.
func started(p *capture.Proxy) bool {
	for _, s := range p.Segments() {
		if s.ToClient && bytes.Contains(s.Octets, []byte("\x68\x04\x0b\x00\x00\x00")) {
			return true
		}
	}
	return false
}
