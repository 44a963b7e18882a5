package iec104server

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/point"
)

// TestRefusalsOfTheServerAreRecorded has orders that are never passed to the host, and one
// that the host refuses and records itself.
func TestRefusalsOfTheServerAreRecorded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newFakeHost(commandEnds()...)
		h.refuses = true
		r := newCommandRig(t, h, func(s *Settings) { s.LateCommands = "discard" })
		defer r.end()
		r.open("a")
		for _, s := range []string{
			"a> 2e0106030100 891300 02",                // execute without select
			"a> 2d0106030100 891300 01",                // another type
			"a> 2d0106030100 881300 7d",                // QU 31
			"a> 2e0108030100 891300 02",                // deactivation of nothing
			"a> 2e0106030100 891300 82",                // select, which the host refuses and records
			"a> 3a0106030100 921300 01 00000000010120", // of 2032
			"a> 3a0106030100 921300 81 00000000010120", // likewise, a select
		} {
			r.step(s)
			synctest.Wait()
		}
		want := []string{
			"dc on q0 from invalid IP oa3 select false answered true skipped 0: not selected",
			" - q0 from invalid IP oa3 select false answered true skipped 0: no such object of this type: C_SC_NA_1 at ca 1 ioa 5001",
			"sc - q31 from invalid IP oa3 select false answered true skipped 0: qualifier is not accepted",
			"st - q0 from invalid IP oa3 select false answered false skipped 0: discarded: time tag is 280512h0m0s ahead",
			"st - q0 from invalid IP oa3 select true answered false skipped 0: discarded: time tag is 280512h0m0s ahead",
		}
		if diff := cmp.Diff(want, h.refused); diff != "" {
			t.Errorf("recorded (-want +got):\n%s", diff)
		}
	})
}

func TestRecordsOfRefusalsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newFakeHost(commandEnds()...)
		r := newCommandRig(t, h)
		defer r.end()
		r.open("a")
		refuse := func(times int) {
			for range times {
				r.step("a> 2e0106030100 891300 02")
				synctest.Wait()
			}
		}
		refuse(150)
		if n := len(h.refused); n != refusalBurst {
			t.Errorf("%d refusals of 150 are recorded, want %d", n, refusalBurst)
		}
		time.Sleep(recordEvery + time.Second)
		refuse(2)
		if n := len(h.refused); n != refusalBurst+1 || !strings.Contains(h.refused[n-1], "skipped 50:") {
			t.Errorf("%d refusals are recorded, the last one as %q, want %d and that 50 were not", n, h.refused[n-1], refusalBurst+1)
		}
	})
}

// TestExecuteAfterAChangeOfThePlantIsNoDirectCommand selects a command that takes direct ones
// too, and is another one when the execute comes.
func TestExecuteAfterAChangeOfThePlantIsNoDirectCommand(t *testing.T) {
	t.Parallel()
	const sel, execute, refused, taken = "2d0106030100 881300 81", "2d0106030100 881300 01", "a< 2d0147030100 881300 01", "a< 2d0107030100 881300 01"
	other := func(id string, as asdu.TypeID) connector.CommandEnd {
		return commandEnd(id, 5000, as, point.Single, "both")
	}
	for _, tt := range []struct {
		name   string
		now    connector.CommandEnd
		wait   time.Duration
		answer string
	}{
		{"the same", other("sc", asdu.C_SC_NA_1), 0, taken},
		{"another command", other("new", asdu.C_SC_NA_1), 0, refused},
		{"another command, long after", other("new", asdu.C_SC_NA_1), time.Minute, taken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := newFakeHost(commandEnds()...)
				r := newCommandRig(t, h)
				defer r.end()
				r.open("a")
				r.step("a> " + sel)
				r.step("a< 2d0107030100 881300 81")
				h.set(tt.now)
				synctest.Wait()
				time.Sleep(tt.wait)
				r.step("a> " + execute)
				r.step(tt.answer)
				if tt.answer == refused { // and now it is a direct one
					r.step("a> " + execute)
					r.step(taken)
				}
			})
		})
	}
}
