package commandlog

import (
	"fmt"
	"strings"
	"testing"
)

func TestOldFilesGiveWay(t *testing.T) {
	t.Parallel()
	fs := newMemFS()
	o := open(t, fs, Options{Segment: 4000, Limit: 20000})
	o.record(switching("under way"))
	for i := range 500 {
		r := switching(fmt.Sprint(i))
		o.record(r, terminatedAs(r, true))
		if s := o.Status(); s.Octets > 21000 || s.Files > 6 {
			t.Fatalf("%d octets in %d files, want 20000 in 5", s.Octets, s.Files)
		}
	}
	o.close()
	if n := len(fs.names); n < 4 || n > 6 {
		t.Errorf("%d files, want 5", n)
	}
	if n := strings.Count(fs.text(), `"id":"under way"`); n < 1 || n > 2 {
		t.Errorf("the order under way has %d lines, want one, or two as it is copied", n)
	}
	for name, n := range fs.names {
		if len(n.data) > 4000 {
			t.Errorf("%s has %d octets, want 4000 at most", name, len(n.data))
		}
	}
	after := open(t, fs.crash(), Options{})
	after.close()
	after.wantLog("command outcome unknown after a restart", `order="under way"`)
	if newest := after.records[len(after.records)-1]; newest.Order.ID != "499" || outcome(&newest) != "term+" {
		t.Errorf("the newest order is %s %s, want 499", newest.Order.ID, outcome(&newest))
	}
	if n := strings.Count(after.text.String(), "\n"); n != 1 {
		t.Errorf("logged %s, want the order under way only", after.text)
	}
}

// TestOrderUnderWayEndsAsItsFileGoes ends an order with the line that lets the
// file of its first line go.
func TestOrderUnderWayEndsAsItsFileGoes(t *testing.T) {
	t.Parallel()
	for fill := range 60 {
		fs := newMemFS()
		o := open(t, fs, Options{Segment: 1500, Limit: 3000})
		o.record(switching("A"))
		for i := range fill {
			o.record(switching(fmt.Sprint(i)), confirmedAs(switching(fmt.Sprint(i)), false))
		}
		o.record(terminatedAs(switching("A"), true))
		o.close()
		after := open(t, fs.crash(), Options{})
		after.close()
		for _, r := range after.records {
			if r.Unknown {
				t.Fatalf("after %d orders %s is %s, want no outcome unknown", fill, r.Order.ID, outcome(&r))
			}
		}
	}
}

func TestFileThatCannotBeRemoved(t *testing.T) {
	t.Parallel()
	fs := newMemFS()
	o := open(t, fs, Options{Segment: 1500, Limit: 6000})
	fs.setHook(func(_ int, op, name string) error {
		if op == "remove" && name == nameOf(1) {
			return errDisk
		}
		return nil
	})
	for i := range 100 {
		o.record(switching(fmt.Sprint(i)), confirmedAs(switching(fmt.Sprint(i)), false))
	}
	if s := o.Status(); s.Failed != nil || s.Octets > 7500 || fs.names[nameOf(1)] == nil {
		t.Errorf("status %+v, want that the other files go", s)
	}
	o.wantLog("level=WARN", "is not removed", "file=00000001.jsonl")
	fs.setHook(nil)
	for i := range 10 {
		o.record(switching(fmt.Sprint("more-", i)))
	}
	o.close()
	if fs.names[nameOf(1)] != nil {
		t.Error("the file is still there, want that it is tried again")
	}
}

func TestSmallFilesAreBounded(t *testing.T) {
	t.Parallel()
	fs := newMemFS()
	for n := uint64(1); n <= 250; n++ {
		fs.put(nameOf(n), written(fmt.Sprint(n), "confirmed", positive))
	}
	o := open(t, fs, Options{Segment: 100})
	o.record(switching("A"))
	o.close()
	if len(fs.names) != maxFiles {
		t.Errorf("%d files, want %d", len(fs.names), maxFiles)
	}
}
