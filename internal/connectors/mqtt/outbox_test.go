package mqtt

import (
	"testing"

	"busbar/internal/connector"
	"busbar/internal/point"
)

// boxOf returns an outbox with one int point that goes to a topic.
func boxOf(t *testing.T, end Target) *outbox {
	t.Helper()
	end.topic, end.about = end.Topic, about{Point: "a"}
	b := newOutbox(defaults(), newSink().env(t), new(sending), func(string) {})
	b.apply(&connector.Batch{Targets: &[]connector.Target{{ID: 1, Rule: &connector.Rule{Type: point.Int, End: &end}}}, Changes: []connector.Change{snapshotOf(1, 1)}, Seq: 1})
	return b
}

func snapshotOf(seq uint64, value int64) connector.Change {
	return connector.Change{Seq: seq, Snapshot: true, Update: point.Update{Value: point.IntValue(value)}}
}

func eventOf(seq uint64, value int64) connector.Change {
	return connector.Change{Seq: seq, Events: 1, Update: point.Update{Value: point.IntValue(value)}}
}

// taken returns the values that are to be published next.
func (b *outbox) taken() (list []int64) {
	for e, ok := b.backlog.next(b.past); ok; e, ok = b.backlog.next(b.past) {
		list = append(list, int64(e.bits))
	}
	return list
}

func wantTaken(t *testing.T, b *outbox, want ...int64) {
	t.Helper()
	got := b.taken()
	same := len(got) == len(want)
	for i := range want {
		same = same && got[i] == want[i]
	}
	if !same {
		t.Errorf("published %v, want %v", got, want)
	}
}

func TestAGapPublishesTheStateOfRetainedTopics(t *testing.T) {
	t.Parallel()
	for retain, want := range map[bool][]int64{true: {7}, false: nil} {
		b := boxOf(t, Target{Topic: "a", Retain: retain})
		b.taken()
		b.apply(&connector.Batch{Gap: 3, Changes: []connector.Change{snapshotOf(5, 7)}, Seq: 6})
		wantTaken(t, b, want...)
		b.apply(&connector.Batch{Gap: 1, Changes: []connector.Change{snapshotOf(8, 8), eventOf(9, 9)}, Seq: 9})
		wantTaken(t, b, 9) // it is the state by then
		if got := b.figures.gaps.Load(); got != 4 {
			t.Errorf("%d lost, want 4", got)
		}
	}
}

func TestAStateIsPublishedBehindTheEventsFromBeforeIt(t *testing.T) {
	t.Parallel()
	b := boxOf(t, Target{Topic: "a", Retain: true})
	b.taken()
	b.apply(&connector.Batch{Targets: &[]connector.Target{}, Seq: 2})
	end := Target{Topic: "a", Retain: true, topic: "a", about: about{Point: "a"}}
	b.apply(&connector.Batch{Targets: &[]connector.Target{{ID: 2, Rule: &connector.Rule{Type: point.Int, End: &end}}}, Changes: []connector.Change{snapshotOf(9, 9)}, Seq: 3})
	wantTaken(t, b)
	past := eventOf(7, 7)
	past.Past = true
	b.apply(&connector.Batch{Changes: []connector.Change{past}, Seq: 7})
	wantTaken(t, b, 7)
	b.apply(&connector.Batch{Seq: 9})
	wantTaken(t, b, 9)
}

// TestNewsThatTakesBackAStateIsAnEvent covers what late subscribers were told without an
// event: that the value is not topical.
func TestNewsThatTakesBackAStateIsAnEvent(t *testing.T) {
	t.Parallel()
	b := boxOf(t, Target{Topic: "a", Retain: true})
	b.taken()
	old := snapshotOf(1, 1)
	old.Quality = point.NotTopical
	b.apply(&connector.Batch{Gap: 1, Changes: []connector.Change{old}, Seq: 2})
	wantTaken(t, b, 1)
	same := connector.Change{Seq: 3, Update: point.Update{Value: point.IntValue(1)}} // in the dead band, and good again
	b.apply(&connector.Batch{Changes: []connector.Change{same}, Seq: 3})
	wantTaken(t, b, 1)
	same.Seq = 4
	b.apply(&connector.Batch{Changes: []connector.Change{same}, Seq: 4})
	wantTaken(t, b)
}

func TestEventsOfTargetsThatAreGoneAreCounted(t *testing.T) {
	t.Parallel()
	b := boxOf(t, Target{Topic: "a", QoS: "1"})
	b.apply(&connector.Batch{Changes: []connector.Change{eventOf(2, 2), eventOf(3, 3)}, Seq: 3})
	b.apply(&connector.Batch{Targets: &[]connector.Target{}, Seq: 4})
	w := welcome{window: 10, longest: 1000, qos: 2, retain: true}
	o := newOutflow(true, w, 10, nil, b.fill)
	b.connect(o, w)
	if packets := b.fill(nil, o); len(packets) > 0 || b.figures.removed.Load() != 2 || o.vacant != 10 {
		t.Errorf("%d octets, %d counted, want none and 2", len(packets), b.figures.removed.Load())
	}
	if got := b.position(); got != (connector.Position{4, 4, 4}) {
		t.Errorf("position %v, want that nothing is needed any more", got)
	}
}
