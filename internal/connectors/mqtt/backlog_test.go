package mqtt

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/connector"
	"busbar/internal/point"
)

// TestFifoIsAQueue compares a fifo with a slice.
func TestFifoIsAQueue(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	var f fifo
	var want []uint64
	for i := range uint64(100_000) {
		if r.IntN(100) < 40+int(i/1000)%30 {
			f.push(event{seq: i})
			want = append(want, i)
		} else if len(want) > 0 {
			if got := f.pop().seq; got != want[0] {
				t.Fatalf("%d, want %d", got, want[0])
			}
			want = want[1:]
		}
		if f.len != len(want) || f.len > 0 && (f.first().seq != want[0] || f.at(f.len-1).seq != want[len(want)-1]) {
			t.Fatalf("%d events, want %d", f.len, len(want))
		}
	}
}

// TestNewestHoldsOneOfEach compares the list with a slice.
func TestNewestHoldsOneOfEach(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(2, 2))
	var l newest
	var want []event
	for i := range uint64(50_000) {
		target := connector.TargetID(r.IntN(50))
		at := slices.IndexFunc(want, func(e event) bool { return e.target == target })
		if l.has(target) != (at >= 0) {
			t.Fatalf("has %v, want %v", l.has(target), at >= 0)
		}
		var old event
		var had bool
		if r.IntN(3) > 0 {
			e := event{seq: i, target: target}
			old, had = l.put(e)
			want = append(want, e)
		} else {
			old, had = l.drop(target)
		}
		if had != (at >= 0) || had && old != want[at] {
			t.Fatalf("replaced %v %v", old, had)
		}
		if had {
			want = slices.Delete(want, at, at+1)
		}
		if l.len != len(want) || l.len > 0 && *l.first() != want[0] {
			t.Fatalf("%d events, want %d", l.len, len(want))
		}
	}
}

func TestBacklogIsTakenInOrder(t *testing.T) {
	t.Parallel()
	var l backlog
	ev := func(seq uint64, target connector.TargetID, typ point.Type) event {
		return event{seq: seq, target: target, kind: kind(typ)}
	}
	add := func(e event) { l.chains[e.kind.typ().Class()].push(e) }
	add(ev(5, 1, point.Float))
	add(ev(6, 2, point.Single))
	add(ev(9, 3, point.Counter))
	l.latest.put(ev(7, 4, point.Float))
	state := ev(8, 5, point.Float)
	state.kind |= stored
	l.states.put(state)
	l.restore([]event{ev(4, 1, point.Float), ev(3, 4, point.Float), ev(2, 2, point.Single)}, func(id connector.TargetID) bool { return id == 4 })
	pos := connector.Position{10, 10, 10}
	l.lower(&pos)
	if want := (connector.Position{1, 1, 1}); pos != want {
		t.Errorf("position %v, want %v: what was taken comes again", pos, want)
	}
	var got []string
	for {
		e, ok := l.next(7)
		if !ok {
			break
		}
		got = append(got, fmt.Sprint(e.seq))
		if e.seq == 4 {
			pos = connector.Position{10, 10, 10}
			if l.lower(&pos); pos != (connector.Position{5, 6, 4}) {
				t.Errorf("position %v, want one for each class, none behind a target of which the newest waits", pos)
			}
		}
	}
	// The state waits until all from before it was delivered.
	if diff := cmp.Diff([]string{"2", "4", "5", "6", "7", "9"}, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if e, ok := l.next(8); !ok || e.seq != 8 {
		t.Errorf("%v %v, want the state", e, ok)
	}
}

func TestTextsAreForgotten(t *testing.T) {
	t.Parallel()
	var l backlog
	for i := range uint64(3) {
		l.chains[point.ClassStatus].push(l.event(1, i, &point.Update{Value: point.TextValue(fmt.Sprint("text ", i))}))
	}
	e, _ := l.next(0)
	if got := l.value(&e).Text(); got != "text 0" {
		t.Errorf("%q", got)
	}
	l.forget(&e)
	if dropped := l.settle(5); dropped != [point.Classes]uint64{point.ClassStatus: 2} || len(l.byKey) > 0 {
		t.Errorf("%v dropped, %d texts left", dropped, len(l.byKey))
	}
}
