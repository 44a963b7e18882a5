package iec104server

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/point"
)

// shownBy looks after a second, and returns what was published, in order of name.
type shownBy struct {
	*board
	news []string
}

func newShown() *shownBy {
	b := &shownBy{}
	b.board = newBoard(func(name string, v point.Value) { b.news = append(b.news, name+" "+v.String()) })
	return b
}

func (b *shownBy) after(t *testing.T, r *rig, d time.Duration) []string {
	t.Helper()
	time.Sleep(d)
	b.news = []string{}
	r.show(b.board, false)
	slices.Sort(b.news)
	return b.news
}

func TestSystemPoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, pair(), func(s *Settings) { s.Buffer.Events = 10 })
		r.targets(oneInt())
		b := newShown()
		expect(t, b.after(t, r, 0), "connections 0", "dropped 0", "fill 0", "nearly-full off", "overflow off", "started 0")
		s, standby := r.joinFrom(addressA).settle(), r.open(addressB)
		expect(t, b.after(t, r, 900*time.Millisecond)) // not twice in a second
		expect(t, b.after(t, r, 100*time.Millisecond), "connections 2", "groups/scada/dropped 0", "groups/scada/fill 0",
			"groups/scada/nearly-full off", "groups/scada/overflow off", "groups/scada/started on", "started 1")
		s.Closed(nil)
		standby.Closed(nil)
		r.ints(1, 2, 3, 4, 5, 6, 7, 8)
		r.sessions = nil
		expect(t, b.after(t, r, time.Second), "connections 0", "fill 80", "groups/scada/fill 80", "groups/scada/nearly-full on",
			"groups/scada/started off", "nearly-full on", "started 0")
		r.ints(9, 10, 11, 12)
		expect(t, b.after(t, r, time.Second), "fill 100", "groups/scada/fill 100", "groups/scada/overflow on", "overflow on")
		expect(t, b.after(t, r, time.Minute), "dropped 2", "groups/scada/dropped 2")
		s = r.joinFrom(addressA)
		take(s, 4)
		expect(t, b.after(t, r, time.Second), "connections 1", "fill 60", "groups/scada/fill 60", "groups/scada/started on", "started 1")
		take(s, 1)
		expect(t, b.after(t, r, time.Second), "fill 50", "groups/scada/fill 50", "groups/scada/nearly-full off",
			"groups/scada/overflow off", "nearly-full off", "overflow off")
		s.Closed(nil)
		r.pass(unusedFor)
		r.expire(r.now())
		expect(t, b.after(t, r, time.Second), "connections 0", "fill 0", "groups/scada/dropped 0", "groups/scada/fill 0",
			"groups/scada/started off", "started 0")
	})
}

func TestShortOverflowIsShown(t *testing.T) {
	is := levels{}.next(10, 5) // between two looks
	if !is.overflow || !is.nearly {
		t.Errorf("%+v after events were dropped, want the overflow", is)
	}
	if is = is.next(10, 5); is.overflow || is.nearly {
		t.Errorf("%+v with room again, want none", is)
	}
}

func TestSegmentsOfGroups(t *testing.T) {
	for _, tt := range []struct {
		key  groupKey
		want string
	}{
		{groupKey{name: "scada"}, "scada"},
		{groupKey{peer: addressA}, "10.9.0.1"},
		{groupKey{peer: netip.MustParseAddr("2001:db8::1")}, "2001-db8--1"},
		{groupKey{name: "psi", peer: addressA}, "psi_10.9.0.1"},
	} {
		if got := tt.key.segment(); got != tt.want {
			t.Errorf("segment %q of %v, want %q", got, tt.key, tt.want)
		}
	}
}

func TestDeclaredSystemPointsAreThosePublished(t *testing.T) {
	types := map[string]point.Type{}
	for _, p := range systemPoints() {
		types[p.Name] = p.Type
		if p.Doc == "" {
			t.Errorf("%s has no documentation", p.Name)
		}
	}
	r := newRig(t, pair())
	r.joinFrom(addressA)
	published := 0
	r.show(newBoard(func(name string, v point.Value) {
		published++
		name = strings.Replace(name, "groups/scada/", "groups/*/", 1)
		if types[name] != v.Type() {
			t.Errorf("%s is published as %s and declared as %s", name, v.Type(), types[name])
		}
	}), true)
	if published != len(types) {
		t.Errorf("%d points published, %d declared", published, len(types))
	}
}

// A system point that is a target of its own server is an event that it counts.
func TestSystemPointsOfTheirOwnServerDoNotFeedThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, pair(), func(s *Settings) { s.Buffer.Events = 10 })
		var targets []connector.Target
		points := map[string]uint32{}
		for i, name := range showNames {
			for _, prefix := range []string{"", "groups/scada/"} {
				p := uint32(2*i + len(prefix)/8 + 1)
				points[prefix+name] = p
				targets = append(targets, at(p, 1, p, asdu.M_ME_NC_1, 0))
			}
		}
		r.targets(targets)
		r.joinFrom(addressA).Closed(nil)
		published := 0
		b := newBoard(func(name string, v point.Value) {
			published++
			defer r.publish(news(points[name], v))
		})
		const hour = 3600
		for range hour {
			time.Sleep(time.Second)
			r.show(b, false)
		}
		if published > 2*60+50 {
			t.Errorf("%d values in an hour, want those of the dropped events once a minute", published)
		}
	})
}

func TestServerShowsItsSystemPoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		r := startServerWith(t, func(e *connector.Env) {
			e.System = func(name string, v point.Value) { got = append(got, fmt.Sprint(name, " ", v)) }
		})
		r.feed.targets(oneInt()...)
		m := r.master(t)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if !slices.Contains(got, "started 1") || !slices.Contains(got, "connections 1") {
			t.Errorf("system points %v, want a started connection", got)
		}
		r.stop(t)
		<-m.Done()
		if got[len(got)-1] != "started 0" {
			t.Errorf("system points %v, want no connection at the end", got)
		}
	})
}
