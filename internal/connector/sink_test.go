package connector

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"busbar/internal/plant"
	"busbar/internal/point"
)

func path(p string) func(*plant.Point) {
	return func(q *plant.Point) {
		q.From.Value = p
		q.From.End = &fakeSource{Topic: "m"}
	}
}

func TestOneMessageFeedsManyPoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, runUp)
		h.mustApply(plantOf(sAndT(), pointOf("a", "s", path("x")), pointOf("b", "s", path("y.0"))))
		h.deliver("s", "m", `{"x":1.5,"y":[7]}`)
		if a, b := h.state("a").Value, h.state("b").Value; a != point.FloatValue(1.5) || b != point.FloatValue(7) {
			t.Errorf("values %v and %v, want 1.5 and 7", a, b)
		}
		if source := h.state("a").Source; source == 0 {
			t.Error("the source is the host, want the connector")
		}
	})
}

func TestUselessMessagesAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, runUp)
		h.mustApply(plantOf(sAndT(), pointOf("a", "s", path("x"))))
		h.deliver("s", "m", `{"x":1}`)
		h.deliver("s", "m", `not JSON`)
		h.deliver("s", "m", `{"x":"y"}`)
		h.deliver("s", "m", `{"x":"z"}`)
		h.deliver("s", "other", `{"x":1}`)
		h.deliver("s", "m", `{"x":1,"y":"`+strings.Repeat("y", 1<<20)+`"}`)
		h.wantQuality("a", iv)
		if got, want := h.state("a").Value, point.FloatValue(1); got != want {
			t.Errorf("value %v, want the previous %v", got, want)
		}
		got := h.Reports()[0].Sink
		want := SinkStatus{Messages: 6, Values: 5, Faults: []Fault{
			{Reason: "no_selector", Count: 1, Text: `no selector: "other"`},
			{Reason: "not_json", Count: 1, Text: `not json: "not JSON"`},
			{Reason: "too_long", Count: 1, Text: `too long: "{\"x\":1,\"y\":\"` + strings.Repeat("y", 48) + `"`},
			{Reason: "wrong_type", Count: 2, PointID: "a", Text: `x: wrong type: "y"`},
		}}
		if diff := cmp.Diff(got, want, cmpopts.IgnoreFields(Fault{}, "At")); diff != "" {
			t.Errorf("figures (-got +want):\n%s", diff)
		}
	})
}

func TestWhatIsNotKeptIsNotAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, runUp)
		h.mustApply(plantOf(sAndT(), pointOf("a", "s")))
		h.moody.refuses.Store(true)
		var kept error
		err := h.sink().Deliver(t.Context(), Message{Selector: "a", Payload: []byte("1")}, func(err error) { kept = err })
		if !errors.Is(err, errFull) || !errors.Is(kept, errFull) {
			t.Errorf("Deliver = %v, committed with %v, want %v", err, kept, errFull)
		}
		if got := h.Reports()[0].Sink.Refused; got != 1 {
			t.Errorf("%d refused, want 1", got)
		}
	})
}

func TestManyDeliverWhileThePlantChanges(t *testing.T) {
	h := newHost(t, runUp)
	const senders, messages = 4, 500
	points := make([]plant.Point, senders)
	for i := range points {
		points[i] = pointOf(fmt.Sprintf("p%d", i), "s", counter)
	}
	apply := func(more ...plant.Point) {
		if err := h.Apply(t.Context(), plantOf(sAndT(), append(more, points...)...)); err != nil {
			t.Error(err)
		}
	}
	apply()
	s := h.fakes.last("s").env.Sink
	var all sync.WaitGroup
	for i := range senders {
		all.Go(func() {
			for n := range messages {
				m := Message{Selector: fmt.Sprintf("p%d", i), Payload: fmt.Appendf(nil, "%d", n)}
				if err := s.Deliver(t.Context(), m, nil); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Go(func() {
		for n := range 50 {
			apply(pointOf(fmt.Sprintf("extra%d", n), "s"))
			s.Away("", n%2 == 0)
			s.Back(n%3 == 0)
		}
	})
	all.Wait()
	for i := range senders {
		if got := h.state(fmt.Sprintf("p%d", i)).Value.Int(); got != messages-1 {
			t.Errorf("last value of sender %d is %d, want %d", i, got, messages-1)
		}
	}
}
