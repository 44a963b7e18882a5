package cli

import (
	"os"
	"strings"
	"testing"
)

func TestTheTableShowsStatesAndShortNumbers(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"true": "on", "false": "off", `"intermediate"`: "intermediate", "23.5": "23.5", "0": "0",
		"-0.983001708984375": "-0.98300", "0.000030517578125": "0.00003", "0.00006103515625": "0.00006",
		"-1.1754944e-38": "-1.1754944e-38", `{"st":1,"cd":65535}`: `{"st":1,"cd":65535}`,
	} {
		if got := cell(value); got != want {
			t.Errorf("cell(%s) = %q, want %q", value, got, want)
		}
	}
}

func TestFlagsAreShownAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	var out, errs strings.Builder
	if code := Main(t.Context(), []string{"demo", "--help"}, IO{Out: &out, Err: &errs}); code != 0 {
		t.Fatalf("exit code %d: %s", code, errs.String())
	}
	for _, want := range []string{"\n  --listen address\n", "\n  --data directory\n", `(default "busbar-demo")`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the help of demo has no %q:\n%s", want, out.String())
		}
	}
}

func TestDemoRefusesAPlantFile(t *testing.T) {
	t.Parallel()
	var out, errs strings.Builder
	code := Main(t.Context(), []string{"demo", "--plant", "plant.yaml"}, IO{Out: &out, Err: &errs, Env: os.LookupEnv})
	if code != exitUsage || !strings.Contains(errs.String(), "--plant: the demo has a plant of its own") {
		t.Errorf("exit code %d, %q", code, errs.String())
	}
}
