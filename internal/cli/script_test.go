package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/iec104"
	"busbar/iec104/asdu"
)

func TestWordsOfALine(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		line string
		want []string
		says string
	}{
		{"gi --ca 1", []string{"gi", "--ca", "1"}, ""},
		{"  gi\t--ca  1 \r", []string{"gi", "--ca", "1"}, ""},
		{"", nil, ""},
		{"# gi", nil, ""},
		{"gi # all of it", []string{"gi"}, ""},
		{"a#b", []string{"a#b"}, ""},
		{`a "b c" 'd "e"' ''`, []string{"a", "b c", `d "e"`, ""}, ""},
		{`--value="1 2"`, []string{"--value=1 2"}, ""},
		{`a "b`, nil, `the quote " has no end`},
	} {
		got, err := splitWords(tt.line)
		if diff := cmp.Diff(tt.want, got); diff != "" || says(err) != tt.says {
			t.Errorf("%q: %v, words (-want +got):\n%s", tt.line, err, diff)
		}
	}
}

func says(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestFaultsOfAScript(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, script, want string }{
		{"unknown word", "gi\n\njump", "s:3: request \"jump\", want one of gi, "},
		{"flag of another request", "gi --ioa 5", "s:1: --ioa: gi does not use it"},
		{"flag out of range", "read --ca 70000 --ioa 1", "s:1: --ca: 70000, want 1 to 65535"},
		{"flag of the connection", "gi --k 3", "s:1: --k belongs to the connection, want it on the command line"},
		{"tls in a line", "gi --tls-ca x", "s:1: --tls-cert is missing"},
		{"address in a line", "127.0.0.1 gi", "s:1: request \"127.0.0.1\", want one of "},
		{"more behind a request", "gi now", "s:1: unexpected argument \"now\" behind gi"},
		{"what does not end", "monitor", "s:1: monitor does not end by itself, want it on the command line"},
		{"script in a script", "script x", "s:1: script does not end by itself"},
		{"help", "gi --help", "s:1: there is no --help in a line"},
		{"command without value", "command --ca 1 --ioa 1 --type 45", "s:1: --value: \"\", want on, off, 1 or 0 for C_SC_NA_1"},
		{"sleep without time", "sleep", "s:1: want sleep and a time such as 500ms"},
		{"sleep without unit", "sleep 5", "s:1: sleep \"5\", want a time such as 500ms or 2s"},
		{"sleep backwards", "sleep -5s", "s:1: sleep \"-5s\", want a time"},
		{"expect without address", "expect --ca 1", "s:1: --ioa: 0, want 0 to 16777215"},
		{"expect of all stations", "expect --ca 65535 --ioa 1", "s:1: --ca: 65535, want 1 to 65534"},
		{"expect a type that is none", "expect --ca 1 --ioa 1 --type M_XX", "s:1: --type: \"M_XX\", want a type such as M_SP_TB_1 or 30"},
		{"expect a quality that is none", "expect --ca 1 --ioa 1 --quality bad", "s:1: --quality: \"bad\", want good, or of invalid, not-topical, "},
		{"expect a cause that is none", "expect --ca 1 --ioa 1 --cause why", "s:1: --cause: \"why\", want one of periodic, "},
		{"expect a range that is none", "expect --ca 1 --ioa 1 --value a..b", "s:1: --value: \"a..b\", want a number, a range such as 20..30, or a word"},
		{"expect a range upside down", "expect --ca 1 --ioa 1 --value 3..2", "s:1: --value: \"3..2\", want a range from the lower to the higher number"},
		{"expect with a word too many", "expect --ca 1 --ioa 1 on", "s:1: unexpected argument \"on\" behind expect"},
		{"expect without end", "expect --ca 1 --ioa 1 --timeout -1s", "s:1: --timeout: -1s, want 0 or more"},
		{"variable that is not set", "gi --ca $x", "s:1: variable \"x\" in \"$x\" is not set, want set x VALUE before, or --set x=VALUE"},
		{"variable that is set later", "gi --ca $x\nset x 1", "s:1: variable \"x\""},
		{"variable without value", "set x", "s:1: want set, a name of letters, digits and _, and a value"},
		{"variable without name", "set 1x 2", "s:1: want set, a name"},
		{"quote without end", "gi 'x", "s:1: the quote ' has no end"},
		{"line too long", "gi\n" + strings.Repeat("x", 70_000), "s:2: the line is longer than 65535 octets"},
		{"variables that grow", "set a x\n" + strings.Repeat("set a $a$a\n", 60), "s:17: the variables make the line longer than 65535 octets"},
		{"range of what is no number", "expect --ca 1 --ioa 5 --value NaN..3", "s:1: --value: \"NaN..3\", want a range from the lower to the higher number"},
		{"what there is in a line", "jump", "s:1: request \"jump\", want one of gi, monitor, counters, read, clock, test, reset, command, doctor, select, execute, cancel, parameter, " +
			"startdt, stopdt, discover, files, get, put, delete, expect, sleep"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := parseScript(strings.NewReader(tt.script), "s", &masterOptions{timeout: time.Second})
			if !strings.HasPrefix(says(err), tt.want) {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
}

func TestVariablesOfAScript(t *testing.T) {
	t.Parallel()
	script := "set ca 7\nset also $ca\nset given 1\nexpect --ca ${also} --ioa $given --value $$x"
	steps, err := parseScript(strings.NewReader(script), "s", &masterOptions{vars: scriptVars{"given": "99"}})
	if err != nil {
		t.Fatal(err)
	}
	e := steps[0].expect
	if steps[0].line != 4 || e.ca != 7 || e.ioa != 99 || e.value != "$x" {
		t.Errorf("line %d: %+v, want line 4, 7/99, $x", steps[0].line, e)
	}
	var v scriptVars
	for _, text := range []string{"x", "=1", "a b=1", "1=2"} {
		if v.Set(text) == nil {
			t.Errorf("--set %s is taken", text)
		}
	}
}

func TestExpectations(t *testing.T) {
	t.Parallel()
	number := seen{asdu.Header{Type: asdu.M_ME_TF_1, Cause: asdu.Spontaneous, CA: 1}, asdu.Object{IOA: 5, Value: 0x41bc0000}} // 23.5
	doubtful := number
	doubtful.object.Quality = asdu.IV | asdu.NT
	double := seen{asdu.Header{Type: asdu.M_DP_NA_1, Cause: asdu.InterrogatedGeneral, CA: 1}, asdu.Object{IOA: 6, Value: 2}}
	single := seen{asdu.Header{Type: asdu.M_SP_NA_1, Cause: asdu.InterrogatedGeneral, CA: 1}, asdu.Object{IOA: 7, Value: 1}}
	for _, tt := range []struct {
		words string
		of    seen
		want  bool
	}{
		{"--ca 1 --ioa 5", number, true},
		{"--ca 2 --ioa 5", number, false},
		{"--ca 1 --ioa 6", number, false},
		{"--ca 1 --ioa 5 --value 23.5", number, true},
		{"--ca 1 --ioa 5 --value 23.50000001", number, true},
		{"--ca 1 --ioa 5 --value 23.6", number, false},
		{"--ca 1 --ioa 5 --value 23..24", number, true},
		{"--ca 1 --ioa 5 --value -1..23", number, false},
		{"--ca 1 --ioa 5 --value on", number, false},
		{"--ca 1 --ioa 5 --type 36 --cause spontaneous --quality good", number, true},
		{"--ca 1 --ioa 5 --type M_ME_NC_1", number, false},
		{"--ca 1 --ioa 5 --cause periodic", number, false},
		{"--ca 1 --ioa 5 --quality good", doubtful, false},
		{"--ca 1 --ioa 5 --quality not-topical,invalid", doubtful, true},
		{"--ca 1 --ioa 5 --quality invalid", doubtful, false},
		{"--ca 1 --ioa 6 --value on", double, true},
		{"--ca 1 --ioa 6 --value off", double, false},
		{"--ca 1 --ioa 6 --value 1..2", double, false},
		{"--ca 1 --ioa 7 --value on --cause interrogated-general", single, true},
	} {
		e, err := parseExpect(strings.Fields(tt.words), time.Second)
		if err != nil {
			t.Errorf("%s: %v", tt.words, err)
			continue
		}
		if got := e.met(&tt.of); got != tt.want {
			t.Errorf("expect %s of %v: %v, want %v", tt.words, &tt.of, got, tt.want)
		}
	}
}

func TestScriptsRun(t *testing.T) {
	t.Parallel()
	const on = "--ca 225 --type C_SC_NA_1 --value on"
	for _, tt := range []struct {
		name, script string
		code         int
		out, err     string // parts of what is printed
		got          string // what the station was told
	}{
		{"done", "command --ioa 1 " + on + "\nsleep 1ms\ntest --ca 225", exitOK, "activation-term", "script.txt: 3 steps done",
			"C_SC_NA_1 225/1 value 0x1 qualifier 0 select false"},
		{"select, execute and cancel", "select --ioa 2 " + on + "\nexecute --ioa 2 " + on + " --qu 3\n", exitOK, "activation-con", "2 steps done",
			"C_SC_NA_1 225/2 value 0x1 qualifier 0 select true;C_SC_NA_1 225/2 value 0x1 qualifier 3 select false"},
		{"stops at what is refused", "command --ioa 1 " + on + "\n# next\ncommand --ioa 100 " + on + "\ncommand --ioa 3 " + on, exitNegative, "",
			"script.txt:3: negative answer: iec104: C_SC_NA_1 refused by common address 225, object 100",
			"C_SC_NA_1 225/1 value 0x1 qualifier 0 select false;C_SC_NA_1 225/100 value 0x1 qualifier 0 select false"},
		{"stops at what does not come", "expect --ca 225 --ioa 5 --value on --timeout 10ms\ncommand --ioa 3 " + on, exitTimeout, "",
			"script.txt:1: expect 225/5 value on: not met in 10ms, nothing of this address has come", ""},
		{"a request that takes too long", "command --ioa 250 " + on + " --timeout 50ms", exitTimeout, "", "script.txt:1: ", "C_SC_NA_1 225/250 value 0x1 qualifier 0 select false"},
		{"a fault sends nothing", "command --ioa 1 " + on + "\njump", exitLocal, "", "script.txt:2: request \"jump\"", ""},
		{"stopped and started", "stopdt\nstartdt\ncommand --ioa 1 " + on, exitOK, "", "data transfer stopped", "C_SC_NA_1 225/1 value 0x1 qualifier 0 select false"},
		{"not started", "stopdt\ncommand --ioa 1 " + on, exitLocal, "", "script.txt:2: iec104: data transfer not started", ""},
		{"what has come is expected", "command --ioa 1 " + on + "\nexpect --ca 225 --ioa 1 --cause activation-term\nexpect --ca 225 --ioa 1 --cause activation-con", exitOK, "", "3 steps done",
			"C_SC_NA_1 225/1 value 0x1 qualifier 0 select false"},
		{"what came before the last request is not", "command --ioa 1 " + on + "\ntest --ca 225\nexpect --ca 225 --ioa 1 --timeout 1ms", exitTimeout, "", "script.txt:3: expect 225/1: not met",
			"C_SC_NA_1 225/1 value 0x1 qualifier 0 select false"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			station := commanded{iec104.NewQueue(10), make(chan string, 10)}
			file := filepath.Join(t.TempDir(), "script.txt")
			if err := os.WriteFile(file, []byte(tt.script), 0o600); err != nil {
				t.Fatal(err)
			}
			var out, errs bytes.Buffer
			if code := masterCommand(t.Context(), []string{serve(t, station), "script", file}, IO{Out: &out, Err: &errs}); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			if !strings.Contains(out.String(), tt.out) || !strings.Contains(errs.String(), tt.err) {
				t.Errorf("printed\n%s%swant %q and %q", &out, &errs, tt.out, tt.err)
			}
			close(station.got)
			var got []string
			for c := range station.got {
				got = append(got, c)
			}
			if joined := strings.Join(got, ";"); joined != tt.got {
				t.Errorf("station was told %q, want %q", joined, tt.got)
			}
		})
	}
}

func TestScriptFromStandardInput(t *testing.T) {
	t.Parallel()
	station := commanded{iec104.NewQueue(10), make(chan string, 10)}
	var out, errs bytes.Buffer
	in := strings.NewReader("read --ca $ca --ioa 9")
	code := masterCommand(t.Context(), []string{serve(t, station), "script", "-", "--set", "ca=225"}, IO{In: in, Out: &out, Err: &errs})
	if want := "busbar master: -:1: negative answer: iec104: C_RD_NA_1 refused"; code != exitNegative || !strings.HasPrefix(errs.String(), want) {
		t.Errorf("exit code %d, %q, want %q", code, errs.String(), want)
	}
}

func TestInteractive(t *testing.T) {
	t.Parallel()
	station := commanded{iec104.NewQueue(10), make(chan string, 10)}
	in := strings.NewReader("help\n\njump\ncommand --ca 225 --ioa 1 --type C_SC_NA_1 --value on\ncommand --ca 225 --ioa 100 --type C_SC_NA_1 --value on\nsleep 1ms\nquit\njump\n")
	var out, errs bytes.Buffer
	code := masterCommand(t.Context(), []string{serve(t, station), "interactive"}, IO{In: in, Out: &out, Err: &errs})
	if code != exitOK || strings.Count(errs.String(), "request \"jump\"") != 1 || strings.Contains(errs.String(), "> ") {
		t.Errorf("exit code %d, errors\n%s", code, &errs)
	}
	for _, want := range []string{"  parameter   load a parameter", "executed and terminated", "busbar master: negative answer: iec104: C_SC_NA_1 refused"} {
		if !strings.Contains(errs.String(), want) {
			t.Errorf("errors\n%swant %q", &errs, want)
		}
	}
	if n := strings.Count(out.String(), "C_SC_NA_1"); n != 3 {
		t.Errorf("%d answers, want 3:\n%s", n, &out)
	}
}

func TestInteractivePrintsWhatComesMeanwhile(t *testing.T) {
	t.Parallel()
	station := commanded{iec104.NewQueue(10), make(chan string, 10)}
	addr := serve(t, station)
	station.Put(&iec104.Event{CA: 225, Type: asdu.M_SP_NA_1, Cause: asdu.Spontaneous, Object: asdu.Object{IOA: 77, Value: 1}})
	in := strings.NewReader("expect --ca 225 --ioa 77 --value on\n")
	var out, errs bytes.Buffer
	if code := masterCommand(t.Context(), []string{addr, "interactive", "--json"}, IO{In: in, Out: &out, Err: &errs}); code != exitOK || errs.Len() > 0 {
		t.Errorf("exit code %d, errors %s", code, &errs)
	}
	if n := strings.Count(out.String(), fmt.Sprintf(`"ioa":%d`, 77)); n != 2 {
		t.Errorf("printed %d times, want when it came and when it was expected:\n%s", n, &out)
	}
}
