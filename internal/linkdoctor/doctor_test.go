package linkdoctor

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"busbar/iec104"
	"busbar/iec104/apci"
	"busbar/internal/connector"
)

func scenes() []scene {
	return slices.Concat(windowScenes(), linkScenes(), requestScenes(), stationScenes())
}

func TestFindings(t *testing.T) {
	t.Parallel()
	for _, c := range scenes() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newScript(t, c.o)
				c.play(s)
				found := s.d.Findings()
				var ids []ID
				for i := range found {
					f := &found[i]
					ids = append(ids, f.ID)
					if f.Seen == "" || f.Count == 0 || f.Since.IsZero() || f.Last.Before(f.Since) || f.Severity != f.ID.severity() {
						t.Errorf("finding %+v", *f)
					}
				}
				if !slices.Equal(ids, c.want) {
					t.Fatalf("found %v, want %v: %+v", ids, c.want, found)
				}
				if len(found) > 0 && !strings.Contains(found[0].String(), c.says) {
					t.Errorf("it says %q, want %q in it", found[0].String(), c.says)
				}
			})
		})
	}
}

func TestEveryFindingIsProvokedAloneAndSpared(t *testing.T) {
	t.Parallel()
	provoked := map[ID]bool{}
	quiet := 0
	for _, c := range scenes() {
		if len(slices.Compact(slices.Clone(c.want))) == 1 {
			provoked[c.want[0]] = true
		}
		if len(c.want) == 0 {
			quiet++
		}
	}
	provoked[UnsignedRefusal] = true // it is always beside what was refused
	for _, k := range Catalogue() {
		if !provoked[k.ID] {
			t.Errorf("no scene provokes %s alone", k.ID)
		}
		if k.Means == "" || k.Severity == 0 {
			t.Errorf("%s means nothing", k.ID)
		}
	}
	if quiet < 20 {
		t.Errorf("%d scenes in which nothing may be found, want 20 or more", quiet)
	}
}

func TestFindingsAreCountedAndForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, server)
		s.asks()
		const ask, answer = "66 01 05 00 01 00 09 00 00", "66 01 6f 00 01 00 09 00 00"
		for range 1000 {
			s.hear(ask)
			s.say(answer)
			s.acked()
		}
		time.Sleep(2 * time.Second)
		s.hear(ask)
		s.say(answer)
		found := s.d.Findings()
		i := slices.IndexFunc(found, func(f Finding) bool { return f.ID == UnknownObject })
		if i < 0 || found[i].Count != 1001 || !strings.Contains(found[i].Seen, "1001 times") || found[i].Peer != "10.0.0.5" {
			t.Errorf("found %+v", found)
		}
		time.Sleep(keptFor + time.Second)
		if found := s.d.Findings(); len(found) > 0 {
			t.Errorf("an hour later %+v", found)
		}
	})
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, server)
		for i := range 2000 {
			s.addr = "10.0." + string(rune('0'+i/256)) + "." + time.Duration(i%256).String()
			s.connect()
			s.closes(iec104.BadStart)
			s.d.Refused(s.conn, s.addr, true)
			time.Sleep(time.Millisecond)
		}
		s.connect()
		s.asks()
		for i := range 5000 {
			s.say("66 01 6f 00 01 00" + string("0123456789abcdef"[i%16]) + string("0123456789abcdef"[i/16%16]) + string("0123456789abcdef"[i/256%16]) + "0 00")
			s.acked()
			s.d.Refused(s.conn, time.Duration(i).String(), false)
		}
		if n := len(s.d.peers); n > maxPeers {
			t.Errorf("%d other sides, want at most %d", n, maxPeers)
		}
		if n := len(s.d.findings); n > maxPeers*len(Catalogue()) {
			t.Errorf("%d findings", n)
		}
		p := s.d.peers[s.addr]
		if len(p.refusals) > maxReasons || len(p.addresses[UnknownObject]) > maxDistinct {
			t.Errorf("%d reasons, %d addresses", len(p.refusals), len(p.addresses[UnknownObject]))
		}
		if n := len(*s.d.links.Load()); n != 2 {
			t.Errorf("%d connections, want the first and the last", n)
		}
	})
}

func TestFindingAsJSON(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, server)
		s.closes(iec104.BadStart)
		b, err := json.Marshal(s.d.Findings()[0])
		if err != nil {
			t.Fatal(err)
		}
		want := `{"id":"broken-frames","severity":"problem","peer":"10.0.0.5","seen":"what was received is not IEC 60870-5-104 (once)",` +
			`"wanted":"the right port and protocol at the other side, and TLS at both sides or at none","example":"iec104: bad start octet: details","count":1,` +
			`"since":"2000-01-02T00:00:00Z","last":"2000-01-02T00:00:00Z"}`
		if string(b) != want {
			t.Errorf("got  %s\nwant %s", b, want)
		}
	})
}

func TestWatchLogsOncePerHourAndShowsProblems(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		var shown []string
		s := newScript(t, server)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.d.Watch(ctx, slog.New(slog.NewTextHandler(&out, nil)), func(p string) { shown = append(shown, p) })
		}()
		s.closes(iec104.BadStart)
		for range 8 { // 40 minutes
			time.Sleep(5 * time.Minute)
			s.connect()
			s.u(true, apci.TestFRAct)
			time.Sleep(9 * time.Second)
			s.u(false, apci.TestFRCon) // a warning
			s.closes(iec104.ClosedLocally)
		}
		time.Sleep(15 * time.Second)
		synctest.Wait()
		cancel()
		<-done
		log := out.String()
		if n := strings.Count(log, "finding=broken-frames"); n != 1 {
			t.Errorf("the problem was logged %d times in 40 minutes:\n%s", n, log)
		}
		if n := strings.Count(log, "finding=test-slow"); n != 1 || !strings.Contains(log, "level=WARN msg=\"link does not fit\"") {
			t.Errorf("the warning was logged %d times:\n%s", n, log)
		}
		if len(shown) != 2 || !strings.HasPrefix(shown[0], "link with 10.0.0.5: what is received is not IEC 60870-5-104") || shown[1] != "" {
			t.Errorf("shown was %q, want the problem and then nothing", shown)
		}
	})
}

func TestFindingsAreFigures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, server)
		s.closes(iec104.BadStart)
		s.addr = "10.0.0.6:1"
		s.connect()
		s.closes(iec104.BadLength)
		var got []connector.Metric
		s.d.Collect(func(m connector.Metric) { got = append(got, m) })
		if len(got) != 1 || got[0].Name != "link_findings" || got[0].Value != 2 || got[0].Labels[0].Value != "broken-frames" || got[0].Labels[1].Value != "problem" {
			t.Errorf("figures %+v", got)
		}
	})
}

func TestClientTellsOfItsLinks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := New(client)
		d.LinkEvent(iec104.LinkEvent{Addr: "10.0.0.9:2404", State: iec104.LinkDown, Err: os.ErrDeadlineExceeded})
		d.LinkEvent(iec104.LinkEvent{Addr: "10.0.0.9:2404", Conn: 1, State: iec104.LinkConnected})
		d.LinkEvent(iec104.LinkEvent{Addr: "10.0.0.9:2404", Conn: 1, State: iec104.LinkStarted})
		d.LinkEvent(iec104.LinkEvent{Addr: "10.0.0.9:2404", Conn: 1, State: iec104.LinkDown, Err: &iec104.LinkError{Reason: iec104.NoStartCon}})
		found := d.Findings()
		if len(found) != 1 || found[0].ID != StartUnconfirmed || found[0].Peer != "10.0.0.9:2404" {
			t.Errorf("found %+v", found)
		}
	})
}

func TestTraceShowsBoth(t *testing.T) {
	t.Parallel()
	d := New(server)
	frames := 0
	f := d.Trace(func(uint64, bool, []byte) { frames++ })
	f(1, false, apci.AppendU(nil, apci.StartDTAct))
	if frames != 1 || len(*d.links.Load()) != 1 {
		t.Errorf("%d frames, %d links", frames, len(*d.links.Load()))
	}
	d.Trace(nil)(2, false, apci.AppendU(nil, apci.StartDTAct))
	if len(*d.links.Load()) != 2 {
		t.Error("without another the doctor sees nothing")
	}
}

func FuzzFrame(f *testing.F) {
	for _, b := range []string{"68040b000000", "680e0000000064010600010000000014", "6804010000", "68", ""} {
		f.Add(true, []byte(b))
		f.Add(false, apci.AppendI(nil, 0, 0, []byte(b)))
	}
	f.Fuzz(func(t *testing.T, controlled bool, b []byte) {
		d := New(client)
		if controlled {
			d = New(server)
		}
		for _, sent := range []bool{false, true, false} {
			d.Frame(1, sent, b)
		}
		d.Findings()
		d.Closed(1, &iec104.LinkError{Reason: iec104.NetworkFailed})
	})
}

func TestConnectionsThatBreakAreTheLastReason(t *testing.T) {
	t.Parallel()
	now := time.Now()
	flapping := Finding{ID: Flapping, Severity: Problem, Peer: "a", Last: now}
	malformed := Finding{ID: Malformed, Severity: Problem, Peer: "a", Last: now}
	note := Finding{ID: Duplicates, Severity: Note, Peer: "a", Last: now}
	old := Finding{ID: UnknownCA, Severity: Problem, Peer: "a", Last: now.Add(-severeFor)}
	for name, tt := range map[string]struct {
		found []Finding
		want  ID
	}{
		"before the cause":   {[]Finding{flapping, malformed}, Malformed},
		"behind the cause":   {[]Finding{malformed, flapping}, Malformed},
		"nothing but breaks": {[]Finding{note, old, flapping}, Flapping},
	} {
		if got := worst(tt.found, now); !strings.HasSuffix(got, "("+string(tt.want)+")") {
			t.Errorf("%s: %q, want %s", name, got, tt.want)
		}
	}
}
