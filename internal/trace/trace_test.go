package trace

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/iec104/apci"
	"busbar/iec104/asdu"
	"busbar/internal/tape"
)

// shown returns of each entry the octets.
func shown(entries []Entry) []string {
	list := make([]string, len(entries))
	for i, e := range entries {
		list[i] = e.Octets
	}
	return list
}

func plain(frames ...string) []string {
	for i, f := range frames {
		frames[i] = strings.ReplaceAll(f, " ", "")
	}
	return append([]string{}, frames...)
}

func TestFilters(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.session(t)
	other := r.open("other", 1)
	other.Record(true, octets(t, float))
	all := plain(startAct, startCon, giAct, giCon, single, float, ackOne, testAct, testCon, command, refusal, unknownCA, malformed, badStart)
	tests := []struct {
		name   string
		filter Filter
		want   []string
	}{
		{"link", Filter{Link: "scada.17"}, all},
		{"connector", Filter{Connector: "other"}, plain(float)},
		{"no such link", Filter{Link: "scada.18"}, plain()},
		{"direction sent", Filter{Connector: "scada", Direction: "sent"}, plain(startCon, giCon, single, float, testCon, refusal, unknownCA, malformed)},
		{"direction received", Filter{Connector: "scada", Direction: "received"}, plain(startAct, giAct, ackOne, testAct, command, badStart)},
		{"format S", Filter{Formats: []apci.Format{apci.FormatS}}, plain(ackOne)},
		{"formats S and U", Filter{Formats: []apci.Format{apci.FormatS, apci.FormatU}}, plain(startAct, startCon, ackOne, testAct, testCon)},
		{"type", Filter{Connector: "scada", Types: []asdu.TypeID{asdu.M_SP_NA_1, asdu.C_DC_NA_1}}, plain(single, command, refusal)},
		{"cause", Filter{Causes: []asdu.Cause{asdu.InterrogatedGeneral}}, plain(single)},
		{"common address", Filter{CA: 99}, plain(unknownCA)},
		{"object address", Filter{Connector: "scada", IOA: 100}, plain(float)},
		{"point", Filter{Point: "t1/oil"}, plain(float)},
		{"command", Filter{Point: "q0/switch"}, plain(command, refusal)},
		{"a point is not the command at its address", Filter{Point: "not/the/command"}, plain()},
		{"errors only", Filter{Connector: "scada", Errors: true}, plain(refusal, unknownCA, malformed, badStart)},
		{"quiet", Filter{Connector: "scada", Quiet: true}, plain(startAct, startCon, giAct, giCon, single, float, command, refusal, unknownCA, malformed, badStart)},
		{"time to come", Filter{From: time.Now().Add(time.Hour)}, plain()},
		{"time gone by", Filter{To: time.Now().Add(-time.Hour)}, plain()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(shown(r.tracer.Snapshot(tt.filter, 100)), tt.want); diff != "" {
				t.Errorf("-got +want:\n%s", diff)
			}
		})
	}
}

func TestSnapshotShowsTheLast(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.session(t)
	if diff := cmp.Diff(shown(r.tracer.Snapshot(Filter{}, 3)), plain(unknownCA, malformed, badStart)); diff != "" {
		t.Errorf("-got +want:\n%s", diff)
	}
	r.tape.End()
	if diff := cmp.Diff(shown(r.tracer.Snapshot(Filter{}, 1)), plain(badStart)); diff != "" {
		t.Errorf("after the end of the link, -got +want:\n%s", diff)
	}
}

func TestEntriesAreDecoded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.session(t)
	entries := r.tracer.Snapshot(Filter{}, 100)
	var got []string
	for _, e := range entries {
		if e.Link != "scada.17" || e.Connector != "scada" || e.Conn != 17 || e.Peer != "10.0.0.9:51000" || e.Time.IsZero() || e.ID == "" {
			t.Fatalf("entry %+v", e)
		}
		e.ID, e.Time, e.Link, e.Connector, e.Conn, e.Peer, e.Octets = "", time.Time{}, "", "", 0, "", ""
		b, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, strings.Replace(string(b), `"id":"","time":"0001-01-01T00:00:00Z","link":"","connector":"","conn":0,"peer":"",`, "", 1))
	}
	for at, want := range map[int]string{
		0: `{"direction":"received","apci":{"format":"U","function":"STARTDT act"}}`,
		5: `{"direction":"sent","apci":{"format":"I","ns":2,"nr":1},"asdu":{"typeId":13,"type":"M_ME_NC_1","sq":false,"count":1,"cot":"spontaneous","cotId":3,` +
			`"negative":false,"test":false,"oa":0,"ca":1,"objects":[{"ca":1,"ioa":100,"type":"M_ME_NC_1","typeId":13,"cot":"spontaneous","cotId":3,` +
			`"negative":false,"test":false,"oa":0,"value":23.5,"quality":[]}]},"names":{"100":"t1/oil"}}`,
		6:  `{"direction":"received","apci":{"format":"S","nr":1}}`,
		13: `{"direction":"received","fault":"no start octet"}`,
	} {
		if want == `{"direction":"received","fault":"no start octet"}` {
			if !strings.HasPrefix(got[at], `{"direction":"received","fault":"`) {
				t.Errorf("entry %d is %s, want a fault", at, got[at])
			}
			continue
		}
		if got[at] != want {
			t.Errorf("entry %d is\n%s, want\n%s", at, got[at], want)
		}
	}
}

func TestFollowShowsWhatComes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.tape.Record(true, octets(t, startCon)) // before
		ctx, cancel := context.WithCancel(t.Context())
		var got []Entry
		done := make(chan error, 1)
		go func() {
			done <- r.tracer.Follow(ctx, Filter{Quiet: true}, func(e []Entry) error { got = append(got, e...); return nil })
		}()
		synctest.Wait()
		r.session(t)
		time.Sleep(time.Millisecond)
		later := r.open("later", 1)
		later.Record(true, octets(t, float))
		later.End()
		time.Sleep(150 * time.Millisecond)
		synctest.Wait()
		want := plain(startAct, startCon, giAct, giCon, single, float, command, refusal, unknownCA, malformed, badStart, float)
		if diff := cmp.Diff(shown(got), want); diff != "" {
			t.Errorf("-got +want:\n%s", diff)
		}
		ids := map[string]bool{}
		for _, e := range got {
			if ids[e.ID] {
				t.Errorf("id %s twice", e.ID)
			}
			ids[e.ID] = true
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Follow = %v", err)
		}
	})
}

func TestSlowFollowerIsToldWhatItHasLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.deck.Limit(tape.Limits{Link: 4096})
		ctx, cancel := context.WithCancel(t.Context())
		var got []Entry
		slow, done := make(chan struct{}), make(chan error, 1)
		go func() {
			done <- r.tracer.Follow(ctx, Filter{}, func(e []Entry) error {
				got = append(got, e...)
				<-slow
				return nil
			})
		}()
		synctest.Wait()
		r.tape.Record(true, octets(t, startCon))
		time.Sleep(150 * time.Millisecond)
		synctest.Wait()
		for range 10_000 { // it does not wait for the follower
			r.tape.Record(true, octets(t, float))
		}
		close(slow)
		time.Sleep(150 * time.Millisecond)
		synctest.Wait()
		cancel()
		<-done
		lost := uint64(0)
		for _, e := range got {
			lost += e.Lost
		}
		size := uint64(20 + 12)
		if n := len(got); got[0].Direction != "sent" || n < 100 || lost != size*uint64(10_002-n) {
			t.Errorf("%d entries, %d octets lost", n, lost)
		}
	})
}

// TestFloodIsBounded follows a thousand links that send more than can be shown.
func TestFloodIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		var links []*tape.Tape
		for n := range 1000 {
			links = append(links, r.open(fmt.Sprintf("c%d", n), 1))
		}
		ctx, cancel := context.WithCancel(t.Context())
		most, done := 0, make(chan error, 1)
		go func() {
			done <- r.tracer.Follow(ctx, Filter{}, func(e []Entry) error { most = max(most, len(e)); return nil })
		}()
		synctest.Wait()
		frame := octets(t, float)
		for range 10 {
			for _, l := range links {
				for range 50 {
					l.Record(true, frame)
				}
			}
			time.Sleep(followEvery)
		}
		cancel()
		<-done
		if most == 0 || most > followMost+len(links)+1 {
			t.Errorf("%d entries at once, want at most %d and one per link that has lost any", most, followMost)
		}
		if n := r.deck.Octets(); n > tape.DefaultTotal {
			t.Errorf("%d octets on tapes", n)
		}
	})
}

func FuzzFrames(f *testing.F) {
	for _, text := range []string{startAct, giAct + single, malformed, badStart, "68", "68 04", single + "68 ff"} {
		f.Add(octets(f, text))
	}
	link := tape.Link{ID: "a.1", Connector: "scada", Octets: [3]int{2, 2, 3}}
	tracer := newTracer(nil, names)
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		frames(&link, &tape.Record{Octets: b}, func(f *frame) bool {
			n += len(f.octets)
			if _, err := json.Marshal(tracer.entry(f)); err != nil {
				t.Errorf("entry of % x: %v", f.octets, err)
			}
			newChooser(&Filter{Point: "t1/oil", Errors: true, Quiet: true}, names).takes(f)
			return true
		})
		if n != len(b) {
			t.Errorf("%d octets in frames, want %d", n, len(b))
		}
	})
}
