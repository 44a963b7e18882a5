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

func TestWrongFlagsAreNamed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ line, want string }{
		{"station --foo", "busbar station: --foo: unknown flag, want one of --ca, …"},
		{"station --points many", `busbar station: --points: "many", want an integer`},
		{"station --points 99999999999999999999", `busbar station: --points: "99999999999999999999", want an integer`},
		{"station --ca -1", `busbar station: --ca: "-1", want an integer of 0 or more`},
		{"station --rate fast", `busbar station: --rate: "fast", want a number`},
		{"station --pack=maybe", `busbar station: --pack: "maybe", want true or false`},
		{"station --points", "busbar station: --points: no value, want an integer"},
		{"station --listen", "busbar station: --listen: no value, want address to listen on"},
		{"master 127.0.0.1:2404 gi --timeout 5", `busbar master: --timeout: "5", want a duration such as 15s, 10m or 250ms`},
		{"station --log-level loud", `busbar station: --log-level: "loud", want one of trace, debug, info, warn, error`},
		{"station --k 0", "busbar station: --k: 0, want 1 to 32767"},
		{"station --k 4", "busbar station: --w: 8, want at most --k, which is 4"},
		{"station --w 32768", "busbar station: --w: 32768, want 1 to 32767"},
		{"master 127.0.0.1 gi --k 0", "busbar master: --k: 0, want 1 to 32767"},
		{"master 127.0.0.1 gi --w 0", "busbar master: --w: 0, want 1 to 32767"},
		{"master 127.0.0.1 gi --k 32768", "busbar master: --k: 32768, want 1 to 32767"},
		{"master 127.0.0.1 gi --t2 0s", "busbar master: --t1, --t2, --t3: 15s, 0s, 20s, want more than 0"},
		{"master 127.0.0.1 monitor --count -1", "busbar master: --count: -1, want 1 or more, or 0 for no limit"},
		{"master 127.0.0.1 gi --ioa 5", "busbar master: --ioa: gi does not use it; of its own it has --ca, --group"},
		{"master 127.0.0.1 gi --freeze reset", "busbar master: --freeze: gi does not use it; of its own it has --ca, --group"},
		{"master 127.0.0.1 counters --count 5", "busbar master: --count: counters does not use it; of its own it has --ca, --group, --freeze"},
		{"master 127.0.0.1 monitor --group 1", "busbar master: --group: monitor does not use it; of its own it has --ca, --count"},
		{"master 127.0.0.1 read --ca 1 --ioa 1 --qrp 1", "busbar master: --qrp: read does not use it; of its own it has --ca, --ioa"},
		{"master 127.0.0.1 clock --ioa 0", "busbar master: --ioa: clock does not use it; of its own it has --ca"},
		{"master gi", "busbar master: want an address and a request, such as: busbar master 127.0.0.1:2404 gi"},
		{"master a,,b gi", `busbar master: address "a,,b", want host:port, several with a comma between them`},
		{"master a gi x", `busbar master: unexpected argument "x" behind gi`},
		{"master --listen a", "busbar master: want a request, such as: busbar master --listen 0.0.0.0:2404 gi"},
		{"master a script", "busbar master: want one file for script, - is standard input"},
		{"master a script /none/such", "busbar master: script: open /none/such: no such file or directory"},
		{"master a script x --set y", `busbar master: --set: "y", want name=value, the name of letters, digits and _`},
		{"master a gi --set x=1", "busbar master: --set: gi does not use it; of its own it has --ca, --group"},
		{"master a stopdt --ca 1", "busbar master: --ca: stopdt does not use it; of its own it has none"},
		{"master a gi --tls-ca x", "busbar master: --tls-cert is missing: with TLS both sides show certificates, want --tls-ca, --tls-cert and --tls-key"},
		{"master a gi --tls-name x", "busbar master: --tls-ca is missing: with TLS both sides show certificates, want --tls-ca, --tls-cert and --tls-key"},
		{"master a gi --tls-ca x --tls-cert y --tls-key z --tls-name *", "busbar master: --tls-name: has *, want each name without *"},
		{"master a select --ca 1 --ioa 1 --type C_BO_NA_1 --value 1", "busbar master: --type: a bitstring cannot be selected"},
		{"master a cancel --ca 1 --type 45 --value on", "busbar master: --ioa: 0, want 1 to 16777215"},
		{"master a cancel --ca 1 --group 17", "busbar master: --group: 17, want 0 to 16 for cancel"},
		{"master a parameter --ca 1 --ioa 1 --type C_SE_NA_1 --value 1", `busbar master: --type: "C_SE_NA_1", want P_ME_NA_1, P_ME_NB_1, P_ME_NC_1 or 110 to 112`},
		{"master a parameter --ca 1 --ioa 1 --type P_ME_NA_1 --value 2", `busbar master: --value: "2", want a number from −1 to 1 for P_ME_NA_1`},
		{"master a parameter --ca 1 --ioa 1 --type 112 --value 2 --kpa upper", `busbar master: --kpa: "upper", want threshold, smoothing, low, high or 1 to 63`},
		{"master a parameter --ca 1 --type 112 --value 2", "busbar master: --ioa: 0, want 1 to 16777215"},
		{"master a parameter --ca 1 --qpa 2 --value 2", "busbar master: --qpa: activates what was loaded, want it without --type and --value"},
		{"master a parameter --ca 1 --deactivate", "busbar master: --deactivate: want --qpa with it"},
		{"master a discover --connector Bay", `busbar master: --connector: "Bay", want 1 to 63 of the characters a-z 0-9 -`},
		{"master a discover --prefix a//b", `busbar master: --prefix: "a//b", want segments of the characters A-Z a-z 0-9 . _ - joined by /, at most 180`},
		{"master a discover --prefix sys/a", `busbar master: --prefix: "sys/a", want one that does not begin with sys, which is for system points`},
		{"station --dial a --listen b", "busbar station: --dial: want either it or --listen"},
		{"station --commands 100001", "busbar station: --commands: 100001, want 0 to 100000"},
		{"station --counters -1", "busbar station: --counters: -1, want 0 to 100000"},
		{"station --groups 17", "busbar station: --groups: 17, want 0 to 16"},
		{"station --commands 1 --fail-commands -1", "busbar station: --fail-commands: -1, want 1 for every command, 2 for every second one …, or 0 for none"},
		{"station --commands 1 --term-delay 6m", "busbar station: --term-delay: 6m0s, want 0s to 5m"},
		{"station --term-delay 1s", "busbar station: --fail-commands, --term-delay: want --commands with it"},
		{"station --points 1000001 --commands 1", "busbar station: --points: 1000001, want at most 1000000 with --commands and --counters, whose addresses come then"},
		{"station --quality bad", `busbar station: --quality: "bad", want good, or of invalid, not-topical, substituted, blocked, overflow with a comma between them`},
		{"station --tls-key x", "busbar station: --tls-ca is missing: with TLS both sides show certificates, want --tls-ca, --tls-cert and --tls-key"},
	} {
		var out, errs bytes.Buffer
		code := Main(t.Context(), strings.Fields(tt.line), IO{Out: &out, Err: &errs})
		begin, open := strings.CutSuffix(tt.want, "…")
		right := errs.String() == tt.want+"\n" || open && strings.HasPrefix(errs.String(), begin)
		if code == exitOK || out.Len() > 0 || !right {
			t.Errorf("%s: exit code %d, output %q, errors %q, want %q", tt.line, code, out.String(), errs.String(), tt.want)
		}
	}
}

// TestEveryRequestSaysWhatFlagsItUses also finds misspelt ones: they would be
// refused for no request.
func TestEveryRequestSaysWhatFlagsItUses(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	Main(t.Context(), []string{"master", "--help"}, IO{Out: &out, Err: &errs})
	for request, flags := range requestFlags() {
		if _, err := findRequest(request, false); err != nil {
			t.Error(err)
		}
		for _, name := range flags {
			if !strings.Contains(out.String(), "\n  --"+name+" ") && !strings.Contains(out.String(), "\n  --"+name+"\n") {
				t.Errorf("%s: there is no flag --%s", request, name)
			}
		}
	}
}

func TestDemoNamesTheFlagOfAnAddressThatIsNone(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	none := func(string) (string, bool) { return "", false }
	code := Main(t.Context(), []string{"demo", "--data", t.TempDir(), "--http-listen", "off", "--listen", "x"}, IO{Out: &out, Err: &errs, Env: none})
	if want := "\nbusbar demo: --listen: \"x\", want host:port\n"; code != exitFailure || !strings.Contains(errs.String(), want) {
		t.Errorf("exit code %d, errors %q, want %q", code, errs.String(), want)
	}
}
