package rig

import (
	"context"
	"strings"
	"testing"

	"busbar/internal/cli"
)

// Start runs a command of the binary in the process of the test until the test
// ends, and returns what it writes to both outputs.
func Start(tb testing.TB, args ...string) *Log {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	log, ended := &Log{}, make(chan struct{})
	go func() {
		defer close(ended)
		cli.Main(ctx, args, cli.IO{
			In: strings.NewReader(""), Out: log, Err: log, Env: func(string) (string, bool) { return "", false },
		})
	}()
	tb.Cleanup(func() {
		cancel()
		<-ended
		if tb.Failed() {
			tb.Logf("log of busbar %s:\n%s", strings.Join(args, " "), log)
		}
	})
	return log
}
