package iec104server

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/iec104"
	"busbar/iec104/apci"
	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/linkprofile"
	"busbar/internal/point"
)

func TestProfileGivesTheDefaults(t *testing.T) {
	t.Parallel()
	p, problems := decode(t, withSettings("    listen: localhost:2404\n    profile: cautious\n"))
	if len(problems) > 0 {
		t.Fatal(strings.Join(problems, "\n"))
	}
	s := p.Connectors[0].Settings.(*Settings)
	profile, err := linkprofile.Find("cautious")
	if err != nil {
		t.Fatal(err)
	}
	got := s.params()
	got.T0 = profile.Params.T0 // of no meaning here
	if diff := cmp.Diff(profile.Params, got); diff != "" {
		t.Error(diff)
	}
	if s.MaxObjects != 16 || s.Weekday || !s.SummerTime || s.Originator != "zero" || s.UnknownQualifiers != "zero" ||
		s.LateCommands != "refuse" || s.UnknownRequests != "cause" || s.Termination != "command" || !s.EndOfInit || s.CommandAge != 10*time.Second {
		t.Errorf("settings %+v", s)
	}
	if s.Connections != 100 || s.Reset != "refuse" || s.CommandAhead != 2*time.Second {
		t.Errorf("what no profile has is changed: %+v", s)
	}
}

func TestKeysWinOverTheProfile(t *testing.T) {
	t.Parallel()
	for _, order := range []string{
		"    profile: cautious\n    k: 30\n    weekday: true\n    originator: mirror\n    maxObjects: 127\n    lateCommands: discard\n",
		"    k: 30\n    weekday: true\n    originator: mirror\n    maxObjects: 127\n    lateCommands: discard\n    profile: cautious\n",
	} {
		p, problems := decode(t, withSettings("    listen: localhost:2404\n"+order))
		if len(problems) > 0 {
			t.Fatal(strings.Join(problems, "\n"))
		}
		s := p.Connectors[0].Settings.(*Settings)
		if s.K != 30 || !s.Weekday || s.Originator != "mirror" || s.MaxObjects != 127 || s.LateCommands != "discard" {
			t.Errorf("a key was not taken: %+v", s)
		}
		if s.W != 4 || s.UnknownQualifiers != "zero" || s.Profile != "cautious" {
			t.Errorf("the profile was not taken: %+v", s)
		}
	}
}

func TestProfileOfOneConnectorIsNotThatOfAnother(t *testing.T) {
	t.Parallel()
	p, problems := decode(t, withSettings("    listen: localhost:2404\n    profile: cautious\n")+
		"  zz:\n    kind: iec104-server\n    listen: localhost:2405\n")
	if len(problems) > 0 {
		t.Fatal(strings.Join(problems, "\n"))
	}
	if s := p.Connectors[1].Settings.(*Settings); s.K != 12 || s.MaxObjects != 127 || !s.Weekday {
		t.Errorf("settings of the other are %+v", s)
	}
}

func TestFaultsOfTheDialect(t *testing.T) {
	t.Parallel()
	target := "points:\n  p: {type: float, to: [{connector: scada, ca: 300, ioa: 70000, as: M_ME_TF_1}]}\n"
	for _, c := range []struct{ name, lines, more, path, text string }{
		{"profile unknown", "    profile: psi\n", "", "connectors.scada.profile", `there is no profile "psi", want one of standard, edition-2, psicontrol`},
		{"profile a list", "    profile: [standard]\n", "", "connectors.scada.profile", "want one of standard"},
		{"APDU too short", "    maxAPDU: 39\n", "", "connectors.scada.maxAPDU", "from 40 to 253"},
		{"octets of the cause", "    octets: {cause: 3}\n", "", "connectors.scada.octets.cause", "from 1 to 2"},
		{"common address beyond its octet", "    octets: {ca: 1}\n", target, "points.p.to[0].ca", "is 300, want 1 to 254"},
		{"object address beyond its octets", "    octets: {ioa: 2}\n", target, "points.p.to[0].ioa", "is 70000, want 1 to 65535"},
		{"termination", "    termination: later\n", "", "connectors.scada.termination", "command, immediate"},
		{"w of the profile above the k given", "    profile: standard\n    k: 4\n", "", "connectors.scada.w", "at most k"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, problems := decode(t, withSettings("    listen: 127.0.0.1:2404\n"+c.lines)+c.more)
			if len(problems) != 1 || !strings.HasPrefix(problems[0], c.path+": ") || !strings.Contains(problems[0], c.text) {
				t.Errorf("problems %q, want one at %s with %q", problems, c.path, c.text)
			}
		})
	}
}

var berlin = mustZone("Europe/Berlin")

func mustZone(name string) *time.Location {
	zone, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC
	}
	return zone
}

func TestWhatIsNotStampedIsZero(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		set     func(*Settings)
		su      bool
		weekday int
	}{
		{func(*Settings) {}, true, 2},
		{func(s *Settings) { s.SummerTime = false }, false, 2},
		{func(s *Settings) { s.Weekday = false }, true, 0},
		{func(s *Settings) { s.SummerTime, s.Weekday = false, false }, false, 0},
	} {
		r := newRig(t, func(s *Settings) { s.Time = Zone{Location: berlin} }, c.set)
		r.targets([]connector.Target{at(1, 1, 100, asdu.M_SP_TB_1, point.Single)})
		s := r.join().settle()
		r.publish(news(1, point.SingleValue(true)))
		events := take(s, 1)
		if len(events) != 1 {
			t.Fatal("no event")
		}
		clock := events[0].Time.Clock()
		if clock.Summer != c.su || clock.Weekday != c.weekday || clock.Hour != 14 || clock.Day != 14 {
			t.Errorf("stamped %+v, want SU %v and weekday %d", clock, c.su, c.weekday)
		}
	}
}

func TestEndOfInitialisationCanBeLeftOut(t *testing.T) {
	t.Parallel()
	for _, on := range []bool{true, false} {
		r := newRig(t, func(s *Settings) { s.EndOfInit, s.Reset = on, "confirm" })
		r.targets([]connector.Target{at(1, 1, 100, asdu.M_SP_TB_1, point.Single)})
		s := r.join()
		if n := len(take(s, 10)); (n == 1) != on {
			t.Errorf("%d events after STARTDT with endOfInitialisation %v", n, on)
		}
		if !s.Reset(1, resetProcess) {
			t.Fatal("the reset was refused")
		}
		if n := len(take(s, 10)); (n == 1) != on {
			t.Errorf("%d events after a reset with endOfInitialisation %v", n, on)
		}
	}
}

// wire sends ASDUs to a server and returns what it answers with, ASDU by ASDU.
func wire(t *testing.T, set func(*Settings), asdus ...string) []string {
	t.Helper()
	var got []string
	synctest.Test(t, func(t *testing.T) {
		r := startServer(t, true, func(s *Settings) { s.EndOfInit = false }, set)
		var targets []connector.Target
		for i := range uint32(8) {
			targets = append(targets, at(i+1, 1, 100+i, asdu.M_ME_NC_1, point.Float))
		}
		r.feed.targets(targets...)
		conn, err := r.pipe.dial(context.Background(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		l := &line{conn: conn}
		go l.drain()
		l.write(t, apci.AppendU(nil, apci.StartDTAct))
		l.next(t)
		for i, a := range asdus {
			l.write(t, apci.AppendI(nil, apci.Seq(i), apci.Seq(l.vr), digits(t, a)))
			for b := l.next(t); b != ""; b = l.next(t) {
				got = append(got, b)
			}
		}
		closeConn(t, conn)
		r.stop(t)
		synctest.Wait()
	})
	return got
}

func closeConn(t *testing.T, c net.Conn) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestDialectOnTheWire(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		set  func(*Settings)
		asks []string
		want string // joined; points were never received: IV and NT
	}{
		{"originator is mirrored", func(*Settings) {}, []string{"67 01 06 05 01 00 00 00 00 00 00 00 0c 0e 07 1a"},
			"6701070501000000000000000c0e071a"},
		{"originator is zero in confirmations and refusals", func(s *Settings) { s.Originator = "zero" },
			[]string{"67 01 06 05 01 00 00 00 00 00 00 00 0c 0e 07 1a", "2d 01 06 05 01 00 88 13 00 01"},
			"6701070001000000000000000c0e071a 2d016c00010088130001"},
		{"originator is zero in data", func(s *Settings) { s.Originator = "zero" }, []string{"66 01 05 05 01 00 64 00 00"},
			"0d0105000100640000" + "00000000c0"},
		{"unknown type is cause 44", func(*Settings) {}, []string{"2d 01 06 00 01 00 88 13 00 01"}, "2d016c00010088130001"},
		{"unknown type is a negative confirmation", func(s *Settings) { s.UnknownRequests = "confirmation" },
			[]string{"2d 01 06 00 01 00 88 13 00 01", "64 01 06 00 02 00 00 00 00 14"}, "2d014700010088130001 64014700020000000014"},
		{"a read has no confirmation", func(s *Settings) { s.UnknownRequests = "confirmation" }, []string{"66 01 05 00 01 00 09 00 00"},
			"66016f000100090000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := wire(t, c.set, c.asks...)
			if s := strings.Join(got, " "); s != c.want {
				t.Errorf("received %s, want %s", s, c.want)
			}
		})
	}
}

func TestShortAPDUs(t *testing.T) {
	t.Parallel()
	// The answer has eight objects of 5 octets behind a header of 6 and an address of 3: a length octet of 53.
	for most, asdus := range map[int]int{253: 3, 53: 3, 52: 4, 40: 4} {
		got := wire(t, func(s *Settings) { s.MaxAPDU = most }, "64 01 06 05 01 00 00 00 00 14")
		if len(got) != asdus {
			t.Errorf("maxAPDU %d: %d ASDUs, want %d: %q", most, len(got), asdus, got)
		}
		for _, a := range got {
			if n := len(a)/2 + 4; n > most {
				t.Errorf("maxAPDU %d: a length octet of %d", most, n)
			}
		}
	}
}

func TestOctetsOfAnOlderStation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sizes := Octets{Cause: 1, CA: 1, IOA: 2}
		r := startServer(t, true, func(s *Settings) { s.Octets = sizes })
		r.feed.targets(at(1, 1, 100, asdu.M_ME_NC_1, point.Float))
		var got []string
		c, err := iec104.Dial(t.Context(), "station", iec104.Params{Sizes: sizes.Sizes()}, iec104.WithDialer(r.pipe.dial),
			iec104.WithHandler(func(a asdu.ASDU) { got = append(got, fmt.Sprintf("%x", a.Octets())) }))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.StartDT(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Interrogate(t.Context(), 1, 20); err != nil {
			t.Fatal(err)
		}
		want := []string{"46010401000000", "64010701000014", "0d0114016400" + "00000000c0", "64010a01000014"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		r.stop(t)
		synctest.Wait()
	})
}

func TestDialectOfCommands(t *testing.T) {
	t.Parallel()
	immediate := func(s *Settings) { s.Termination = "immediate" }
	none := func(s *Settings) { s.Termination = "none" }
	zero := func(s *Settings) { s.UnknownQualifiers = "zero" }
	const on = "a> 2d 01 06 00 01 00 88 13 00 01"
	playCommands(t, []commandCase{
		{name: "ACTTERM right after ACTCON, the later one of the host is not sent", set: immediate, steps: []string{
			"host hold", on, "a<", "confirm +", "a< 2d 01 07 00 01 00 88 13 00 01", "a< 2d 01 0a 00 01 00 88 13 00 01", "terminate +", "a<"}},
		{name: "no ACTTERM after a refusal", set: immediate, steps: []string{"host refuse", on, "a< 2d 01 47 00 01 00 88 13 00 01", "a<"}},
		{name: "never ACTTERM", set: none, steps: []string{on, "a< 2d 01 07 00 01 00 88 13 00 01", "wait 5s", "a<"}},
		{name: "never ACTTERM with feedback", set: none, steps: []string{
			"a> 2e 01 06 00 01 00 c9 00 00 02", "a< 2e 01 07 00 01 00 c9 00 00 02", "feedback 2", "a< 03 01 0b 00 01 00 c8 00 00 02", "wait 5s", "a<"}},
		{name: "QU 9 counts as 0 and is mirrored", set: zero, steps: []string{
			"a> 2d 01 06 00 01 00 88 13 00 25", "a< 2d 01 07 00 01 00 88 13 00 25", "a< 2d 01 0a 00 01 00 88 13 00 25", "told issue sc on q0 oa0"}},
		{name: "QU 8 is refused", set: zero, steps: []string{"a> 2d 01 06 00 01 00 88 13 00 21", "a< 2d 01 47 00 01 00 88 13 00 21"}},
		{name: "QU 9 is refused by default", steps: []string{"a> 2d 01 06 00 01 00 88 13 00 25", "a< 2d 01 47 00 01 00 88 13 00 25"}},
	})
}
