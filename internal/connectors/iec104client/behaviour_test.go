package iec104client

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/iec104/apci"
	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/iec104keys"
	"busbar/internal/point"
)

// event is an M_SP_TB_1 of common address 1, with a time tag in the second given.
func event(ioa, value, second int) string {
	return fmt.Sprintf("1e 01 03 00 01 00 %02x 00 00 %02x %02x %02x 1e 0a c2 01 00", ioa, value, second*1000&0xff, second*1000>>8)
}

func spont(ioa, value int) string {
	return fmt.Sprintf("01 01 03 00 01 00 %02x 00 00 %02x", ioa, value)
}
func gi(ioa, value int) string { return fmt.Sprintf("01 01 14 00 01 00 %02x 00 00 %02x", ioa, value) }

const endOfInit = "46 01 04 00 01 00 00 00 00 00"

func same[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: -want +got\n%s", what, diff)
	}
}

func keysOf(readings []connector.Reading) (keys []uint64) {
	for _, r := range readings {
		keys = append(keys, r.Key&asdu.MaxIOA)
	}
	return keys
}

// points are the ends of points 1 to n.
func points(n int) (ends []*Source) {
	for i := range n {
		ends = append(ends, end(1, i+1, 0))
	}
	return ends
}

func TestNothingIsAcknowledgedBeforeItIsKept(t *testing.T) {
	t.Parallel()
	play(t, nil, points(3), func(r *rig) {
		s := r.connect()
		r.answerGI(1)
		s.acknowledged()
		r.host.slow = true
		for i := range 8 {
			s.tell(event(1, i&1, i))
		}
		s.tell(spont(99, 1)) // of no use, but behind what is not kept
		r.wait(14 * time.Second)
		if nr := s.acknowledged(); nr > 2 {
			t.Fatalf("N(R) is %d before anything is kept", nr)
		}
		r.host.commit(7, nil)
		r.wait(10 * time.Second)
		if nr := s.acknowledged(); nr != 9 {
			t.Errorf("N(R) is %d, want 9: 2 of the interrogation and 7 that are kept", nr)
		}
		r.host.commit(1, nil)
		r.wait(10 * time.Second)
		if nr := s.acknowledged(); nr != 11 {
			t.Errorf("N(R) is %d, want 11", nr)
		}
	})
}

func TestWhatIsNotKeptComesAgain(t *testing.T) {
	t.Parallel()
	play(t, nil, points(3), func(r *rig) {
		s := r.connect()
		r.answerGI(1)
		r.host.slow = true
		s.acknowledged()
		s.tell(event(1, 1, 1), event(2, 1, 2))
		r.host.commit(1, nil)
		r.host.commit(1, errors.New("disk"))
		if nr := s.acknowledged(); nr > 3 {
			t.Errorf("N(R) is %d, want 3 at most", nr)
		}
		if s.gone == nil {
			t.Fatal("the connection is open")
		}
		r.host.slow = false
		r.host.take()
		r.connect()
		r.answerGI(1, gi(2, 1))
		r.at.tell(event(1, 1, 1), event(2, 1, 2))
		got := r.host.take()
		same(t, "readings", keysOf(got), []uint64{2, 1, 2})
		if got[0].Repeats {
			t.Error("what the image has lost is taken for a repetition")
		}
	})
}

func TestWhatIsFoundNotKeptAfterALossComesAgain(t *testing.T) {
	t.Parallel()
	play(t, nil, points(3), func(r *rig) {
		s := r.connect()
		r.answerGI(1)
		r.host.slow = true
		s.tell(event(1, 1, 1), event(2, 1, 2))
		s.conn.Close()
		second := r.connect()
		r.answerGI(1)
		second.tell(event(1, 1, 1), event(2, 1, 2)) // known, but not kept yet
		second.acknowledged()
		r.host.commit(2, errors.New("disk"))
		if nr := second.acknowledged(); nr > 2 || second.gone == nil {
			t.Errorf("N(R) is %d and the connection ended with %v, want no acknowledgement and an end", nr, second.gone)
		}
		r.host.slow = false
		r.host.take()
		r.connect()
		r.answerGI(1)
		r.at.tell(event(1, 1, 1), event(2, 1, 2))
		same(t, "readings", keysOf(r.host.take()), []uint64{1, 2})
	})
}

func TestWithoutRoomTheStationIsHeldBack(t *testing.T) {
	t.Parallel()
	play(t, nil, points(3), func(r *rig) {
		s := r.connect()
		r.answerGI(1)
		s.acknowledged()
		r.host.said()
		r.host.mu.Lock()
		r.host.full = true
		r.host.mu.Unlock()
		s.tell(event(1, 1, 1))
		r.wait(5 * time.Second)
		same(t, "state", r.host.said(), []string{"degraded: values are not kept, the station is held back: journal: full"})
		r.host.mu.Lock()
		r.host.full = false
		r.host.mu.Unlock()
		r.wait(time.Second)
		same(t, "readings", keysOf(r.host.take()), []uint64{1})
		same(t, "state", r.host.said(), []string{"up"})
		r.wait(10 * time.Second)
		if nr := s.acknowledged(); nr != 3 {
			t.Errorf("N(R) is %d, want 3", nr)
		}
	})
}

func TestStopWithoutRoomAcknowledgesNothing(t *testing.T) {
	t.Parallel()
	play(t, nil, points(3), func(r *rig) {
		s := r.connect()
		r.answerGI(1)
		s.acknowledged()
		r.host.mu.Lock()
		r.host.full = true
		r.host.mu.Unlock()
		s.tell(event(1, 1, 1))
		r.stop()
		if nr := s.acknowledged(); nr > 2 {
			t.Errorf("N(R) is %d for an event that is not kept", nr)
		}
	})
}

func TestEventsThatComeAgainAreDropped(t *testing.T) {
	t.Parallel()
	play(t, nil, points(3), func(r *rig) {
		s := r.connect()
		r.answerGI(1)
		s.tell(event(1, 1, 1), event(1, 0, 2))
		r.host.take()
		s.conn.Close()
		r.connect()
		r.answerGI(1)
		r.at.tell(event(1, 1, 1), event(1, 0, 2), event(1, 1, 3))
		got := r.host.take()
		if len(got) != 1 || !got[0].Value.Single() {
			t.Errorf("readings %+v, want the third event", got)
		}
	})
}

func TestLossAndReturnOfTheLink(t *testing.T) {
	t.Parallel()
	play(t, nil, points(1), func(r *rig) {
		s := r.connect()
		r.answerGI(1)
		s.conn.Close()
		r.connect()
		r.answerGI(1)
		same(t, "calls", r.host.said(), []string{
			"connecting", "up", "back", "connecting: closed by peer", "away", "up", "back",
		})
		same(t, "active", r.host.points["active"], point.IntValue(1))
		same(t, "interrogated", r.host.points["interrogated"].Single(), true)
	})
}

func TestPointsMissingInAnInterrogation(t *testing.T) {
	t.Parallel()
	ends := []*Source{end(1, 1, 0), end(1, 2, 0), end(1, 3, asdu.M_IT_NA_1), end(1, 4, asdu.M_EP_TD_1), end(1, 5, asdu.M_ME_NC_1), end(2, 1, 0)}
	play(t, nil, ends, func(r *rig) {
		s := r.connect()
		r.answerGI(1, gi(1, 1), gi(2, 1), "0d 01 14 00 01 00 05 00 00 00 00 80 3f 00")
		r.answerGI(2)
		same(t, "missing at first", r.host.missed(), nil)
		r.mu.Lock()
		r.want(nil, []uint16{1})
		r.mu.Unlock()
		s.expectASDU("64 01 06 00 01 00 00 00 00 14")
		s.tell("64 01 07 00 01 00 00 00 00 14", spont(2, 0))
		s.tell("64 01 0a 00 01 00 00 00 00 14")
		same(t, "missing", r.host.missed(), []uint64{addressOf(1, 1), addressOf(1, 5)})
	})
}

func TestAnInterrogationThatFailsMissesNothingAndIsRepeated(t *testing.T) {
	t.Parallel()
	play(t, nil, points(2), func(r *rig) {
		s := r.connect()
		r.answerGI(1, gi(1, 1), gi(2, 1))
		r.host.said()
		r.mu.Lock()
		r.want(nil, []uint16{1})
		r.mu.Unlock()
		s.expectASDU("64 01 06 00 01 00 00 00 00 14")
		s.tell("64 01 47 00 01 00 00 00 00 14")
		same(t, "state", r.host.said(), []string{"degraded: interrogation of common address 1: refused"})
		s.expectSilence()
		r.wait(10 * time.Second)
		s.expectASDU("64 01 06 00 01 00 00 00 00 14")
		s.tell("64 01 07 00 01 00 00 00 00 14", gi(1, 1))
		for range 35 {
			r.wait(time.Second)
			s.tell(spont(1, 0)) // the link lives
		}
		const doctor = "link with rtu:2404: the answer to the general interrogation does not end (gi-incomplete)"
		r.wait(15 * time.Second) // the doctor looks every ten seconds
		said := r.host.said()
		same(t, "state", said[len(said)-1], "degraded: interrogation of common address 1: the answer was not completed; "+doctor)
		same(t, "missing", r.host.missed(), nil)
		r.wait(5 * time.Second)
		r.answerGI(1, gi(1, 1), gi(2, 1))
		same(t, "state", r.host.said(), []string{"degraded: " + doctor}) // for ten minutes
	})
}

func TestRestartOfTheStation(t *testing.T) {
	t.Parallel()
	play(t, nil, points(2), func(r *rig) {
		s := r.connect()
		r.answerGI(1, gi(1, 1), gi(2, 1))
		s.tell(endOfInit)
		same(t, "not topical", r.host.missed(), []uint64{addressOf(1, 1), addressOf(1, 2)})
		s.expectASDU("64 01 06 00 01 00 00 00 00 14")
		s.tell("64 01 07 00 01 00 00 00 00 14")
		s.tell(endOfInit) // while it answers
		r.answerGI(1, gi(1, 1))
		same(t, "not topical", r.host.missed(), []uint64{addressOf(1, 1), addressOf(1, 2), addressOf(1, 2)})
		s.expectSilence()
		s.tell("46 01 84 00 01 00 00 00 00 00") // a test
		s.expectSilence()
	})
}

func TestSchedule(t *testing.T) {
	t.Parallel()
	change := func(s *Settings) {
		s.GI, s.Counters, s.Clock = Period(10*time.Minute), Period(15*time.Minute), Period(time.Hour)
		s.CounterFreeze, s.CounterGroup, s.T3 = "reset", 2, 48*time.Hour
	}
	play(t, change, points(1), func(r *rig) {
		s := r.connect()
		const (
			clock  = "67 01 %s 00 01 00 00 00 00 00 00 %02x %02x e2 01 00" // of 2000-01-02, a Sunday
			read   = "65 01 %s 00 01 00 00 00 00 02"
			freeze = "65 01 %s 00 01 00 00 00 00 82"
		)
		answered := func(request string, ends bool, with ...any) {
			t.Helper()
			say := func(cause string) string { return fmt.Sprintf(request, append([]any{cause}, with...)...) }
			s.expectASDU(say("06"))
			s.tell(say("07"))
			if ends {
				s.tell(say("0a"))
			}
		}
		answered(clock, false, 0, 0)
		r.answerGI(1)
		answered(read, true) // there is no end of a period to freeze at
		r.wait(10*time.Minute - time.Second)
		s.expectSilence()
		r.wait(time.Second)
		r.answerGI(1)
		r.wait(5 * time.Minute)
		answered(freeze, false)
		answered(read, true)
		r.wait(5 * time.Minute)
		r.answerGI(1)
		for range 8 {
			r.wait(5 * time.Minute)
			for frame := s.next(); frame != nil; frame = s.next() { // the rest of the hour
				if f, _, err := apci.Parse(frame); err == nil && f.Format == apci.FormatI {
					s.vr++
					con := slices.Clone(f.ASDU)
					con[2] = 7
					s.tell(fmt.Sprintf("% x", con))
					if con[0] == 0x67 {
						same(t, "clock", fmt.Sprintf("% x", f.ASDU), fmt.Sprintf(clock, "06", 0, 1))
						return
					}
					con[2] = 10
					s.tell(fmt.Sprintf("% x", con))
				}
			}
		}
		t.Error("the clock is not set again after an hour")
	})
}

func TestPeriodsAreAlignedToTheClock(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at := func(text string) time.Time {
		v, err := time.ParseInLocation("2006-01-02 15:04:05.000", text, berlin)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, c := range []struct {
		now    string
		period time.Duration
		want   string
	}{
		{"2023-01-15 10:07:31.250", 15 * time.Minute, "2023-01-15 10:15:00.000"},
		{"2023-01-15 10:15:00.000", 15 * time.Minute, "2023-01-15 10:30:00.000"},
		{"2023-01-15 23:59:59.999", time.Hour, "2023-01-16 00:00:00.000"},
		{"2023-03-26 01:30:00.000", time.Hour, "2023-03-26 03:00:00.000"}, // 02:00 does not exist
		{"2023-10-29 04:00:00.000", 24 * time.Hour, "2023-10-30 00:00:00.000"},
	} {
		same(t, c.now, aligned(at(c.now), c.period, berlin).In(berlin).Format("2006-01-02 15:04:05.000"), c.want)
	}
}

func TestBothTransmissionsOfAnEventAreOne(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		asdus []string
		want  []string // within a moment: value, T tagged, R repeats
		later []string // after twinWait
	}{
		{"with time tag first", []string{event(1, 1, 1), spont(1, 1), event(1, 0, 2), spont(1, 0), spont(1, 0x80)},
			[]string{"on T", "on R", "off T", "off R", "off"}, nil},
		{"without time tag first, once it was seen", []string{spont(1, 1), event(1, 1, 1), spont(1, 0), event(1, 0, 2)},
			[]string{"on", "on T", "off T"}, nil},
		{"the one with time tag stays away", []string{spont(1, 1), event(1, 1, 1), spont(1, 0), spont(2, 1)},
			[]string{"on", "on T", "on"}, []string{"off T"}},
		{"another event comes instead", []string{spont(1, 1), event(1, 1, 1), spont(1, 0), event(1, 1, 3)},
			[]string{"on", "on T", "off T", "on T"}, nil},
		{"an interrogation comes between", []string{spont(1, 1), event(1, 1, 1), spont(1, 0), gi(1, 0)},
			[]string{"on", "on T", "off T", "off R"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			play(t, nil, points(2), func(r *rig) {
				s := r.connect()
				r.answerGI(1)
				s.tell(c.asdus...)
				same(t, "readings", words(r.host.take()), c.want)
				r.wait(twinWait)
				same(t, "readings later", words(r.host.take()), c.later)
				s.tell(spont(2, 0))
				same(t, "next", words(r.host.take()), []string{"off"})
			})
		})
	}
}

func words(readings []connector.Reading) (all []string) {
	for _, r := range readings {
		w := r.Value.String()
		if r.Time != 0 {
			w += " T"
		}
		if r.Repeats {
			w += " R"
		}
		all = append(all, w)
	}
	return all
}

func TestObjectsThatAreNotTaken(t *testing.T) {
	t.Parallel()
	play(t, nil, []*Source{end(1, 1, asdu.M_SP_TB_1)}, func(r *rig) {
		s := r.connect()
		r.answerGI(1)
		r.host.said()
		s.tell("01 01 83 00 01 00 01 00 00 01", // test
			"03 01 03 00 01 00 01 00 00 01",                        // double point
			spont(2, 1),                                            // nobody's
			"01 01 03 00 02 00 01 00 00 01",                        // of another station
			"01 01 07 00 01 00 01 00 00 01",                        // cause
			"29 01 03 00 01 00 01 00 00 00 00 00 00 00 00 00 "+tag) // S_IT_TC_1
		same(t, "readings", keysOf(r.host.take()), nil)
		f := &r.figures
		same(t, "test, refused, unassigned, ignored", []uint64{f.test.Load(), f.refused.Load(), f.unassigned.Load(), f.ignored.Load()}, []uint64{1, 1, 2, 2})
		same(t, "state", r.host.said(), []string{"degraded: ca 1 ioa 1 is M_DP_NA_1, its points are for single"})
	})
}

func TestNewPointsAreInterrogated(t *testing.T) {
	t.Parallel()
	play(t, nil, points(1), func(r *rig) {
		s := r.connect()
		r.answerGI(1, gi(1, 1))
		r.host.change(points(1)...)
		s.expectSilence()
		r.host.change(points(2)...)
		r.answerGI(1, gi(1, 1), gi(2, 1))
		same(t, "readings", keysOf(r.host.take()), []uint64{1, 1, 2})
		r.host.change()
		s.tell(spont(1, 1))
		same(t, "readings", keysOf(r.host.take()), nil)
	})
}

func TestSummerTime(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		zone *time.Location
		tag  string // of hour and the octets that follow; SU is the highest bit
		want time.Time
		odd  uint64
	}{
		{"utc", time.UTC, "02 1d 0a 17", time.Date(2023, 10, 29, 2, 30, 0, 0, time.UTC), 0},
		{"utc with SU", time.UTC, "82 1d 0a 17", time.Date(2023, 10, 29, 2, 30, 0, 0, time.UTC), 1},
		{"first time of the hour that comes twice", berlin, "82 1d 0a 17", time.Date(2023, 10, 29, 0, 30, 0, 0, time.UTC), 0},
		{"second time", berlin, "02 1d 0a 17", time.Date(2023, 10, 29, 1, 30, 0, 0, time.UTC), 0},
		{"winter", berlin, "02 0f 01 17", time.Date(2023, 1, 15, 1, 30, 0, 0, time.UTC), 0},
		{"summer without SU", berlin, "02 0f 07 17", time.Date(2023, 7, 15, 0, 30, 0, 0, time.UTC), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			play(t, func(s *Settings) { s.Time = iec104keys.Zone{Location: c.zone} }, points(1), func(r *rig) {
				s := r.connect()
				r.answerGI(1)
				s.tell("1e 01 03 00 01 00 01 00 00 01 00 00 1e " + c.tag)
				got := r.host.take()
				if len(got) != 1 || got[0].Time != point.InstantOf(c.want) {
					t.Errorf("readings %+v, want the time %v", got, c.want)
				}
				same(t, "mismatches", r.figures.wrongSU.Load(), c.odd)
			})
		})
	}
}

func TestClockOfTheStationIsMeasured(t *testing.T) {
	t.Parallel()
	play(t, nil, points(1), func(r *rig) {
		s := r.connect()
		r.answerGI(1)
		r.host.said()
		for i := range 10 {
			now := time.Now().Add(-time.Duration(3+i%3) * time.Second)
			var b []byte
			for i, v := 0, uint64(asdu.TimeOf(now, nil)); i < 7; i++ {
				b = append(b, byte(v>>(8*i)))
			}
			s.tell(fmt.Sprintf("1e 01 03 00 01 00 01 00 00 %02x % x", i&1, b))
		}
		r.wait(lookEvery)
		same(t, "state", r.host.said(), []string{"degraded: clock of the station differs by -3s"})
		same(t, "system point", r.host.points["clock-offset"], point.FloatValue(3))
	})
}

func TestStandbyTakesOver(t *testing.T) {
	t.Parallel()
	play(t, func(s *Settings) { s.Addresses = []string{"a:1", "b:1"} }, points(1), func(r *rig) {
		first := r.connect()
		r.answerGI(1)
		second := r.connectStandby()
		r.host.said()
		first.conn.Close()
		second.expect("68 04 07 00 00 00")
		second.send("68 04 0b 00 00 00")
		r.at = second
		r.answerGI(1)
		calls := r.host.said()
		if !slices.Contains(calls, "back") || !slices.Contains(calls, "away") {
			t.Errorf("calls %q, want away and back", calls)
		}
	})
}
