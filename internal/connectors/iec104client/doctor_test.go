package iec104client

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/iec104keys"
)

func TestWhatDoesNotFitIsToldOfTheLink(t *testing.T) {
	t.Parallel()
	play(t, nil, points(2), func(r *rig) {
		s := r.connect()
		r.answerGI(1, gi(1, 1), gi(2, 1))
		r.host.said()
		for n := range 40 {
			// An hour ahead: the station has local time.
			at := r.env.Now().Add(time.Hour).UTC()
			var b []byte
			for i, v := 0, uint64(asdu.TimeOf(at, nil)); i < 7; i++ {
				b = append(b, byte(v>>(8*i)))
			}
			s.tell(fmt.Sprintf("1e 01 03 00 01 00 01 00 00 %02x % x", n&1, b))
			r.wait(5 * time.Second)
		}
		r.wait(20 * time.Second)
		said := r.host.said()
		if n := len(said); n == 0 || !strings.Contains(said[n-1], "link with rtu:2404: times are off by whole hours") ||
			!strings.HasPrefix(said[n-1], "degraded: clock of the station differs by ") {
			t.Errorf("states %q, want the clock and the link in one", said)
		}
		if log := r.log.String(); strings.Count(log, "finding=time-zone") != 1 {
			t.Errorf("logged:\n%s", log)
		}
		if !slices.Contains(r.findings(), "time-zone") {
			t.Errorf("figures of %q, want time-zone", r.findings())
		}
	})
}

// findings returns what the figures tell of.
func (r *rig) findings() (ids []string) {
	r.Collect(func(m connector.Metric) {
		if m.Name == "link_findings" && m.Value > 0 {
			ids = append(ids, m.Labels[0].Value)
		}
	})
	return ids
}

func TestALinkThatFitsHasNoFindings(t *testing.T) {
	t.Parallel()
	play(t, func(s *Settings) { s.Octets = iec104keys.Octets{Cause: 1, CA: 1, IOA: 2} }, points(2), func(r *rig) {
		s := r.connect()
		s.expectASDU("64 01 06 01 00 00 14") // cause, common address, object address
		s.tell("64 01 07 01 00 00 14", "01 01 14 01 01 00 01", "01 01 14 01 02 00 01", "64 01 0a 01 00 00 14")
		r.wait(15 * time.Second)
		if got := r.host.take(); len(got) != 2 {
			t.Errorf("%d readings with one octet of cause and common address and two of object address, want 2", len(got))
		}
		if ids := r.findings(); len(ids) > 0 {
			t.Errorf("found %q where all fits", ids)
		}
		same(t, "states", r.host.said(), []string{"connecting", "up", "back"})
	})
}
