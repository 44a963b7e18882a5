package iec104

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/iec104/asdu"
)

// initialised is the end of initialisation of common address 1 after a remote reset.
func initialised() Event {
	return Event{CA: 1, Type: asdu.M_EI_NA_1, Cause: asdu.Initialised, Object: asdu.Object{Qualifier: 2}}
}

// everyType is a point of each type that an interrogation answers with.
func everyType() []Item {
	item := func(t asdu.TypeID, ioa, value uint32, q asdu.Quality) Item {
		return Item{Type: t, Object: asdu.Object{IOA: ioa, Value: value, Quality: q}}
	}
	return []Item{
		item(asdu.M_SP_NA_1, 1, 1, asdu.NT), item(asdu.M_DP_NA_1, 2, 2, asdu.IV|asdu.BL), item(asdu.M_ST_NA_1, 3, 0xfffffffb, asdu.OV),
		item(asdu.M_BO_NA_1, 4, 0x12345678, 0), item(asdu.M_ME_NA_1, 5, 16384, 0), item(asdu.M_ME_NB_1, 6, 0xfffffffe, asdu.SB),
		item(asdu.M_ME_NC_1, 7, 0x41ac0000, 0), item(asdu.M_PS_NA_1, 8, 0x00030001, 0), item(asdu.M_ME_ND_1, 9, 16384, 0),
	}
}

func interrogationRows() []check {
	const (
		ask  = "64 01 06 05 01 00 00 00 00 14"
		con  = "64 01 07 05 01 00 00 00 00 14"
		term = "64 01 0a 05 01 00 00 00 00 14"
	)
	return []check{
		{row: "5.2 controlled interrogation: every untagged type with its quality", script: func(e *edge) {
			e.st.points[1] = everyType()
			e.start()
			e.send(iframe(0, 0, ask))
			for i, want := range []string{
				con,
				"01 01 14 05 01 00 01 00 00 41", "03 01 14 05 01 00 02 00 00 92", "05 01 14 05 01 00 03 00 00 7b 01",
				"07 01 14 05 01 00 04 00 00 78 56 34 12 00", "09 01 14 05 01 00 05 00 00 00 40 00", "0b 01 14 05 01 00 06 00 00 fe ff 20",
				"0d 01 14 05 01 00 07 00 00 00 00 ac 41 00", "14 01 14 05 01 00 08 00 00 01 00 03 00 00", "15 01 14 05 01 00 09 00 00 00 40",
				term,
			} {
				e.expect(iframe(i, 1, want))
			}
			e.expectSilence()
		}},
		{row: "5.2 controlled interrogation: group with its cause", script: func(e *edge) {
			e.st.groups = map[uint8][]Item{}
			for qoi := range uint8(16) {
				e.st.groups[21+qoi] = []Item{single(100+uint32(qoi), 1)}
			}
			e.start()
			for i := range 16 {
				q := hexOf([]byte{byte(21 + i)})
				e.send(iframe(i, 3*i, "64 01 06 00 01 00 00 00 00"+q))
				e.expect(iframe(3*i, i+1, "64 01 07 00 01 00 00 00 00"+q),
					iframe(3*i+1, i+1, "01 01"+q+"00 01 00"+hexOf([]byte{byte(100 + i)})+"00 00 01"),
					iframe(3*i+2, i+1, "64 01 0a 00 01 00 00 00 00"+q))
			}
		}},
		asked("5.2 controlled interrogation: configured but empty group", iframe(0, 0, "64 01 06 05 01 00 00 00 00 17"), []string{"interrogate 1 23"},
			iframe(0, 1, "64 01 07 05 01 00 00 00 00 17"), iframe(1, 1, "64 01 0a 05 01 00 00 00 00 17")),
		refused("5.2 controlled interrogation: reserved and private qualifiers",
			iframe(0, 0, "64 01 06 00 01 00 00 00 00 25")+iframe(1, 0, "64 01 06 00 01 00 00 00 00 13")+iframe(2, 0, "64 01 06 00 01 00 00 00 00 ff"),
			iframe(0, 3, "64 01 47 00 01 00 00 00 00 25"), iframe(1, 3, "64 01 47 00 01 00 00 00 00 13"), iframe(2, 3, "64 01 47 00 01 00 00 00 00 ff")),
		{row: "5.2 controlled interrogation: another qualifier or address is served in its turn", cfg: ServerConfig{MaxObjectsPerASDU: 1}, script: func(e *edge) {
			e.st.addresses = []uint16{1, 2}
			e.st.points[2] = []Item{single(9, 1)}
			e.start()
			e.send(iframe(0, 0, giAct), iframe(1, 0, "64 01 06 00 01 00 00 00 00 16"), iframe(2, 0, "64 01 06 00 02 00 00 00 00 14"))
			for i, want := range []string{
				giCon, "64 01 07 00 01 00 00 00 00 16", "64 01 07 00 02 00 00 00 00 14",
				"01 01 14 00 01 00 64 00 00 01", "01 01 14 00 01 00 65 00 00 00", giEnd,
				"01 01 16 00 01 00 64 00 00 01", "64 01 0a 00 01 00 00 00 00 16",
				"01 01 14 00 02 00 09 00 00 01", "64 01 0a 00 02 00 00 00 00 14",
			} {
				e.expect(iframe(i, 3, want))
			}
			e.expectSilence()
		}},
		{row: "5.2 controlled interrogation: broadcast while one of the addresses is being answered", cfg: ServerConfig{MaxObjectsPerASDU: 1}, script: func(e *edge) {
			e.st.addresses = []uint16{1, 2}
			e.st.points[2] = []Item{single(9, 1)}
			e.start()
			e.send(iframe(0, 0, giAct), iframe(1, 0, "64 01 06 00 ff ff 00 00 00 14"))
			for i, want := range []string{
				giCon, "64 01 47 00 01 00 00 00 00 14", "01 01 14 00 01 00 64 00 00 01", "01 01 14 00 01 00 65 00 00 00", giEnd,
				"64 01 07 00 02 00 00 00 00 14", "01 01 14 00 02 00 09 00 00 01", "64 01 0a 00 02 00 00 00 00 14",
			} {
				e.expect(iframe(i, 2, want))
			}
			e.expectSilence()
		}},
		{row: "5.2 controlled interrogation: cancelled", script: func(e *edge) {
			e.st.points[1] = many(1, 2000)
			e.start()
			e.send(iframe(0, 0, ask))
			e.expect(iframe(0, 1, con))
			for range 11 {
				if b := e.next(); len(b) != 142 {
					e.t.Fatalf("received %x, want 127 points", b)
				}
			}
			e.send(iframe(1, 0, "64 01 08 05 01 00 00 00 00 14"), sframe(12))
			e.expect(iframe(12, 2, "64 01 09 05 01 00 00 00 00 14"))
			e.silence(time.Second) // no more data, no termination
			e.send(iframe(2, 13, "64 01 08 05 01 00 00 00 00 14"))
			e.expect(iframe(13, 3, "64 01 49 05 01 00 00 00 00 14"))
			e.st.points[1] = many(1, 1) // a new one is served
			e.send(iframe(3, 14, ask))
			e.expect(iframe(14, 4, con), iframe(15, 4, "01 01 14 05 01 00 01 00 00 00"), iframe(16, 4, term))
		}},
		{row: "5.2 controlled interrogation: cancel of another qualifier", cfg: ServerConfig{Params: Params{K: 1, W: 1}}, script: func(e *edge) {
			e.start()
			e.send(iframe(0, 0, ask))
			e.expect(iframe(0, 1, con))
			e.send(iframe(1, 1, "64 01 08 05 01 00 00 00 00 16"))
			e.expect(iframe(1, 2, "64 01 49 05 01 00 00 00 00 16"))
			e.send(sframe(2))
			e.expect(iframe(2, 2, "01 82 14 05 01 00 64 00 00 01 00"))
			e.send(sframe(3))
			e.expect(iframe(3, 2, term))
		}},
		{row: "5.2 controlled interrogation: ends with STOPDT, is not taken up again", script: func(e *edge) {
			e.st.points[1] = many(1, 2000)
			e.start()
			e.send(iframe(0, 0, ask))
			for range 12 {
				if e.next() == nil {
					e.t.Fatal("the window is not used")
				}
			}
			e.send("68 04 13 00 00 00", sframe(12))
			e.expect("68 04 23 00 00 00")
			e.start()
			e.silence(time.Second)
			e.send(iframe(1, 12, "64 01 08 05 01 00 00 00 00 14"))
			e.expect(iframe(12, 2, "64 01 49 05 01 00 00 00 00 14"))
		}},
		{row: "5.2 controlled interrogation: ends with STOPDT, nor is what was made ready", script: func(e *edge) {
			e.st.points[1] = many(1, 5000)
			e.start()
			e.send(iframe(0, 0, ask))
			e.expect(iframe(0, 1, con))
			e.send(sframe(1)) // a quick peer
			n := 1
			for b := e.next(); b != nil; b = e.next() {
				n++
			}
			e.send("68 04 13 00 00 00", sframe(n))
			e.expect("68 04 23 00 00 00")
			e.put(event(100, 1))
			e.send("68 04 07 00 00 00")
			e.expect("68 04 0b 00 00 00", iframe(n, 1, spont(100)))
			e.silence(time.Second)
		}},
		{row: "5.2 controlled interrogation: the events that waited come first, termination last", script: func(e *edge) {
			e.st.held = func(uint16) Interrogation { return &gated{e.st.queue, many(200, 2)} }
			for i := range 3 {
				e.put(event(uint32(100+i), 1))
			}
			e.send("68 04 07 00 00 00", iframe(0, 0, giAct))
			e.expect("68 04 0b 00 00 00", iframe(0, 1, giCon),
				iframe(1, 1, "01 03 03 00 01 00 64 00 00 01 65 00 00 01 66 00 00 01"),
				iframe(2, 1, "01 82 14 00 01 00 c8 00 00 00 00"), iframe(3, 1, giEnd))
			e.expectSilence()
		}},
		{row: "5.2 controlled interrogation: a generator feeds the window", script: func(e *edge) {
			g := &counted{items: many(1, 50_000)}
			e.st.held = func(uint16) Interrogation { return g }
			e.start()
			e.send(iframe(0, 0, giAct))
			e.wait(time.Second)
			if g.read < 11*127 || g.read > 2*12*127+128 { // what is sent and as much made ahead
				e.t.Errorf("%d objects read for a window of 12 frames", g.read)
			}
		}},
		{row: "5.2 controlled interrogation: a read beside it has the cause of a read, quick peer", cfg: ServerConfig{Params: Params{K: 1, W: 1}},
			script: func(e *edge) { readBeside(e, 0) }},
		{row: "5.2 controlled interrogation: a read beside it has the cause of a read, slow peer", cfg: ServerConfig{Params: Params{K: 1, W: 1}},
			script: func(e *edge) { readBeside(e, time.Second) }},
		{row: "5.2 controlled interrogation: cancelled while frames wait for the window", script: func(e *edge) {
			e.st.points[1] = many(1, 10_000)
			e.start()
			e.send(iframe(0, 0, ask))
			e.expect(iframe(0, 1, con))
			e.send(sframe(1)) // a quick peer, for which more is made ready
			n := 1
			for b := e.next(); b != nil; b = e.next() {
				n++
			}
			e.send(sframe(n))
			for b := e.next(); b != nil; b = e.next() {
				n++
			}
			e.send(iframe(1, n, "64 01 08 05 01 00 00 00 00 14"))
			e.expect(iframe(n, 2, "64 01 09 05 01 00 00 00 00 14"))
			e.silence(time.Second)
		}},
		{row: "5.2 controlled interrogation: goes on when one that waits is cancelled, quick peer", script: func(e *edge) { cancelWaiting(e, 0) }},
		{row: "5.2 controlled interrogation: goes on when one that waits is cancelled, slow peer", script: func(e *edge) { cancelWaiting(e, 10*time.Millisecond) }},
		{row: "5.2 controlled interrogation: tagged data of a station that has such", script: func(e *edge) {
			e.st.points[1] = []Item{{Type: asdu.M_SP_TB_1, Object: asdu.Object{IOA: 100, Value: 1, Time: 0x1a074e8d2d69f3}}}
			e.start()
			e.send(iframe(0, 0, giAct))
			e.expect(iframe(0, 1, giCon), iframe(1, 1, "1e 01 14 00 01 00 64 00 00 01 f3 69 2d 8d 4e 07 1a"), iframe(2, 1, giEnd))
		}},
	}
}

// readBeside reads a point while an interrogation waits for a peer that takes
// a while to acknowledge.
func readBeside(e *edge, delay time.Duration) {
	e.st.points[1] = many(1, 130)
	e.start()
	e.send(iframe(0, 0, "64 01 06 05 01 00 00 00 00 14"))
	e.expect(iframe(0, 1, "64 01 07 05 01 00 00 00 00 14"))
	e.wait(delay)
	e.send(sframe(1))
	e.expect(iframe(1, 1, "01 ff 14 05 01 00 01 00 00"+strings.Repeat("00", 127)))
	e.send(iframe(1, 1, "66 01 05 07 01 00 05 00 00"))
	e.expect(sframe(2))
	objects := map[string]int{}
	for n := 2; ; n++ {
		e.wait(delay)
		e.send(sframe(n))
		b := e.next()
		if b == nil {
			break
		}
		objects[fmt.Sprintf("cause %d by %d", b[8], b[9])] += int(b[7] & 0x7f)
	}
	if diff := cmp.Diff(map[string]int{"cause 20 by 5": 3, "cause 5 by 7": 1, "cause 10 by 5": 1}, objects); diff != "" {
		e.t.Errorf("objects after the first ASDU (-want +got):\n%s", diff)
	}
}

// cancelWaiting cancels requests that wait behind an interrogation: so many
// that whatever number tells requests apart has been used up.
func cancelWaiting(e *edge, delay time.Duration) {
	const points = 300 * 200
	e.st.points[1] = many(1, points)
	e.start()
	e.send(iframe(0, 0, giAct))
	e.expect(iframe(0, 1, giCon))
	frames, seen, vs := 1, 0, 1
	take := func() {
		for b := e.next(); b != nil; b = e.next() {
			if b[2]&1 == 1 {
				continue
			}
			frames++
			if b[8] == 20 {
				seen += int(b[7] & 0x7f)
			}
		}
	}
	for range 300 {
		take()
		e.wait(delay)
		e.send(sframe(frames - 10)) // room for two, taken by the confirmations
		e.send(iframe(vs, frames-10, "64 01 06 05 01 00 00 00 00 16"), iframe(vs+1, frames-10, "64 01 08 05 01 00 00 00 00 16"))
		vs += 2
	}
	for before := -1; before != frames; {
		before = frames
		take()
		e.wait(delay)
		e.send(sframe(frames))
	}
	if seen != points {
		e.t.Errorf("%d points in the answer, want %d", seen, points)
	}
}

// counted is an answer that counts what is read from it.
type counted struct {
	items []Item
	read  int
}

func (c *counted) Next(dst []Item) (int, bool) {
	n := copy(dst, c.items[c.read:])
	c.read += n
	return n, c.read == len(c.items)
}

func counterRows() []check {
	const reading = "20 03 00 15 cd 5b 07 05"
	read := func(row, qcc, cause string) check {
		return asked("5.3 controlled counters: "+row, iframe(0, 0, "65 01 06 05 01 00 00 00 00"+qcc), []string{"counters 1 " + strings.TrimLeft(qcc, "0") + " 0"},
			iframe(0, 1, "65 01 07 05 01 00 00 00 00"+qcc), iframe(1, 1, "0f 01"+cause+"05 01 00"+reading),
			iframe(2, 1, "65 01 0a 05 01 00 00 00 00"+qcc))
	}
	freeze := func(row, qcc, told string) check {
		return asked("5.3 controlled counters: "+row, iframe(0, 0, "65 01 06 05 01 00 00 00 00"+qcc), []string{told},
			iframe(0, 1, "65 01 07 05 01 00 00 00 00"+qcc), iframe(1, 1, "65 01 0a 05 01 00 00 00 00"+qcc))
	}
	no := func(row, qcc string) check {
		return refused("5.3 controlled counters: "+row, iframe(0, 0, "65 01 06 05 01 00 00 00 00"+qcc), iframe(0, 1, "65 01 47 05 01 00 00 00 00"+qcc))
	}
	return []check{
		read("general read", "05", "25"), read("read of group 1", "01", "26"), read("read of group 2", "02", "27"),
		read("read of group 3", "03", "28"), read("read of group 4", "04", "29"),
		freeze("freeze", "45", "counters 1 5 1"), freeze("freeze with reset of group 1", "81", "counters 1 1 2"),
		freeze("reset", "c5", "counters 1 5 3"),
		no("no group", "00"), no("reserved group", "06"), no("private group", "3f"),
		refused("5.3 controlled counters: object address", iframe(0, 0, "65 01 06 00 01 00 01 00 00 05"), iframe(0, 1, "65 01 6f 00 01 00 01 00 00 05")),
		refused("5.3 controlled counters: cancel of nothing", iframe(0, 0, "65 01 08 00 01 00 00 00 00 05"), iframe(0, 1, "65 01 49 00 01 00 00 00 00 05")),
		refused("5.3 controlled counters: freeze under test", iframe(0, 0, "65 01 86 00 01 00 00 00 00 45"), iframe(0, 1, "65 01 c7 00 01 00 00 00 00 45")),
		{row: "5.3 controlled counters: refused by the station", script: func(e *edge) {
			e.st.counters = nil
			e.start()
			e.send(iframe(0, 0, "65 01 06 00 01 00 00 00 00 05"))
			e.expect(iframe(0, 1, "65 01 47 00 01 00 00 00 00 05"))
			e.expectSilence()
		}},
		{row: "5.3 controlled counters: tagged readings", script: func(e *edge) {
			e.st.counters = []Item{{Type: asdu.M_IT_TB_1, Object: asdu.Object{IOA: 800, Value: 123456789, Sequence: 5, Time: 0x1a074e8d2d69f3}}}
			e.start()
			e.send(iframe(0, 0, "65 01 06 00 01 00 00 00 00 05"))
			e.expect(iframe(0, 1, "65 01 07 00 01 00 00 00 00 05"),
				iframe(1, 1, "25 01 25 00 01 00"+reading+"f3 69 2d 8d 4e 07 1a"), iframe(2, 1, "65 01 0a 00 01 00 00 00 00 05"))
		}},
		{row: "5.3 controlled counters: broadcast freeze", script: func(e *edge) {
			e.st.addresses = []uint16{1, 2}
			e.start()
			e.send(iframe(0, 0, "65 01 06 05 ff ff 00 00 00 45"))
			for i, want := range []string{
				"65 01 07 05 01 00 00 00 00 45", "65 01 0a 05 01 00 00 00 00 45", "65 01 07 05 02 00 00 00 00 45", "65 01 0a 05 02 00 00 00 00 45",
			} {
				e.expect(iframe(i, 1, want))
			}
			if got := e.told(); !slices.Equal(got, []string{"counters 1 5 1", "counters 2 5 1"}) {
				e.t.Errorf("station was told %q", got)
			}
		}},
		{row: "5.3 controlled counters: beside an interrogation", script: func(e *edge) {
			e.start()
			e.send(iframe(0, 0, giAct), iframe(1, 0, "65 01 06 00 01 00 00 00 00 05"))
			for i, want := range []string{
				giCon, "65 01 07 00 01 00 00 00 00 05", "01 82 14 00 01 00 64 00 00 01 00", giEnd,
				"0f 01 25 00 01 00" + reading, "65 01 0a 00 01 00 00 00 00 05",
			} {
				e.expect(iframe(i, 2, want))
			}
		}},
	}
}
