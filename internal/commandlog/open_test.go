package commandlog

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/connector"
	"busbar/internal/point"
)

// written is a line with an id, a stage and what else is given.
func written(id, stage string, more ...string) string {
	return `{"time":"2026-03-04T04:06:09Z","id":"` + id + `","stage":"` + stage + `","command":"c","qualifier":0` +
		`,"requester":{"connector":"scada","peer":"p","originator":0},"executor":"device"` + strings.Join(more, "") + "}\n"
}

const (
	positive   = `,"positive":true`
	negatively = `,"positive":false,"reason":"no"`
	terminates = `,"terminates":true`
)

func TestOrdersUnderWayAreEnded(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, lines string
		want        string // outcome
		ended       bool   // by the restart
	}{
		{"received", written("A", "received"), "con- unknown", true},
		{"received, terminates", written("A", "received", terminates), "con- unknown", true},
		{"confirmed", written("A", "received") + written("A", "confirmed", positive), "con+", false},
		{"confirmed, terminates", written("A", "received", terminates) + written("A", "confirmed", positive, terminates), "term- unknown", true},
		{"refused, terminates", written("A", "received", terminates) + written("A", "confirmed", negatively, terminates), "con-", false},
		{"no answer", written("A", "received") + written("A", "confirmed", negatively, `,"unknown":true`), "con- unknown", false},
		{"terminated", written("A", "received", terminates) + written("A", "terminated", positive, terminates), "term+", false},
		{"refused at once", written("A", "confirmed", negatively), "con-", false},
		{"selected", written("A", "confirmed", positive, terminates, `,"select":true`), "con+", false},
		{"received twice, as after a failed sync", written("A", "received") + written("A", "received") + written("A", "confirmed", positive), "con+", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			fs := newMemFS().put(nameOf(1), tt.lines)
			o := open(t, fs, Options{})
			o.close()
			o.wantRecords("A " + tt.want)
			if n := o.Status().Waiting; n != 0 {
				t.Errorf("%d octets wait after the end, want none", n)
			}
			if !tt.ended {
				if fs.text() != tt.lines || o.text.String() != "" {
					t.Errorf("wrote %q and logged %q, want nothing", fs.text()[len(tt.lines):], o.text)
				}
				return
			}
			o.wantLog("level=WARN", `"command outcome unknown after a restart"`, "order=A", "command=c", "requester=scada", "peer=p", "executor=device")
			rest, found := strings.CutPrefix(fs.crash().text(), tt.lines)
			r, err := decode([]byte(rest))
			if !found || err != nil || cmp.Diff(o.records[0], r, exact) != "" {
				t.Errorf("wrote %q (%v), want the end of the order", rest, err)
			}
			again := open(t, fs.crash(), Options{})
			again.close()
			again.wantRecords("A " + tt.want)
			if again.text.String() != "" {
				t.Errorf("opened once more it logs %s", again.text)
			}
		})
	}
}

func TestEndOfAnOrderUnderWay(t *testing.T) {
	t.Parallel()
	o := open(t, newMemFS().put(nameOf(1), written("A", "received", `,"type":"int","value":7,"received":"2026-03-04T04:06:08Z"`)), Options{})
	o.close()
	want := connector.CommandRecord{
		Order:    point.Order{ID: "A", Command: "c", Value: point.IntValue(7), Requester: point.Requester{Connector: "scada", Peer: "p"}},
		Executor: "device", Received: at("04:06:08"), Unknown: true,
		Confirmation: point.Result{Stage: point.Confirmed, Reason: "busbar ended before the order did, outcome unknown"},
	}
	if diff := cmp.Diff([]connector.CommandRecord{want}, o.records, exact); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

// TestTornLastLine cuts a file at every octet of its last line.
func TestTornLastLine(t *testing.T) {
	t.Parallel()
	first, last := written("A", "confirmed", positive), written("B", "confirmed", positive, `,"failure":"ä"`)
	for n := range len(last) {
		for _, tail := range []string{last[:n], last[:n] + "\x00\x00"} {
			if tail == "" {
				continue
			}
			fs := newMemFS().put(nameOf(1), first+tail)
			o := open(t, fs, Options{})
			o.wantRecords("A con+")
			o.wantLog("torn off", "file=00000001.jsonl", "line=2", fmt.Sprintf("octets=%d\n", len(tail)))
			o.record(switching("C"))
			o.close()
			after := open(t, fs.crash(), Options{})
			after.close()
			after.wantRecords("A con+", "C con- unknown")
			if strings.Contains(after.text.String(), "left out") || len(fs.names) != 1 {
				t.Errorf("%d octets of the last line: in %d files, then logged %s", n, len(fs.names), after.text)
			}
			if t.Failed() {
				return
			}
		}
	}
}

func TestBadLinesAreLeftOut(t *testing.T) {
	t.Parallel()
	for name, bad := range badLines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fs := newMemFS().put(nameOf(1), written("A", "confirmed", positive)+bad+"\n"+written("B", "confirmed", positive)).
				put(nameOf(2), bad+"\n"+written("C", "confirmed", positive))
			o := open(t, fs, Options{})
			o.close()
			o.wantRecords("A con+", "B con+", "C con+")
			o.wantLog("level=WARN", "line of the command log is left out", "file=00000001.jsonl", "line=2", "error=")
			o.wantLog("level=WARN", "line of the command log is left out", "file=00000002.jsonl", "line=1", "error=")
		})
	}
}

func TestLinesThatAreTooLong(t *testing.T) {
	t.Parallel()
	pad := func(octets int) string {
		return written("B", "confirmed", positive, `,"pad":"`, strings.Repeat("x", octets-len(written("B", "confirmed", positive))-len(`,"pad":""`)), `"`)
	}
	for octets, want := range map[int][]string{
		maxLine:     {"A con+", "B con+", "C con+"},
		maxLine + 1: {"A con+", "C con+"},
		3 * maxLine: {"A con+", "C con+"},
	} {
		o := open(t, newMemFS().put(nameOf(1), written("A", "confirmed", positive)+pad(octets)+written("C", "confirmed", positive)), Options{})
		o.close()
		o.wantRecords(want...)
	}
}

func TestManyBadLinesAreCounted(t *testing.T) {
	t.Parallel()
	o := open(t, newMemFS().put(nameOf(1), strings.Repeat("x\n", 25)+written("A", "confirmed", positive)), Options{})
	o.close()
	o.wantRecords("A con+")
	if n := strings.Count(o.text.String(), "line of the command log"); n != maxReports {
		t.Errorf("%d lines are logged, want %d", n, maxReports)
	}
	o.wantLog("further lines of the command log are left out", "lines=15")
}

func TestFilesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"open", "append", "truncate"} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			const torn = `{"id`
			fs := newMemFS().put(nameOf(1), written("A", "confirmed", positive)).put(nameOf(2), written("B", "confirmed", positive)+torn)
			fs.setHook(func(_ int, did, name string) error {
				if did == op && name == nameOf(2) {
					return errDisk
				}
				return nil
			})
			o := open(t, fs, Options{})
			o.record(switching("C"))
			o.close()
			o.wantLog("level=WARN", "file=00000002.jsonl", "error=")
			fs.setHook(nil)
			after := open(t, fs.crash(), Options{})
			after.close()
			after.wantRecords("A con+", "B con+", "C con- unknown")
			if got := string(fs.names[nameOf(2)].data); !strings.HasSuffix(got, torn) || len(fs.names) != 3 {
				t.Errorf("the file that failed is %q of %d, want it as it was, and a third", got, len(fs.names))
			}
		})
	}
}

func TestDirectoryThatCannotBeRead(t *testing.T) {
	t.Parallel()
	fs := newMemFS()
	fs.setHook(func(int, string, string) error { return errDisk })
	if _, _, err := Open(fs, (&logText{}).logger(), Options{}); err == nil {
		t.Error("Open = nil, want an error")
	}
}

func TestOtherFilesAreLeftAlone(t *testing.T) {
	t.Parallel()
	fs := newMemFS()
	for _, name := range []string{"notes.txt", "1.jsonl", "00000001.jsonl.gz", "-0000001.jsonl", "99999999999999999999.jsonl"} {
		fs.put(name, "x\n")
	}
	o := open(t, fs, Options{})
	o.record(selection("A"))
	o.close()
	if len(fs.names) != 6 || o.text.String() != "" {
		t.Errorf("%d files, logged %s", len(fs.names), o.text)
	}
}

// TestNewestOrdersAreRestored has more orders than a manager keeps, and one
// that is older and still under way.
func TestNewestOrdersAreRestored(t *testing.T) {
	t.Parallel()
	var lines strings.Builder
	lines.WriteString(written("first", "confirmed", positive) + written("open", "received"))
	const orders = 3*connector.RecordLength + 7
	for i := range orders {
		lines.WriteString(written(fmt.Sprint(i), "received"))
		lines.WriteString(written(fmt.Sprint(i), "confirmed", positive))
	}
	o := open(t, newMemFS().put(nameOf(1), lines.String()), Options{})
	o.close()
	if len(o.records) != connector.RecordLength {
		t.Fatalf("%d records, want %d", len(o.records), connector.RecordLength)
	}
	for i, r := range o.records {
		want := fmt.Sprintf("%d con+", orders-connector.RecordLength+i)
		if i == 0 {
			want = "open con- unknown"
		}
		if got := r.Order.ID + " " + outcome(&r); got != want {
			t.Fatalf("record %d is %s, want %s", i, got, want)
		}
	}
}

func TestFilesOnDisk(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "commands")
	for i := range 3 {
		disk, err := NewDisk(path)
		if err != nil {
			t.Fatal(err)
		}
		l, records, err := Open(disk, (&logText{}).logger(), Options{})
		if err != nil || len(records) != i {
			t.Fatalf("Open = %d records, %v, want %d", len(records), err, i)
		}
		if err := l.Record(switching(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		torn, err := os.OpenFile(filepath.Join(path, nameOf(1)), os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := torn.WriteString(`{"half":`); err != nil {
			t.Fatal(err)
		}
		if err := torn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for name, mode := range map[string]os.FileMode{"": 0o700 | os.ModeDir, nameOf(1): 0o600} {
		if info, err := os.Stat(filepath.Join(path, name)); err != nil || info.Mode() != mode {
			t.Errorf("%q has mode %v, %v, want %v", name, info.Mode(), err, mode)
		}
	}
	if _, err := NewDisk(filepath.Join(path, "a", "b")); err == nil {
		t.Error("NewDisk without a parent = nil, want an error")
	}
}
