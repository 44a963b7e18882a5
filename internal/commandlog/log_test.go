package commandlog

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"busbar/internal/connector"
)

func TestFirstRecordWaitsForTheDisk(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		record connector.CommandRecord
		waits  bool
	}{
		{"received", switching("A"), true},
		{"refused", confirmedAs(switching("A"), false), false},
		{"confirmed", confirmedAs(switching("A"), true), false},
		{"terminated", terminatedAs(switching("A"), true), false},
		{"selected", selection("A"), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fs := newMemFS()
				fs.syncTime = time.Second
				o := open(t, fs, Options{})
				begin := time.Now()
				o.record(tt.record)
				if waited := time.Since(begin) > 0; waited != tt.waits {
					t.Errorf("waited %v, want that it waits: %t", time.Since(begin), tt.waits)
				}
				if kept := fs.crash().text() != ""; kept != tt.waits {
					t.Errorf("on disk: %t, want %t", kept, tt.waits)
				}
				time.Sleep(time.Second)
				synctest.Wait()
				if text := fs.crash().text(); text == "" || text != fs.text() {
					t.Errorf("on disk a moment later: %q, want the record", text)
				}
				o.close()
			})
		})
	}
}

func TestOrdersShareASync(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fs := newMemFS()
		fs.syncTime = time.Second
		o := open(t, fs, Options{Patience: time.Minute})
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() { o.record(switching(fmt.Sprint("order-", i))) })
			if i == 0 {
				synctest.Wait() // it has a sync of its own
			}
		}
		wg.Wait()
		if fs.syncs != 2 {
			t.Errorf("%d syncs for 100 orders at the same time, want 2", fs.syncs)
		}
		if n := strings.Count(fs.crash().text(), `"stage":"received"`); n != 100 {
			t.Errorf("%d orders on disk, want 100", n)
		}
		if got := o.Status().Records; got != 100 {
			t.Errorf("%d records counted, want 100", got)
		}
		o.close()
	})
}

// TestDiskThatFails makes the disk fail in different ways, and lets it work
// again.
func TestDiskThatFails(t *testing.T) {
	t.Parallel()
	failing := func(ops ...string) func(*memFS) {
		return func(fs *memFS) {
			fs.setHook(func(_ int, op, _ string) error {
				for _, o := range ops {
					if o == op {
						return errDisk
					}
				}
				return nil
			})
		}
	}
	tests := []struct {
		name string
		fail func(*memFS)
	}{
		{"no room", func(fs *memFS) { fs.setRoom(100) }},
		{"write", failing("write")},
		{"sync", failing("sync")},
		{"sync and close", failing("sync", "close")},
		{"sync and remove", failing("sync", "remove")},
		{"sync and create", failing("sync", "create")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fs := newMemFS()
				o := open(t, fs, Options{})
				o.record(switching("before"))
				tt.fail(fs)
				if err := o.Record(switching("refused")); err == nil {
					t.Fatal("Record = nil, want an error")
				}
				o.record(confirmedAs(switching("refused"), false), confirmedAs(switching("before"), true), terminatedAs(switching("before"), true))
				time.Sleep(10 * time.Second)
				if err := o.Record(switching("at once")); err == nil {
					t.Error("Record = nil, want an error at once")
				}
				if s := o.Status(); s.Failed == nil || s.Waiting == 0 || s.Failures < 10 || s.Failures > 12 {
					t.Errorf("status %+v, want that it fails and is tried every second", s)
				}
				o.wantLog("level=WARN", "records of commands are not kept, so that orders are refused", "error=")
				fs.setHook(nil)
				fs.setRoom(-1)
				time.Sleep(time.Second)
				synctest.Wait()
				if s := o.Status(); s.Failed != nil || s.Waiting != 0 {
					t.Errorf("status %+v after the disk works again, want that it does too", s)
				}
				o.wantLog("records of commands are kept again")
				o.record(switching("after"))
				after := open(t, fs.crash(), Options{})
				after.wantRecords("before term+", "refused con-", "after con- unknown")
				after.close()
				o.close()
				if n := strings.Count(o.text.String(), "so that orders are refused"); n != 1 {
					t.Errorf("the failure is logged %d times, want once", n)
				}
			})
		})
	}
}

func TestDiskThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fs := newMemFS()
		o := open(t, fs, Options{})
		fs.syncTime = 10 * time.Second
		begin := time.Now()
		for _, want := range []time.Duration{2 * time.Second, 2 * time.Second} {
			if err := o.Record(switching("slow")); !errors.Is(err, ErrSlow) || time.Since(begin) != want {
				t.Errorf("Record = %v after %v, want ErrSlow after %v", err, time.Since(begin), want)
			}
		}
		o.record(confirmedAs(switching("slow"), false))
		if s := o.Status(); !errors.Is(s.Failed, ErrSlow) {
			t.Errorf("status %+v, want that the disk does not answer", s)
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if s := o.Status(); s.Failed != nil || s.Waiting != 0 {
			t.Errorf("status %+v after the disk has answered, want that it works", s)
		}
		fs.mu.Lock()
		fs.syncTime = time.Second
		fs.mu.Unlock()
		o.record(switching("after"))
		o.close()
		after := open(t, fs, Options{})
		after.wantRecords("slow con-", "after con- unknown")
		after.close()
	})
}

func TestRecordsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fs := newMemFS()
		fs.syncTime = time.Second
		o := open(t, fs, Options{})
		fs.setHook(func(_ int, op, _ string) error {
			if op == "sync" {
				return errDisk
			}
			return nil
		})
		o.record(confirmedAs(switching("A"), true))
		time.Sleep(DefaultRetry / 2) // it is being written
		o.record(terminatedAs(switching("A"), true))
		time.Sleep(DefaultRetry)
		fs.setHook(nil)
		o.close()
		after := open(t, fs.crash(), Options{})
		after.close()
		after.wantRecords("A term+")
	})
}

func TestCloseWritesWhatWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fs := newMemFS()
		o := open(t, fs, Options{})
		fs.setHook(func(int, string, string) error { return errDisk })
		o.record(selection("A"))
		synctest.Wait() // it was tried, and waits for the next try
		fs.setHook(nil)
		o.close()
		if strings.Count(fs.crash().text(), "\n") != 1 {
			t.Error("the record is not on disk")
		}
	})
}

func TestCloseTellsWhatIsLost(t *testing.T) {
	t.Parallel()
	t.Run("disk fails", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			fs := newMemFS()
			o := open(t, fs, Options{})
			fs.setHook(func(_ int, op, _ string) error {
				if op == "sync" {
					return errDisk
				}
				return nil
			})
			o.record(selection("A"), selection("B"))
			if err := o.Close(); !errors.Is(err, errDisk) || !strings.HasPrefix(err.Error(), "2 records of commands are lost: ") {
				t.Errorf("Close = %v, want that 2 records are lost", err)
			}
		})
	})
	t.Run("disk hangs", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			fs := newMemFS()
			fs.syncTime = time.Hour
			o := open(t, fs, Options{})
			o.record(selection("A"))
			begin := time.Now()
			if err := o.Close(); !errors.Is(err, ErrSlow) || time.Since(begin) != DefaultPatience {
				t.Errorf("Close = %v after %v, want ErrSlow after %v", err, time.Since(begin), DefaultPatience)
			}
			<-o.done
		})
	})
}

func TestClosedLogKeepsNothing(t *testing.T) {
	t.Parallel()
	fs := newMemFS()
	o := open(t, fs, Options{})
	o.record(selection("A"))
	o.close()
	o.close()
	for _, r := range []connector.CommandRecord{switching("B"), selection("B")} {
		if err := o.Record(r); !errors.Is(err, ErrClosed) {
			t.Errorf("Record = %v, want ErrClosed", err)
		}
	}
	if text := fs.crash().text(); strings.Count(text, "\n") != 1 {
		t.Errorf("on disk is %q, want one record", text)
	}
}

func TestBacklogIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fs := newMemFS()
		fs.setHook(func(_ int, op, _ string) error {
			if op == "create" {
				return errDisk
			}
			return nil
		})
		o := open(t, fs, Options{})
		kept := 0
		var err error
		for err == nil {
			if err = o.Record(selection(fmt.Sprint("selection-", kept))); err == nil {
				kept++
			}
		}
		if s := o.Status(); !errors.Is(err, ErrBacklog) || s.Waiting > maxQueue || s.Waiting < maxQueue-1000 {
			t.Fatalf("Record = %v with %+v, want ErrBacklog with 1 MiB", err, s)
		}
		fs.setHook(nil)
		time.Sleep(DefaultRetry)
		synctest.Wait()
		o.record(selection("last"))
		o.close()
		if n := strings.Count(fs.crash().text(), "\n"); n != kept+1 {
			t.Errorf("%d records on disk, want %d", n, kept+1)
		}
	})
}

func TestRecordWithoutIDIsRefused(t *testing.T) {
	t.Parallel()
	o := open(t, newMemFS(), Options{})
	if err := o.Record(switching("")); err == nil {
		t.Error("Record = nil, want an error")
	}
	o.close()
}

// TestPowerCutAtAnyMoment lets the power fail at each call to the disk: every
// order that was to be executed is known afterwards, but for those that have
// ended and given way to newer ones.
func TestPowerCutAtAnyMoment(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]Options{
		"one file":       {},
		"many files":     {Segment: 1200, Limit: 1 << 20},
		"files give way": {Segment: 1200, Limit: 3000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o.Retry = time.Millisecond
			cut := 1
			for powerCut(t, cut, o, o.Limit != 3000) {
				cut++
			}
			if cut < 20 {
				t.Errorf("%d cuts, want more", cut)
			}
		})
	}
}

// powerCut reports whether there was anything to cut at a call to the disk.
func powerCut(t *testing.T, cut int, o Options, all bool) bool {
	fs, off := newMemFS(), false
	fs.setHook(func(call int, _, _ string) error {
		if off = off || call >= cut; off {
			return errDisk
		}
		return nil
	})
	executed := map[string]bool{} // whether it has ended
	if l, _, err := Open(fs, (&logText{}).logger(), o); err == nil {
		for i := range 12 {
			r := switching(fmt.Sprint(i))
			if l.Record(r) != nil {
				break
			}
			executed[r.Order.ID] = i%2 > 0
			if i%2 > 0 && l.Record(terminatedAs(r, true)) != nil {
				t.Errorf("cut %d: the end of order %d is refused", cut, i)
			}
		}
		if err := l.Close(); err != nil && !errors.Is(err, errDisk) {
			t.Errorf("cut %d: Close = %v", cut, err)
		}
	}
	after, records, err := Open(fs.crash(), (&logText{}).logger(), o)
	if err != nil {
		t.Fatalf("cut %d: %v", cut, err)
	}
	if err := after.Close(); err != nil {
		t.Errorf("cut %d: Close = %v", cut, err)
	}
	found := map[string]string{}
	for _, r := range records {
		found[r.Order.ID] = outcome(&r)
	}
	for id, ended := range executed {
		switch got := found[id]; {
		case got == "con- unknown", got == "term+" && ended:
		case got == "" && ended && !all:
		default:
			t.Errorf("cut %d: order %s is %q; all: %v", cut, id, got, found)
		}
	}
	return off
}
