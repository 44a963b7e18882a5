package iec104client

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"busbar/internal/iec104keys"
)

// listening makes a client wait for a station from 10.0.0.0/24.
func listening(s *Settings) {
	s.Addresses, s.Listen = nil, "0.0.0.0:2404"
	s.Allow = iec104keys.Allow{Given: true, Prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}}
}

func TestAStationThatDialsOut(t *testing.T) {
	t.Parallel()
	play(t, listening, points(2), func(r *rig) {
		same(t, "states", r.host.said(), []string{"connecting: waiting for the station on 0.0.0.0:2404"})
		r.wait(time.Hour) // far beyond t0: it comes when it likes
		s := r.call("10.0.0.5:40001")
		r.confirm(s)
		r.answerGI(1, gi(1, 1), gi(2, 0))
		same(t, "states", r.host.said(), []string{"up", "back"})
		if got := r.host.take(); len(got) != 2 {
			t.Errorf("%d readings, want 2", len(got))
		}
		s.conn.Close()
		said := r.host.said()
		if len(said) != 2 || !strings.HasPrefix(said[0], "connecting: ") || said[1] != "away" {
			t.Errorf("states %q at the end of the connection", said)
		}
		s = r.call("10.0.0.5:40002")
		r.confirm(s)
		r.answerGI(1, gi(1, 1), gi(2, 0))
		same(t, "states", r.host.said(), []string{"up", "back"})
	})
}

func TestWhoMayNotConnectIsNamed(t *testing.T) {
	t.Parallel()
	play(t, listening, points(1), func(r *rig) {
		r.host.said()
		r.call("192.0.2.9:40001")
		r.call("192.0.2.9:40002") // the same, said once
		same(t, "states", r.host.said(), []string{"connecting: connection from 192.0.2.9 refused: address not allowed: no known station"})
		if log := r.log.String(); !strings.Contains(log, "connection refused") || !strings.Contains(log, "192.0.2.9") {
			t.Errorf("logged:\n%s", log)
		}
		r.confirm(r.call("10.0.0.5:40001"))
		r.answerGI(1, gi(1, 1))
		r.call("192.0.2.9:40003")
		same(t, "states", r.host.said(), []string{"up", "back"})
		same(t, "refused", r.figures.strangers.Load(), 3)
	})
}

func TestASecondConnectionOfTheStation(t *testing.T) {
	t.Parallel()
	play(t, listening, points(1), func(r *rig) {
		first := r.call("10.0.0.5:40001")
		r.confirm(first)
		r.answerGI(1, gi(1, 1))
		r.host.said()
		r.call("10.0.0.5:40002")
		first.expect("68 04 43 00 00 00") // is it alive?
		first.send("68 04 83 00 00 00")
		same(t, "states", r.host.said(), nil)
		same(t, "refused", r.figures.strangers.Load(), 1)

		// The first is dead now: the other one takes its place after t1.
		second := r.call("10.0.0.5:40003")
		first.expect("68 04 43 00 00 00")
		r.wait(r.settings.T1)
		r.confirm(second)
		r.answerGI(1, gi(1, 1))
		first.conn.Close()
		if said := r.host.said(); len(said) != 4 || said[2] != "up" {
			t.Errorf("states %q, want the second one up", said)
		}
	})
}

func TestAListenerThatFailsEndsTheRunAndTheNextOneListensAgain(t *testing.T) {
	t.Parallel()
	play(t, listening, points(1), func(r *rig) {
		r.confirm(r.call("10.0.0.5:40001"))
		r.answerGI(1, gi(1, 1))
		r.calls.broken <- net.ErrClosed
		if err := <-r.done; !errors.Is(err, net.ErrClosed) {
			t.Fatalf("Run = %v, want that the listener has failed", err)
		}
		r.stop()
		r.start()
		r.confirm(r.call("10.0.0.5:40002"))
		r.answerGI(1, gi(1, 1))
		same(t, "listeners", r.calls.opened, 2)
	})
}
