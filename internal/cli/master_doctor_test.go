package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"strings"
	"testing"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/internal/linkdoctor"
	"busbar/internal/linkprofile"
)

// answering is a station that answers an interrogation, with time tags if tagged.
type answering struct {
	commanded
	tagged bool
}

func (s answering) Open(*iec104.ServerConn) (iec104.Session, error) { return s, nil }

func (s answering) Interrogate(uint16, uint8) iec104.Interrogation {
	item := iec104.Item{Type: asdu.M_SP_NA_1, Object: asdu.Object{IOA: 100}}
	if s.tagged {
		item.Type = asdu.M_SP_TB_1
	}
	return &oneItem{item}
}

type oneItem struct{ iec104.Item }

func (i *oneItem) Next(dst []iec104.Item) (int, bool) {
	dst[0] = i.Item
	return 1, true
}

func TestMasterDoctor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		tagged bool
		args   string
		code   int
		out    string
	}{
		{"all fits", false, "", exitOK, "nothing found\n"},
		{"a note", true, "", exitOK, "note     gi-tagged\n"},
		{"a problem", false, "--ca 9", exitProblem, "problem  unknown-ca\n         this side asks for common address 9"},
		{"with a profile", false, "--profile cautious", exitOK, "nothing found\n"},
		{"an unknown profile", false, "--profile psi", exitLocal, "--profile: there is no profile \"psi\", want one of standard,"},
		{"no time", false, "--for 0s", exitLocal, "--for: 0s, want more than 0"},
		{"a flag of another request", false, "--ioa 5", exitLocal, "--ioa: doctor does not use it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			addr := serve(t, answering{commanded{iec104.NewQueue(10), make(chan string, 10)}, c.tagged})
			var out, errs bytes.Buffer
			args := append([]string{addr, "doctor", "--for", "500ms"}, strings.Fields(c.args)...)
			code := masterCommand(t.Context(), args, IO{Out: &out, Err: &errs})
			if code != c.code || !strings.Contains(out.String()+errs.String(), c.out) {
				t.Errorf("exit code %d, want %d and %q:\n%s%s", code, c.code, c.out, &out, &errs)
			}
		})
	}
}

func TestMasterDoctorPrintsJSON(t *testing.T) {
	t.Parallel()
	addr := serve(t, answering{commanded{iec104.NewQueue(10), make(chan string, 10)}, true})
	var out, errs bytes.Buffer
	if code := masterCommand(t.Context(), []string{addr, "doctor", "--for", "500ms", "--json"}, IO{Out: &out, Err: &errs}); code != exitOK {
		t.Fatalf("exit code %d: %s", code, &errs)
	}
	var f struct {
		ID       linkdoctor.ID `json:"id"`
		Severity string        `json:"severity"`
		Count    int           `json:"count"`
	}
	if err := json.Unmarshal(out.Bytes(), &f); err != nil || f.ID != linkdoctor.GITagged || f.Severity != "note" || f.Count != 1 {
		t.Errorf("printed %s: %+v, %v", &out, f, err)
	}
}

func TestMasterDoctorWithoutStation(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if code := masterCommand(t.Context(), []string{addr, "doctor"}, IO{Out: &out, Err: &out}); code != exitLocal || !strings.Contains(out.String(), addr) {
		t.Errorf("exit code %d: %s", code, &out)
	}
}

func TestProfileOfTheMaster(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]iec104.Params{
		"":                               {K: 12, W: 8},
		"--profile cautious":             {K: 8, W: 4},
		"--profile cautious --k 20":      {K: 20, W: 4},
		"--w 2 --profile ge-multilin":    {K: 12, W: 2},
		"--profile standard --k 7 --w 5": {K: 7, W: 5},
	} {
		o, _, err := masterFlags(append([]string{"127.0.0.1", "gi"}, strings.Fields(args)...), IO{})
		if err != nil || o.params.K != want.K || o.params.W != want.W {
			t.Errorf("%s: k %d, w %d, %v; want %d, %d", args, o.params.K, o.params.W, err, want.K, want.W)
		}
	}
	o, _, err := masterFlags([]string{"127.0.0.1", "gi", "--profile", "lib60870"}, IO{})
	if err != nil || o.params.T0.Seconds() != 10 {
		t.Errorf("t0 of lib60870 is %v, %v", o.params.T0, err)
	}
}

func TestProfileOfTheStation(t *testing.T) {
	t.Parallel()
	o, err := stationFlags([]string{"--listen", "127.0.0.1:0", "--profile", "cautious", "--k", "20", "--log-level", "error"}, IO{})
	if err != nil || o.links != ", k: 20" || o.profile != "cautious" {
		t.Fatalf("flags %+v, %v", o, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	o.profile = "no-such"
	if err := o.run(ctx, IO{Out: &out, Err: &out}); err == nil || !strings.Contains(err.Error(), "there is no profile") {
		t.Errorf("a profile that does not exist: %v", err)
	}
	cancel()
	if o, err := stationFlags([]string{"--profile", "cautious", "--k", "4"}, IO{}); err != nil || o.w != 4 {
		t.Errorf("k 4 with the w of the profile, %d: %v", o.w, err)
	}
	if _, err := stationFlags([]string{"--profile", "psi"}, IO{}); err == nil || !strings.Contains(err.Error(), "want one of standard") {
		t.Errorf("--profile psi: %v", err)
	}
}

func TestProfiles(t *testing.T) {
	t.Parallel()
	run := func(args ...string) (int, string) {
		var out bytes.Buffer
		code := Main(t.Context(), append([]string{"profiles"}, args...), IO{Out: &out, Err: &out})
		return code, out.String()
	}
	code, list := run()
	for _, p := range linkprofile.All() {
		if code != exitOK || !strings.Contains(list, p.Name+" ") || !strings.Contains(list, p.Title) {
			t.Errorf("exit code %d, %s is not in the list:\n%s", code, p.Name, list)
		}
	}
	code, one := run("cautious")
	p, err := linkprofile.Find("cautious")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range p.Values() {
		if code != exitOK || !strings.Contains(one, v.Key+" ") || !strings.Contains(one, v.Basis) {
			t.Errorf("exit code %d, %s is not among the values:\n%s", code, v.Key, one)
		}
	}
	if !strings.HasPrefix(one, "cautious (hypothesis): ") {
		t.Errorf("printed\n%s", one)
	}
	code, lines := run("--json")
	if n := strings.Count(lines, "\n"); code != exitOK || n != len(linkprofile.All()) || !strings.Contains(lines, `{"key":"k","value":"8","basis":"a guess: small buffers"}`) {
		t.Errorf("exit code %d, %d lines:\n%s", code, n, lines)
	}
	for _, args := range [][]string{{"psi"}, {"standard", "cautious"}, {"--jso"}} {
		if code, out := run(args...); code != exitUsage {
			t.Errorf("%q: exit code %d: %s", args, code, out)
		}
	}
}
