package rig

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"
	"time"
)

var ledgerTime = time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC)

// numbered is the event of a number, one millisecond after the one before it.
func numbered(n int, arrived time.Time) Object {
	at := ledgerTime.Add(time.Duration(n) * time.Millisecond)
	b := binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(n)))
	b = append(b, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(at.Second()*1000+at.Nanosecond()/int(time.Millisecond)))
	b = append(b, byte(at.Minute()), byte(at.Hour()), byte(at.Day()), byte(at.Month()), byte(at.Year()-2000))
	return Object{Type: 36, Cause: 3, CA: 1, IOA: 1, Element: b, Arrived: arrived}
}

func entryOf(o Object) (Entry, bool) {
	n := int(o.Float())
	return Entry{Number: n, Time: ledgerTime.Add(time.Duration(n) * time.Millisecond)}, o.Cause == 3
}

// follow adds a connection that has received objects.
func (c *Centre) follow(objects ...Object) {
	c.legs = append(c.legs, leg{master: &Master{objects: objects}})
}

func TestLedger(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	at := func(after time.Duration, numbers ...int) []Object {
		var out []Object
		for _, n := range numbers {
			out = append(out, numbered(n, begin.Add(after)))
		}
		return out
	}
	edit := func(o Object, f func(*Object)) []Object { f(&o); return []Object{o} }
	tests := []struct {
		name          string
		legs          [][]Object
		breaks        []time.Duration
		arrived       int
		again, within int
		problem       string
	}{
		{name: "all, over two connections", legs: [][]Object{at(0, 1, 2), at(1, 3, 4)}, arrived: 4},
		{name: "interrogated values are no events", arrived: 2,
			legs: [][]Object{at(0, 1), edit(numbered(7, begin), func(o *Object) { o.Cause = 20 }), at(0, 2)}},
		{name: "again after a break", legs: [][]Object{at(0, 1, 2, 3), at(3*time.Second, 2, 3, 4)},
			breaks: []time.Duration{time.Second}, arrived: 4, again: 2},
		{name: "published again", legs: [][]Object{at(2*time.Second, 1, 2, 3, 2, 3, 4)},
			breaks: []time.Duration{time.Second}, arrived: 4, again: 2, within: 2},
		{name: "again long after", legs: [][]Object{at(0, 1, 2, 3), at(15*time.Second, 3, 4)},
			breaks: []time.Duration{14 * time.Second}, arrived: 4, again: 1, problem: "number 3 of stream 0 comes again"},
		{name: "missing", legs: [][]Object{at(0, 1, 4, 5)}, arrived: 5, problem: "numbers 2 to 3 of stream 0 are missing before 4"},
		{name: "first one missing", legs: [][]Object{at(0, 2, 3)}, arrived: 3, problem: "numbers 1 to 1 of stream 0 are missing before 2"},
		{name: "out of order", legs: [][]Object{at(0, 1, 3, 2)}, arrived: 3, problem: "number 2 of stream 0 comes late, after 3"},
		{name: "no number", legs: [][]Object{at(0, 0)}, problem: "number 0 of stream 0 comes after 0"},
		{name: "other time", arrived: 1, problem: "time tag",
			legs: [][]Object{edit(numbered(1, begin), func(o *Object) { o.Element[6]++ })}},
		{name: "invalid time", arrived: 1, problem: "time tag",
			legs: [][]Object{edit(numbered(1, begin), func(o *Object) { o.Element[7] |= 0x80 })}},
		{name: "bad quality", arrived: 1, problem: "quality 0x40",
			legs: [][]Object{edit(numbered(1, begin), func(o *Object) { o.Element[4] = NT })}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			centre := &Centre{}
			ledger := NewLedger(centre, entryOf)
			for _, b := range tt.breaks {
				ledger.breaks = append(ledger.breaks, begin.Add(b))
			}
			for _, objects := range tt.legs {
				centre.follow(objects...)
				ledger.Update(0)
			}
			if got := ledger.Update(0); got != tt.arrived {
				t.Errorf("%d numbers have arrived, want %d", got, tt.arrived)
			}
			if all, within := ledger.Repeats(); all != tt.again || within != tt.within {
				t.Errorf("%d came again, %d without a break, want %d and %d", all, within, tt.again, tt.within)
			}
			problems := strings.Join(ledger.problems, "\n")
			if (tt.problem == "") != (problems == "") || !strings.Contains(problems, tt.problem) {
				t.Errorf("problems %q, want %q", problems, tt.problem)
			}
		})
	}
}

func TestLedgerFollowsSwitchOver(t *testing.T) {
	t.Parallel()
	a, b := &Master{}, &Master{}
	centre := &Centre{}
	ledger := NewLedger(centre, entryOf)
	for n := 1; n <= 6; n++ {
		m := a
		if n%2 == 0 {
			m = b
		}
		centre.Follow(m)
		m.objects = append(m.objects, numbered(n, time.Now()))
		ledger.Update(0)
	}
	if got := ledger.Update(0); got != 6 || len(ledger.problems) > 0 {
		t.Errorf("%d numbers have arrived in turns, %q, want 6", got, ledger.problems)
	}
}
