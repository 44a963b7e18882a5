package iec104

import (
	"fmt"
	"strings"
	"testing"

	"busbar/iec104/asdu"
)

func TestAnswers(t *testing.T) {
	t.Parallel()
	const clock = "f3 69 2d 8d 4e 07 1a"
	tests := []struct {
		name string
		ask  string
		want []string // nothing: no answer
	}{
		{"undefined type", "34 01 06 05 01 00 88 13 00 01", []string{"34 01 6c 05 01 00 88 13 00 01"}},
		{"type 0", "00 01 06 05 01 00 88 13 00 01", []string{"00 01 6c 05 01 00 88 13 00 01"}},
		{"private type", "ff 01 06 05 01 00 88 13 00 01", []string{"ff 01 6c 05 01 00 88 13 00 01"}},
		{"monitor type", "01 01 03 00 01 00 64 00 00 01", []string{"01 01 6c 00 01 00 64 00 00 01"}},
		{"parameter", "71 01 06 00 01 00 00 00 00 01", []string{"71 01 6c 00 01 00 00 00 00 01"}},
		{"test bit is kept", "34 01 86 05 01 00 88 13 00 01", []string{"34 01 ec 05 01 00 88 13 00 01"}},
		{"test 104", "68 01 06 00 01 00 00 00 00 aa 55", []string{"68 01 6c 00 01 00 00 00 00 aa 55"}},
		{"test 107", "6b 01 06 00 01 00 00 00 00 02 01" + clock, []string{"6b 01 07 00 01 00 00 00 00 02 01" + clock}},
		{"cause 3", "2d 01 03 05 01 00 88 13 00 01", []string{"2d 01 6d 05 01 00 88 13 00 01"}},
		{"cause 0", "64 01 00 00 01 00 00 00 00 14", []string{"64 01 6d 00 01 00 00 00 00 14"}},
		{"read with cause 6", "66 01 06 00 01 00 64 00 00", []string{"66 01 6d 00 01 00 64 00 00"}},
		{"common address 0", "2d 01 06 05 00 00 88 13 00 01", []string{"2d 01 6e 05 00 00 88 13 00 01"}},
		{"common address of nobody", "2d 01 06 05 4d 00 88 13 00 01", []string{"2d 01 6e 05 4d 00 88 13 00 01"}},
		{"command to all", "2d 01 06 05 ff ff 88 13 00 01", []string{"2d 01 6e 05 ff ff 88 13 00 01"}},
		{"read from all", "66 01 05 00 ff ff 64 00 00", []string{"66 01 6e 00 ff ff 64 00 00"}},
		{"interrogation with object address", "64 01 06 00 01 00 01 00 00 14", []string{"64 01 6f 00 01 00 01 00 00 14"}},
		{"read of nothing", "66 01 05 00 01 00 09 00 00", []string{"66 01 6f 00 01 00 09 00 00"}},
		{"read", "66 01 05 07 01 00 64 00 00", []string{"01 01 05 07 01 00 64 00 00 01"}},
		{"read under test", "66 01 85 07 01 00 64 00 00", []string{"01 01 85 07 01 00 64 00 00 01"}},
		{"unknown command", "2d 01 06 05 01 00 09 00 00 01", []string{"2d 01 6f 05 01 00 09 00 00 01"}},
		{"command", "2d 01 06 05 01 00 88 13 00 01", []string{"2d 01 07 05 01 00 88 13 00 01", "2d 01 0a 05 01 00 88 13 00 01"}},
		{"refused command", "2d 01 06 05 01 00 89 13 00 01", []string{"2d 01 47 05 01 00 89 13 00 01"}},
		{"select is not terminated", "2d 01 06 05 01 00 88 13 00 85", []string{"2d 01 07 05 01 00 88 13 00 85"}},
		{"cancel", "2d 01 08 05 01 00 88 13 00 85", []string{"2d 01 09 05 01 00 88 13 00 85"}},
		{"command with P/N", "2d 01 46 05 01 00 88 13 00 01", []string{"2d 01 47 05 01 00 88 13 00 01"}},
		{"command under test", "2d 01 86 05 01 00 88 13 00 01", []string{"2d 01 c7 05 01 00 88 13 00 01"}},
		{"two commands", "2d 02 06 05 01 00 88 13 00 01 8a 13 00 01", []string{"2d 02 47 05 01 00 88 13 00 01 8a 13 00 01"}},
		{"confirmation", "2d 01 07 05 01 00 88 13 00 01", nil},
		{"mirrored refusal", "2d 01 6f 05 01 00 88 13 00 01", nil},
		{"group that is not", "64 01 06 00 01 00 00 00 00 18", []string{"64 01 47 00 01 00 00 00 00 18"}},
		{"empty group", "64 01 06 00 01 00 00 00 00 16", []string{"64 01 07 00 01 00 00 00 00 16", "64 01 0a 00 01 00 00 00 00 16"}},
		{"qoi 0", "64 01 06 00 01 00 00 00 00 00", []string{"64 01 47 00 01 00 00 00 00 00"}},
		{"sq with one object", "64 81 06 00 01 00 00 00 00 16", []string{"64 81 07 00 01 00 00 00 00 16", "64 81 0a 00 01 00 00 00 00 16"}},
		{"group", "64 01 06 05 01 00 00 00 00 15", []string{
			"64 01 07 05 01 00 00 00 00 15", "01 01 15 05 01 00 0a 00 00 01", "64 01 0a 05 01 00 00 00 00 15"}},
		{"cancel of nothing", "64 01 08 00 01 00 00 00 00 14", []string{"64 01 49 00 01 00 00 00 00 14"}},
		{"counters", "65 01 06 05 01 00 00 00 00 05", []string{
			"65 01 07 05 01 00 00 00 00 05", "0f 01 25 05 01 00 20 03 00 15 cd 5b 07 05", "65 01 0a 05 01 00 00 00 00 05"}},
		{"freeze and reset", "65 01 06 00 01 00 00 00 00 81", []string{
			"65 01 07 00 01 00 00 00 00 81", "65 01 0a 00 01 00 00 00 00 81"}},
		{"freeze under test", "65 01 86 00 01 00 00 00 00 81", []string{"65 01 c7 00 01 00 00 00 00 81"}},
		{"no counter group", "65 01 06 00 01 00 00 00 00 00", []string{"65 01 47 00 01 00 00 00 00 00"}},
		{"clock", "67 01 06 00 01 00 00 00 00" + clock, []string{"67 01 07 00 01 00 00 00 00" + clock}},
		{"clock with invalid time", "67 01 06 00 01 00 00 00 00 f3 69 ad 8d 4e 07 1a", []string{"67 01 47 00 01 00 00 00 00 f3 69 ad 8d 4e 07 1a"}},
		{"clock with month 13", "67 01 06 00 01 00 00 00 00 f3 69 2d 8d 4e 0d 1a", []string{"67 01 47 00 01 00 00 00 00 f3 69 2d 8d 4e 0d 1a"}},
		{"reset", "69 01 06 00 01 00 00 00 00 01", []string{"69 01 47 00 01 00 00 00 00 01"}},
		{"delay acquisition", "6a 01 06 00 01 00 00 00 00 d2 04", []string{"6a 01 6c 00 01 00 00 00 00 d2 04"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, ServerConfig{}, func(t *testing.T, st *testStation, p *peer) {
				st.points[1] = []Item{single(100, 1)}
				st.groups = map[uint8][]Item{21: {single(10, 1)}, 22: {}}
				st.counters = []Item{{Type: asdu.M_IT_NA_1, Object: asdu.Object{IOA: 800, Value: 123456789, Sequence: 5}}}
				st.verdict = func(c Command) Verdict {
					return map[uint32]Verdict{5000: Accepted, 5001: Refused}[c.IOA]
				}
				p.start()
				p.tell(tt.ask)
				p.expectASDU(tt.want...)
				p.expectSilence()
			})
		})
	}
}

func TestCommandsUnderTestAreNotHandedOn(t *testing.T) {
	t.Parallel()
	bubble(t, ServerConfig{}, func(t *testing.T, st *testStation, p *peer) {
		st.verdict = func(Command) Verdict { return Accepted }
		st.reset = true
		p.start()
		p.tell(
			"2d 01 86 05 01 00 88 13 00 01", "2d 01 46 05 01 00 88 13 00 01",
			"2d 02 06 05 01 00 88 13 00 01 89 13 00 01", "69 01 86 00 01 00 00 00 00 01",
			"67 01 86 00 01 00 00 00 00 f3 69 2d 8d 4e 07 1a",
		)
		st.expectRecord(t, "started true")
	})
}

func TestInterrogationOfAll(t *testing.T) {
	t.Parallel()
	bubble(t, ServerConfig{}, func(t *testing.T, st *testStation, p *peer) {
		st.addresses = []uint16{1, 258}
		st.points[1] = []Item{single(100, 1), single(101, 0)}
		st.points[258] = []Item{single(7, 1)}
		p.start()
		p.tell("64 01 06 05 ff ff 00 00 00 14")
		p.expectASDU(
			"64 01 07 05 01 00 00 00 00 14", "01 82 14 05 01 00 64 00 00 01 00", "64 01 0a 05 01 00 00 00 00 14",
			"64 01 07 05 02 01 00 00 00 14", "01 01 14 05 02 01 07 00 00 01", "64 01 0a 05 02 01 00 00 00 14",
		)
		p.tell("67 01 06 00 ff ff 00 00 00 f3 69 2d 8d 4e 07 1a")
		p.expectASDU("67 01 07 00 01 00 00 00 00 f3 69 2d 8d 4e 07 1a", "67 01 07 00 02 01 00 00 00 f3 69 2d 8d 4e 07 1a")
		p.expectSilence()
	})
}

// many returns n single points with the value 0, from address first upwards.
func many(first, n int) []Item {
	items := make([]Item, n)
	for i := range items {
		items[i] = single(uint32(first+i), 0)
	}
	return items
}

func TestSecondInterrogation(t *testing.T) {
	t.Parallel()
	bubble(t, ServerConfig{Params: Params{K: 1, W: 1}}, func(t *testing.T, st *testStation, p *peer) {
		st.points[1] = many(1, 200)
		st.groups = map[uint8][]Item{21: {single(500, 1)}}
		p.start()
		p.tell(giAct)
		p.expectASDU(giCon)
		p.ack()
		data := "01 ff 14 00 01 00 01 00 00" + strings.Repeat("00", 127)
		p.expectASDU(data)
		p.tell(giAct) // the same again: refused, the first goes on
		p.expectASDU("64 01 47 00 01 00 00 00 00 14")
		p.tell("64 01 06 00 01 00 00 00 00 15") // another: served
		p.expectASDU("64 01 07 00 01 00 00 00 00 15")
		for _, want := range []string{
			"01 c9 14 00 01 00 80 00 00" + strings.Repeat("00", 73), giEnd,
			"01 01 15 00 01 00 f4 01 00 01", "64 01 0a 00 01 00 00 00 00 15",
		} {
			p.ack()
			p.expectASDU(want)
		}
		p.ack()
		p.expectSilence()
	})
}

func TestCancelledInterrogation(t *testing.T) {
	t.Parallel()
	bubble(t, ServerConfig{Params: Params{K: 2, W: 1}}, func(t *testing.T, st *testStation, p *peer) {
		st.points[1] = many(1, 1000)
		p.start()
		p.tell(giAct)
		p.expectASDU(giCon)
		p.nextASDU()
		p.tell("64 01 08 00 01 00 00 00 00 14")
		p.expectASDU("64 01 09 00 01 00 00 00 00 14")
		p.ack()
		p.expectSilence()
	})
}

func TestPacking(t *testing.T) {
	t.Parallel()
	float := func(ioa uint32) Item { return Item{Type: asdu.M_ME_NC_1, Object: asdu.Object{IOA: ioa}} }
	spread := func(n, step int) (items []Item) {
		for i := range n {
			items = append(items, float(uint32(1+i*step)))
		}
		return items
	}
	tests := []struct {
		name  string
		items []Item
		max   int
		want  string // type, SQ, number of each ASDU
	}{
		{"consecutive", spread(100, 1), 0, "13/1/48 13/1/48 13/1/4"},
		{"spread", spread(70, 2), 0, "13/0/30 13/0/30 13/0/10"},
		{"one", spread(1, 1), 0, "13/0/1"},
		{"short runs are mixed", append(spread(5, 1), append([]Item{float(10)}, float(20), float(21))...), 0, "13/0/8"},
		{"a long run is not", append([]Item{float(5000)}, spread(48, 1)...), 0, "13/0/1 13/1/48"},
		{"types", []Item{single(1, 0), single(2, 0), float(3), float(4), single(5, 0)}, 0, "1/1/2 13/1/2 1/0/1"},
		{"one object per asdu", spread(3, 1), 1, "13/0/1 13/0/1 13/0/1"},
		{"types without sq=1", []Item{
			{Type: asdu.M_SP_TB_1, Object: asdu.Object{IOA: 1}}, {Type: asdu.M_SP_TB_1, Object: asdu.Object{IOA: 2}}}, 0, "30/0/2"},
		{"what cannot be encoded is skipped", []Item{
			single(1, 0), {Type: asdu.M_SP_NA_1, Object: asdu.Object{IOA: 2, Value: 9}}, single(3, 0), single(4, 0)}, 0, "1/1/1 1/1/2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, ServerConfig{MaxObjectsPerASDU: tt.max}, func(t *testing.T, st *testStation, p *peer) {
				st.points[1] = tt.items
				p.start()
				p.tell(giAct)
				p.expectASDU(giCon)
				var got []string
				for a := p.nextASDU(); a != nil && a[0] != 0x64; a = p.nextASDU() {
					got = append(got, fmt.Sprintf("%d/%d/%d", a[0], a[1]>>7, a[1]&0x7f))
				}
				if strings.Join(got, " ") != tt.want {
					t.Errorf("got %v, want %v", got, tt.want)
				}
			})
		})
	}
}

func TestEventsAreCoalescedInOrder(t *testing.T) {
	t.Parallel()
	bubble(t, ServerConfig{}, func(t *testing.T, st *testStation, p *peer) {
		double := Event{CA: 1, Type: asdu.M_DP_NA_1, Cause: asdu.Spontaneous, Object: asdu.Object{IOA: 9, Value: 2}}
		remote := event(4, 1)
		remote.Cause = asdu.ReturnRemote
		bad := event(8, 7) // no value of a single point
		st.put(event(1, 1), event(1, 0), event(2, 1), double, event(3, 1), bad, remote)
		p.start()
		p.expectASDU(
			"01 03 03 00 01 00 01 00 00 01 01 00 00 00 02 00 00 01", "03 01 03 00 01 00 09 00 00 02",
			"01 01 03 00 01 00 03 00 00 01", "01 01 0b 00 01 00 04 00 00 01",
		)
		st.put(event(5, 1)) // alone: at once
		p.expectASDU("01 01 03 00 01 00 05 00 00 01")
		p.ack()
		st.expectRecord(t, "started true", "confirm 8")
	})
}

func TestEventsAndInterrogationTakeTurns(t *testing.T) {
	t.Parallel()
	bubble(t, ServerConfig{Params: Params{K: 60}, MaxObjectsPerASDU: 20}, func(t *testing.T, st *testStation, p *peer) {
		st.points[1] = many(1, 400)
		for i := range 400 {
			st.put(event(uint32(i), 1))
		}
		p.tell() // nothing
		p.send(startDTAct, giNumbered)
		p.vs = 1
		p.expect(startDTCon)
		p.expectASDU(giCon)
		events, items, worst, row := 0, 0, 0, 0
		last := byte(0)
		for a := p.nextASDU(); a != nil; a = p.nextASDU() {
			switch a[2] {
			case 3:
				events += int(a[1])
			case 20:
				items += int(a[1] & 0x7f)
			}
			if a[2] != last {
				row, last = 0, a[2]
			}
			row++
			if events < 400 && items < 400 {
				worst = max(worst, row)
			}
		}
		if events != 400 || items != 400 {
			t.Errorf("%d events and %d items, want 400 of each", events, items)
		}
		if worst > 2*turnFrames {
			t.Errorf("%d frames of one kind in a row while both wait, want at most %d", worst, 2*turnFrames)
		}
	})
}

// gated is an answer that waits until events were taken.
type gated struct {
	queue *Queue
	items []Item
}

func (g *gated) Next(dst []Item) (int, bool) {
	if n, taken := g.queue.Len(); n > taken {
		return 0, false
	}
	n := copy(dst, g.items)
	g.items = g.items[n:]
	return n, len(g.items) == 0
}

func TestInterrogationWaitsForEvents(t *testing.T) {
	t.Parallel()
	bubble(t, ServerConfig{Params: Params{K: 100}, MaxObjectsPerASDU: 1}, func(t *testing.T, st *testStation, p *peer) {
		for i := range 50 {
			st.put(event(uint32(i), 1))
		}
		st.held = func(uint16) Interrogation { return &gated{st.queue, []Item{single(1, 0)}} }
		p.send(startDTAct, giNumbered)
		p.vs = 1
		p.expect(startDTCon)
		p.expectASDU(giCon)
		for i := range 50 {
			p.expectASDU(fmt.Sprintf("01 01 03 00 01 00 %02x 00 00 01", i))
		}
		p.expectASDU("01 01 14 00 01 00 01 00 00 00", giEnd)
	})
}

func TestBackgroundComesLast(t *testing.T) {
	t.Parallel()
	bubble(t, ServerConfig{MaxObjectsPerASDU: 1}, func(t *testing.T, st *testStation, p *peer) {
		scan := event(9, 1)
		scan.Cause = asdu.Background
		st.back = []Event{scan, scan}
		st.points[1] = []Item{single(1, 0)}
		st.put(event(1, 1))
		p.send(startDTAct, giNumbered)
		p.vs = 1
		p.expect(startDTCon)
		p.expectASDU(giCon, "01 01 03 00 01 00 01 00 00 01", "01 01 14 00 01 00 01 00 00 00", giEnd,
			"01 01 02 00 01 00 09 00 00 01", "01 01 02 00 01 00 09 00 00 01")
		p.ack()
		st.expectRecord(t, "started true", "interrogate 1 20", "confirm 1")
	})
}
