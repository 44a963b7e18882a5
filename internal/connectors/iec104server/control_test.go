package iec104server

import (
	"strings"
	"testing"
	"time"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/point"
)

func initialisations(events []iec104.Event) (cas []uint16) {
	for _, e := range events {
		if e.Type == asdu.M_EI_NA_1 && e.Cause == asdu.Initialised && e.IOA == 0 {
			cas = append(cas, e.CA)
		}
	}
	return cas
}

func TestEndOfInitialisationIsSentOncePerStation(t *testing.T) {
	r := newRig(t)
	r.targets([]connector.Target{at(1, 1, 1, asdu.M_ME_NB_1, point.Int), at(2, 7, 1, asdu.M_ME_NB_1, point.Int)})
	first := r.join()
	r.publish(news(1, point.IntValue(1)))
	events := take(first, 10)
	if cas := initialisations(events[:2]); len(events) != 3 || len(cas) != 2 || cas[0] != 1 || cas[1] != 7 {
		t.Fatalf("events %+v, want the end of initialisation of 1 and 7 before the event", events)
	}
	if events[0].Qualifier != localPowerOn {
		t.Errorf("cause of initialisation %d, want local power on", events[0].Qualifier)
	}

	again := r.join()
	again.peer = first.peer
	again.Started(true)
	other := &session{station: r.station, conn: &fakeConn{id: 77}, caller: first.caller, enc: newEncoder(time.UTC)}
	other.Started(true)
	if cas := initialisations(take(other, 10)); len(cas) != 0 {
		t.Errorf("a further connection of the address gets the end of initialisation of %v", cas)
	}

	// It was not acknowledged when the connection broke: the next one gets it.
	first.Confirm(1)
	first.Closed(nil)
	next := &session{station: r.station, conn: &fakeConn{id: 78}, caller: first.caller, enc: newEncoder(time.UTC)}
	next.Started(true)
	if cas := initialisations(take(next, 10)); len(cas) != 2 {
		t.Errorf("end of initialisation of %v, want it again for 1 and 7", cas)
	}
	next.Confirm(2)
	next.Closed(nil)
	last := &session{station: r.station, conn: &fakeConn{id: 79}, caller: first.caller, enc: newEncoder(time.UTC)}
	last.Started(true)
	if cas := initialisations(take(last, 10)); len(cas) != 0 {
		t.Errorf("end of initialisation of %v after it was acknowledged", cas)
	}
}

func TestRememberedStationsAreBounded(t *testing.T) {
	r := newRig(t)
	r.targets([]connector.Target{at(1, 1, 1, asdu.M_ME_NB_1, point.Int)})
	for range maxGreeted + 50 {
		s := r.join()
		take(s, 1)
		s.Confirm(1)
		s.Closed(nil)
	}
	if n := len(r.greeted); n > maxGreeted {
		t.Errorf("%d addresses are remembered, want at most %d", n, maxGreeted)
	}
	if n := len(r.sessions); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}

func TestClockIsMeasuredAndNeverSet(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(s *Settings) { s.Time = Zone{Location: berlin} })
	s := r.join()
	set := func(t time.Time) bool { return s.Clock(1, asdu.TimeOf(t, berlin)) }
	if _, known := r.station.clock.get(); known {
		t.Error("an offset is known before the first synchronisation")
	}
	if !set(epoch.Add(250 * time.Millisecond)) {
		t.Error("clock synchronisation is refused")
	}
	if offset, known := r.station.clock.get(); !known || offset != 250*time.Millisecond {
		t.Errorf("offset %v %v, want 250ms", offset, known)
	}
	set(epoch.Add(-3 * time.Second))
	if offset, _ := r.station.clock.get(); offset != -3*time.Second {
		t.Errorf("offset %v, want −3s", offset)
	}
	set(epoch.Add(-4 * time.Second))
	set(epoch)
	if len(r.reported) != 2 || !strings.Contains(r.reported[0], "differs by -3s") || r.reported[1] != "" {
		t.Errorf("reported %q, want the difference once and then that it is gone", r.reported)
	}
	if s.Clock(1, asdu.Clock{Month: 13, Day: 1}.Time()) {
		t.Error("an impossible date is accepted")
	}
}

func TestResetProcess(t *testing.T) {
	t.Run("refused by default", func(t *testing.T) {
		r := newRig(t)
		s := r.join()
		if s.Reset(1, resetProcess) || s.Reset(1, resetBuffer) {
			t.Error("reset is confirmed")
		}
	})
	t.Run("confirmed", func(t *testing.T) {
		r := newRig(t, func(s *Settings) { s.Reset = "confirm" })
		r.targets([]connector.Target{at(1, 4, 1, asdu.M_ME_NB_1, point.Int)})
		s := r.join().settle()
		if !s.Reset(4, resetProcess) || s.Reset(4, 3) || s.Reset(4, 0) {
			t.Error("want qualifier 1 confirmed, 0 and 3 refused")
		}
		events := take(s, 10)
		if cas := initialisations(events); len(cas) != 1 || cas[0] != 4 || events[0].Qualifier != remoteReset {
			t.Errorf("events %+v, want the end of initialisation after a remote reset", events)
		}
		r.publish(news(1, point.IntValue(1)), news(1, point.IntValue(2)))
		if !s.Reset(4, resetBuffer) {
			t.Error("clearing the buffer is refused")
		}
		if events := take(s, 10); len(events) != 0 || s.figures.cleared != 2 {
			t.Errorf("%d events after the buffer was cleared, %d counted as cleared, want 0 and 2", len(events), s.figures.cleared)
		}
	})
}

func TestCommandsAreUnknown(t *testing.T) {
	r := newRig(t)
	r.targets([]connector.Target{at(1, 1, 1, asdu.M_SP_NA_1, point.Single)})
	if v := r.join().Command(iec104.Command{CA: 1, Type: asdu.C_SC_NA_1, Object: asdu.Object{IOA: 1}}); v != iec104.UnknownObject {
		t.Errorf("verdict %v, want unknown object", v)
	}
}

func TestEventsLostWithAFurtherConnectionAreCounted(t *testing.T) {
	r := newRig(t)
	r.targets([]connector.Target{at(1, 1, 1, asdu.M_ME_NB_1, point.Int)})
	first := r.join()
	s := r.joinFrom(first.peer)
	first.Alive()
	for i := range 10 {
		r.publish(news(1, point.IntValue(int64(i))))
	}
	take(s, 6)
	s.Confirm(2)
	s.Closed(nil)
	if n := r.figure(func(f figures) uint64 { return f.abandoned }); n != 8 {
		t.Errorf("%d events counted as lost with the connection, want 8 of 10", n)
	}
}
