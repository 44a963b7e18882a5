package iec104client

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"busbar/iec104/asdu"
)

func TestAnInterrogationWithoutEndHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	play(t, nil, []*Source{end(1, 1, 0), end(2, 1, 0)}, func(r *rig) {
		s := r.connect()
		s.expectASDU("64 01 06 00 01 00 00 00 00 14")
		s.tell("64 01 07 00 01 00 00 00 00 14")
		r.host.said()
		for range int(longestRequest / (5 * time.Second)) {
			s.tell(gi(1, 1))
			r.wait(5 * time.Second)
		}
		s.tell(gi(1, 1))
		same(t, "state", r.host.said(), []string{"degraded: interrogation of common address 1: the answer was not completed"})
		same(t, "missing", r.host.missed(), nil)
		r.answerGI(2)
	})
}

func TestEventsThatHaveWaitedSayNothingOfTheClock(t *testing.T) {
	t.Parallel()
	play(t, nil, points(1), func(r *rig) {
		s := r.connect()
		past := uint64(asdu.TimeOf(time.Now().Add(-time.Hour), nil))
		for i := range 10 {
			event := fmt.Sprintf("1e 01 03 00 01 00 01 00 00 %02x", i&1)
			for n := range 7 {
				event += fmt.Sprintf(" %02x", byte((past+uint64(i))>>(8*n)))
			}
			s.tell(event)
		}
		r.answerGI(1)
		r.wait(lookEvery)
		same(t, "state", strings.Join(r.host.said(), ", "), "connecting, up, back")
	})
}

// refused is a double point where points are single.
func refused(ioa int) string {
	return fmt.Sprintf("03 01 03 00 01 00 %02x %02x 00 01", ioa&255, ioa>>8)
}

func TestObjectsOfAnotherTypeAreToldAfterTheNextConnectionToo(t *testing.T) {
	t.Parallel()
	play(t, nil, []*Source{end(1, 1, asdu.M_SP_TB_1)}, func(r *rig) {
		const text = "degraded: ca 1 ioa 1 is M_DP_NA_1, its points are for single"
		for range 2 {
			s := r.connect()
			r.answerGI(1)
			r.host.said()
			s.tell(refused(1), refused(1))
			same(t, "state", r.host.said(), []string{text})
			s.far.Close()
			r.host.said()
		}
	})
}

func TestPointsThatAreCorrectedAreRefusedNoMore(t *testing.T) {
	t.Parallel()
	play(t, nil, []*Source{end(1, 1, asdu.M_SP_TB_1)}, func(r *rig) {
		s := r.connect()
		r.answerGI(1)
		s.tell(refused(1))
		r.host.said()
		r.host.change(end(1, 1, asdu.M_DP_TB_1))
		same(t, "state", r.host.said(), []string{"up"})
		s.tell(refused(1))
		same(t, "state", r.host.said(), nil)
		r.host.change(end(1, 1, asdu.M_SP_TB_1))
		s.tell(refused(1))
		same(t, "state", r.host.said(), []string{"degraded: ca 1 ioa 1 is M_DP_NA_1, its points are for single"})
	})
}

func TestAStationOfOtherTypesDoesNotFloodTheLog(t *testing.T) {
	t.Parallel()
	const n = 400
	var ends []*Source
	for i := range n {
		ends = append(ends, end(1, i+1, asdu.M_SP_TB_1))
	}
	play(t, nil, ends, func(r *rig) {
		s := r.connect()
		r.answerGI(1)
		r.host.said()
		for i := range n {
			s.tell(refused(i + 1))
		}
		same(t, "states", len(r.host.said()), maxNamed)
		same(t, "lines", strings.Count(r.log.String(), "object refused"), maxNamed)
		same(t, "refused", r.figures.refused.Load(), n)
	})
}

func TestAStormOfRestartsDoesNotFloodTheLog(t *testing.T) {
	t.Parallel()
	play(t, nil, points(1), func(r *rig) {
		s := r.connect()
		r.answerGI(1)
		for range 500 {
			s.tell(endOfInit)
			r.host.missed()
		}
		same(t, "lines", strings.Count(r.log.String(), "station has restarted"), maxRestarts)
		same(t, "restarts", r.figures.restarts.Load(), 500)
	})
}

func TestAQuotaTellsWhatItSkipped(t *testing.T) {
	t.Parallel()
	var q quota
	begun := time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC)
	for range maxRestarts {
		if skipped, ok := q.due(begun); !ok || skipped != 0 {
			t.Fatalf("due: %d, %v, want 0, true", skipped, ok)
		}
	}
	for _, c := range []struct {
		name    string
		after   time.Duration
		skipped int
		ok      bool
	}{
		{"full", 0, 0, false},
		{"still full", restartPeriod - 1, 0, false},
		{"next period", restartPeriod, 2, true},
		{"told", restartPeriod, 0, true},
		{"the clock was put back", -time.Hour, 0, true},
	} {
		skipped, ok := q.due(begun.Add(c.after))
		same(t, c.name, skipped, c.skipped)
		same(t, c.name, ok, c.ok)
	}
}
