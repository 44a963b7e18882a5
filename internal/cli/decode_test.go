package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type decodeVector struct {
	ID, Hex string
	APCI    map[string]any
	ASDU    map[string]any
}

func decodeVectors(t *testing.T) []decodeVector {
	t.Helper()
	raw, err := os.ReadFile("../../iec104/asdu/testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []decodeVector
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestDecodeVectors demands that every vector is decoded to what the vector
// says, in one run with one line for each.
func TestDecodeVectors(t *testing.T) {
	t.Parallel()
	all := decodeVectors(t)
	var in strings.Builder
	for _, v := range all {
		fmt.Fprintln(&in, v.Hex)
	}
	var out, errs bytes.Buffer
	if code := Decode(nil, strings.NewReader(in.String()), &out, &errs); code != 0 {
		t.Fatalf("exit code %d: %s", code, &errs)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != len(all) || len(all) != 128 {
		t.Fatalf("%d lines for %d vectors, want 128", len(lines), len(all))
	}
	for i, v := range all {
		var got map[string]any
		if err := json.Unmarshal([]byte(lines[i]), &got); err != nil {
			t.Fatalf("%s: %v: %s", v.ID, err, lines[i])
		}
		want := map[string]any{"apci": v.APCI}
		if v.ASDU != nil {
			want["asdu"] = translateASDU(v.ASDU)
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("%s (-got +want):\n%s", v.ID, diff)
		}
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	const (
		testfr = `{"apci":{"format":"U","function":"TESTFR act"}}` + "\n"
		ack    = `{"apci":{"format":"S","nr":8}}` + "\n"
	)
	gi := `{"apci":{"format":"I","ns":0,"nr":0},"asdu":{"typeId":100,"type":"C_IC_NA_1","sq":false,"count":1,` +
		`"cot":"activation","cotId":6,"negative":false,"test":false,"oa":5,"ca":1,"objects":[{"ca":1,"ioa":0,"type":"C_IC_NA_1",` +
		`"typeId":100,"cot":"activation","cotId":6,"negative":false,"test":false,"oa":5,"qoi":20}]}}` + "\n"
	tests := []struct {
		name, in string
		args     []string
		out      string
		errs     []string // each is a part of one line of errors
		code     int
	}{
		{name: "argument", args: []string{"680443000000"}, out: testfr},
		{name: "arguments", args: []string{"680443000000", "68:04:01:00:10:00"}, out: testfr + ack},
		{name: "arguments of single octets", args: strings.Fields("68 04 43 00 00 00 68 04 01 00 10 00"), out: testfr + ack},
		{name: "behind a double dash", args: []string{"--", "680443000000"}, out: testfr},
		{name: "upper case and spaces", in: "68 0E 00 00 00 00 64 01 06 05 01 00 00 00 00 14\n", out: gi},
		{name: "colons", in: "68:0e:00:00:00:00:64:01:06:05:01:00:00:00:00:14\n", out: gi},
		{name: "several on one line", in: "680443000000 680401001000\n", out: testfr + ack},
		{name: "comments, blank lines, no newline at the end", in: "# link\n\n  \r\n680443000000 # test\n680401001000", out: testfr + ack},
		{name: "nothing", in: ""},
		{name: "goes on after a bad line", in: "680443000000\n690443000000\n680401001000\n", out: testfr + ack, code: 1,
			errs: []string{"line 2: octet 1: apci: no start octet: 69H in its place, want 68H"}},
		{name: "goes on after a bad argument", args: []string{"6804", "680401001000"}, out: ack, code: 1,
			errs: []string{"argument 1: octet 3: the APDU ends after 2 octets, its length octet wants 6"}},
		{name: "start octet of the second APDU", in: "680443000000 00\n", out: testfr, code: 1, errs: []string{"line 1: octet 7: apci: no start octet"}},
		{name: "length", in: "68fe\n", code: 1, errs: []string{"line 1: octet 2: apci: length not in 4 to 253: 254"}},
		{name: "length of U", in: "680543000000\n", code: 1, errs: []string{"line 1: octet 2: apci: length of S or U frame not 4: 5"}},
		{name: "function", in: "680403000000\n", code: 1, errs: []string{"line 1: octet 3: apci: not exactly one function in U frame: 03H, want 07H"}},
		{name: "cut after the start", in: "68\n", code: 1, errs: []string{"line 1: octet 2: the APDU ends after 1 octet, want 6 or more"}},
		{name: "not hexadecimal", in: "6804430000zz\n", code: 1, errs: []string{`line 1: octet 6, character 11: 'z' is not a hexadecimal digit`}},
		{name: "not ASCII", in: "68é\n", code: 1, errs: []string{`line 1: octet 2, character 3: 'é' is not a hexadecimal digit`}},
		{name: "half an octet", in: "68044\n", code: 1, errs: []string{"line 1: octet 3: one hexadecimal digit, want two"}},
		{name: "no ASDU", in: "680400000000\n", code: 1, errs: []string{"line 1: octet 7: asdu: too short: 0 octets, the data unit identifier has 6"}},
		{name: "no objects", in: "680e0000000064000605010000000014\n", code: 1, errs: []string{"line 1: octet 7: asdu: no information object"}},
		{name: "goes on after a bad ASDU", in: "680d00000000640106050100000000 680401001000\n", out: ack, code: 1,
			errs: []string{"line 1: octet 7: asdu: too short: 1 objects of C_IC_NA_1 take 4 octets, 3 are there"}},
		{name: "surplus octets are an error but printed", in: "680f00000000640106050100000000 14ff\n", out: gi, code: 1,
			errs: []string{"line 1: octet 7: asdu: surplus octets: 1 behind 1 objects of C_IC_NA_1"}},
		{name: "line too long", in: strings.Repeat("68", 1<<20) + "\n680443000000\n", out: testfr, code: 1,
			errs: []string{"line 1: longer than 1048576 characters"}},
		{name: "unknown flag", args: []string{"--hex"}, code: 2, errs: []string{"unknown flag --hex"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out, errs bytes.Buffer
			code := Decode(tt.args, strings.NewReader(tt.in), &out, &errs)
			if code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			if diff := cmp.Diff(out.String(), tt.out); diff != "" {
				t.Errorf("output (-got +want):\n%s", diff)
			}
			lines := strings.Split(strings.TrimSpace(errs.String()), "\n")
			for i, want := range tt.errs {
				if i >= len(lines) || !strings.Contains(lines[i], want) {
					t.Errorf("error %q, want %q", lines, want)
				}
			}
			if len(tt.errs) == 0 && errs.Len() > 0 {
				t.Errorf("error %q, want none", &errs)
			}
		})
	}
}

func TestDecodeHelp(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	if code := Decode([]string{"--help"}, nil, &out, &errs); code != 0 || !strings.Contains(out.String(), "Usage: busbar decode") {
		t.Errorf("exit code %d, %q", code, &out)
	}
}

// TestDecodeKeepsUp demands a line of output before the next line of input.
func TestDecodeKeepsUp(t *testing.T) {
	t.Parallel()
	in, feed := io.Pipe()
	result, out := io.Pipe()
	done := make(chan int)
	go func() { done <- Decode(nil, in, out, io.Discard) }()
	for range 3 {
		if _, err := io.WriteString(feed, "680443000000\n"); err != nil {
			t.Fatal(err)
		}
		line := make([]byte, len(`{"apci":{"format":"U","function":"TESTFR act"}}`+"\n"))
		if _, err := io.ReadFull(result, line); err != nil {
			t.Fatal(err)
		}
	}
	if err := feed.Close(); err != nil {
		t.Fatal(err)
	}
	if code := <-done; code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}

func TestDecodeStopsWithItsStreams(t *testing.T) {
	t.Parallel()
	closed, gone := io.Pipe()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	if code := Decode([]string{"680443000000"}, nil, gone, &errs); code != 1 || !strings.Contains(errs.String(), "closed pipe") {
		t.Errorf("output is gone: exit code %d, %q", code, &errs)
	}
	errs.Reset()
	in, feed := io.Pipe()
	feed.CloseWithError(errors.New("disk failed"))
	if code := Decode(nil, in, io.Discard, &errs); code != 1 || !strings.Contains(errs.String(), "disk failed") {
		t.Errorf("input fails: exit code %d, %q", code, &errs)
	}
}

// TestDecodeTakesAFileOfAnEditor has the octets that mark UTF-8 before the first line, and in
// the second, where they mark nothing.
func TestDecodeTakesAFileOfAnEditor(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	code := Decode(nil, strings.NewReader("\ufeff680443000000\r\n\ufeff680443000000\n"), &out, &errs)
	if code != exitFailure || strings.Count(out.String(), "TESTFR") != 1 || !strings.HasPrefix(errs.String(), "busbar decode: line 2: ") {
		t.Errorf("exit code %d, output %q, errors %q, want the first line and no second", code, out.String(), errs.String())
	}
}
