package iec104server

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/point"
)

// strictHost takes a while for each order and notes what must not be.
type strictHost struct {
	*fakeHost
	running  [3]atomic.Int32
	issued   atomic.Int32
	together atomic.Int32 // orders of a command that overlapped
}

func (h *strictHost) Issue(o point.Order, report func(point.Result)) {
	n := &h.running[o.Command[0]-'0']
	if n.Add(1) > 1 {
		h.together.Add(1)
	}
	h.issued.Add(1)
	go func() {
		time.Sleep(time.Duration(rand.IntN(50)) * time.Millisecond)
		n.Add(-1)
		report(point.Result{Stage: point.Confirmed, Positive: true})
		report(point.Result{Stage: point.Terminated, Positive: true})
	}()
}

// TestManyStationsCommandAtOnce: however stations select, execute, disconnect and the plant changes, every command is
// answered, and no object has two orders to be confirmed at a time.
func TestManyStationsCommandAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ends := []connector.CommandEnd{
			commandEnd("0", 10, asdu.C_SC_NA_1, point.Single, "both"),
			commandEnd("1", 11, asdu.C_SC_NA_1, point.Single, "both"),
			commandEnd("2", 12, asdu.C_SC_NA_1, point.Single, "select"),
		}
		h := &strictHost{fakeHost: newFakeHost(ends...)}
		r := newCommandRigWith(t, h, h.fakeHost)
		var all sync.WaitGroup
		var done, refused, unknown atomic.Int32
		for range 6 {
			all.Go(func() {
				m := r.master(t)
				defer func() { m.close(t) }()
				for range 150 {
					op := iec104.Operation{
						CA: 1, IOA: 10 + rand.Uint32N(3), Type: asdu.C_SC_NA_1, Value: rand.Uint32N(2), Select: rand.IntN(2) == 0,
					}
					err := m.Command(t.Context(), op)
					var negative *iec104.NegativeError
					switch {
					case err == nil:
						done.Add(1)
					case errors.As(err, &negative) && negative.Cause == asdu.ActivationCon:
						refused.Add(1)
					case errors.As(err, &negative):
						unknown.Add(1)
					default:
						t.Errorf("command: %v", err)
					}
					time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
					if rand.IntN(20) == 0 {
						m.close(t)
						m = r.master(t)
					}
				}
			})
		}
		all.Go(func() {
			for range 20 {
				time.Sleep(100 * time.Millisecond)
				h.set(ends[:1+rand.IntN(3)]...)
			}
			h.set(ends...)
		})
		all.Wait()
		synctest.Wait()
		if n := h.together.Load(); n > 0 {
			t.Errorf("%d orders were issued while another of the object was not confirmed", n)
		}
		if done.Load() == 0 || refused.Load() == 0 || unknown.Load() == 0 || h.issued.Load() != done.Load() {
			t.Errorf("%d done, %d refused, %d unknown, %d issued: want some of each, and all issued done", done.Load(), refused.Load(), unknown.Load(), h.issued.Load())
		}
		for id, n := range h.held {
			if n != 0 {
				t.Errorf("command %s is still selected by %d", id, n)
			}
		}
		r.end()
	})
}

// TestOrdersWithoutTerminationAreForgotten: a feedback point that never changes keeps no trace of them.
func TestOrdersWithoutTerminationAreForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newFakeHost(commandEnds()...)
		r := newCommandRig(t, h)
		defer r.end()
		r.open("a")
		r.step("host confirm")
		for range 10 {
			r.step("a> 2e 01 06 05 01 00 c8 00 00 02")
			r.step("a< 2e 01 07 05 01 00 c8 00 00 02")
			r.step("wait 31s")
		}
		d := r.server.station.desk
		d.mu.Lock()
		defer d.mu.Unlock()
		if n := len(d.runs[1]); n != 1 || d.awaited.Load() != 1 {
			t.Errorf("%d orders are remembered (%d awaited), want the last one", n, d.awaited.Load())
		}
	})
}
