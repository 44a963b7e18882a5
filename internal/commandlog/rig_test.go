package commandlog

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"busbar/internal/connector"
	"busbar/internal/point"
)

// logText is what was logged, without times.
type logText struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logText) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

// opened is a log on a directory of memory, with what it told when it was opened.
type opened struct {
	*Log
	t       *testing.T
	fs      *memFS
	records []connector.CommandRecord
	text    *logText
}

func open(t *testing.T, fs *memFS, o Options) *opened {
	t.Helper()
	text := &logText{}
	l, records, err := Open(fs, text.logger(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, fault := range fs.faults {
			t.Error(fault)
		}
		if t.Failed() {
			t.Logf("log:\n%s", text)
		}
	})
	return &opened{Log: l, t: t, fs: fs, records: records, text: text}
}

// close closes the log, which must succeed.
func (o *opened) close() {
	o.t.Helper()
	if err := o.Close(); err != nil {
		o.t.Errorf("Close = %v", err)
	}
}

// record records, which must succeed.
func (o *opened) record(records ...connector.CommandRecord) {
	o.t.Helper()
	for _, r := range records {
		if err := o.Record(r); err != nil {
			o.t.Fatalf("Record(%s) = %v", r.Order.ID, err)
		}
	}
}

func (o *opened) wantLog(parts ...string) {
	o.t.Helper()
	for line := range strings.Lines(o.text.String()) {
		if !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(line, p) }) {
			return
		}
	}
	o.t.Errorf("no line with %q in the log:\n%s", parts, o.text)
}

// wantRecords compares what the log was opened with, each as id and outcome.
func (o *opened) wantRecords(want ...string) {
	o.t.Helper()
	got := make([]string, len(o.records))
	for i, r := range o.records {
		got[i] = r.Order.ID + " " + outcome(&r)
	}
	if !slices.Equal(got, want) {
		o.t.Errorf("records\n%q\nwant\n%q", got, want)
	}
}

func outcome(r *connector.CommandRecord) string {
	result := r.Confirmation
	if r.Termination.Stage != 0 {
		result = r.Termination
	}
	text := map[point.Stage]string{0: "received", point.Confirmed: "con", point.Terminated: "term"}[result.Stage]
	if result.Stage != 0 {
		text += map[bool]string{true: "+", false: "-"}[result.Positive]
	}
	if r.Unknown {
		text += " unknown"
	}
	return text
}

// confirmedAs is the record of an order when it is confirmed.
func confirmedAs(r connector.CommandRecord, positive bool) connector.CommandRecord {
	r.Confirmed = r.Received + point.Instant(time.Second)
	r.Confirmation = point.Result{Stage: point.Confirmed, Positive: positive}
	if !positive {
		r.Confirmation.Reason = "refused"
	}
	return r
}

// terminatedAs is the record of an order when it is terminated.
func terminatedAs(r connector.CommandRecord, positive bool) connector.CommandRecord {
	r = confirmedAs(r, true)
	r.Terminated = r.Confirmed + point.Instant(time.Second)
	r.Termination = point.Result{Stage: point.Terminated, Positive: positive}
	return r
}

// selection is the record of a selection.
func selection(id string) connector.CommandRecord {
	r := confirmedAs(switching(id), true)
	r.Select, r.Terminates = true, false
	return r
}
