package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestExpiry(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for text, want := range map[string]string{
		"": "-", "90d": "2026-06-02T05:06:07Z", "12h": "2026-03-04T17:06:07Z", "2027-01-31": "2027-01-31T00:00:00Z",
		"0d": "want days", "-1h": "want days", "d": "want days", "2027-13-01": "want days", "99999999d": "want days", "9999999999h": "want days", "1w": "want days",
	} {
		at, err := parseExpiry(text, now)
		got := "-"
		switch {
		case err != nil:
			got = err.Error()
		case at != nil:
			got = at.Format(time.RFC3339)
		}
		if !strings.Contains(got, want) {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func FuzzExpiry(f *testing.F) {
	for _, seed := range []string{"90d", "12h", "2027-01-31", "-1d", "1e9d", ""} {
		f.Add(seed)
	}
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		at, err := parseExpiry(text, now)
		if err == nil && at != nil && len(text) != len(time.DateOnly) && (at.Before(now) || at.Year() > 2126) {
			t.Errorf("%q is %v", text, at)
		}
	})
}

func TestWrongUsageOfAServer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		line string
		code int
		want string
	}{
		{"apply", exitUsage, "which plant file?"},
		{"apply a.yaml b.yaml", exitUsage, "which plant file?"},
		{"apply a.yaml --exit-code", exitUsage, "only with --dry-run"},
		{"apply a.yaml", exitFailure, "--server: which server?"},
		{"apply a.yaml --server http://127.0.0.1:1", exitFailure, "want an API token in $BUSBAR_TOKEN"},
		{"apply a.yaml --server http://127.0.0.1:1 --token bb_x", exitFailure, "open a.yaml: no such file"},
		{"apply a.yaml --server http://example.org --token bb_x", exitFailure, "others can read the token"},
		{"apply a.yaml --server http://127.0.0.1:1 --token bb_x --token-file x", exitFailure, "want one of --token and --token-file"},
		{"apply a.yaml --server http://127.0.0.1:1 --token-file /nowhere", exitFailure, "no such file"},
		{"apply a.yaml --server http://127.0.0.1:1 --token bb_x --user alice", exitFailure, "either an account or a token"},
		{"export x", exitUsage, `unexpected argument "x"`},
		{"export --format pdf", exitUsage, "want one of yaml, json, csv, xlsx"},
		{"export --out plant.pdf", exitUsage, "want one of yaml, json, csv, xlsx"},
		{"export --format xlsx", exitUsage, "want a file for xlsx"},
		{"token", exitUsage, "what? --help tells"},
		{"token make", exitUsage, `unknown action "make"`},
		{"token create", exitUsage, "create: want a name"},
		{"token create ci", exitUsage, "--roles: which?"},
		{"token create ci --roles viewer --expires soon", exitUsage, "want days or hours"},
		{"token create ci more --roles viewer", exitUsage, `unexpected argument "more"`},
		{"token list ci", exitUsage, `unexpected argument "ci"`},
		{"user add bob", exitUsage, "--roles: which?"},
		{"user password", exitUsage, "--user: whose?"},
	} {
		var out, errs bytes.Buffer
		code := Main(t.Context(), strings.Fields(tt.line), IO{Out: &out, Err: &errs})
		if code != tt.code || !strings.Contains(errs.String(), tt.want) || out.Len() > 0 || strings.Count(errs.String(), "\n") != 1 {
			t.Errorf("%s: exit code %d, output %q, errors %q, want %d and %q", tt.line, code, out.String(), errs.String(), tt.code, tt.want)
		}
	}
}
