package cli

import (
	"bytes"
	"strings"
	"testing"
)

func TestWrongFlagsLeaveTheOutputEmpty(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"run --foo", "demo --listen", "master 127.0.0.1:2404 gi --timeout 5", "station --points many",
	} {
		var out, errs bytes.Buffer
		code := Main(t.Context(), strings.Fields(line), IO{Out: &out, Err: &errs})
		if code == exitOK || out.Len() > 0 || strings.Count(errs.String(), "\n") != 1 {
			t.Errorf("%s: exit code %d, output %q, errors %q, want a failure, no output and one line", line, code, out.String(), errs.String())
		}
	}
}

func TestHelpIsOutput(t *testing.T) {
	t.Parallel()
	for _, c := range []string{"run", "demo", "check", "decode", "master", "station"} {
		var out, errs bytes.Buffer
		code := Main(t.Context(), []string{c, "--help"}, IO{Out: &out, Err: &errs})
		if code != exitOK || !strings.HasPrefix(out.String(), "Usage: busbar "+c) || errs.Len() > 0 {
			t.Errorf("%s: exit code %d, output %.40q, errors %q, want the usage", c, code, out.String(), errs.String())
		}
	}
}
