package iec104server

import (
	"errors"
	"math"
	"testing"

	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/point"
)

// sendTest sends a test value as the server does.
func (r *rig) sendTest(u point.Update) (int, error) {
	_, sent, err := r.addTest(&event{sample: sampleOf(1, &u), seq: 1 << 62})
	return len(sent), err
}

func TestTestValues(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.targets([]connector.Target{at(1, 1, 100, asdu.M_ME_TF_1, point.Float)}, news(1, point.FloatValue(1)))
	u := point.Update{Value: point.FloatValue(7), Quality: point.Overflow, Time: point.InstantOf(epoch)}
	if n, err := r.sendTest(u); n != 0 || !errors.Is(err, errNotStarted) {
		t.Errorf("without a station: %d, %v", n, err)
	}
	s := r.join()
	take(s, 10)
	r.publish(news(1, point.FloatValue(2)))
	if n, err := r.sendTest(u); n != 1 || err != nil {
		t.Errorf("with a station: %d, %v", n, err)
	}
	got := take(s, 10)
	if len(got) != 2 || !got[0].Test || got[0].Cause != asdu.Spontaneous || got[0].Type != asdu.M_ME_TF_1 || got[0].IOA != 100 ||
		math.Float32frombits(got[0].Value) != 7 || uint8(got[0].Quality) != uint8(point.Overflow) || got[1].Test || math.Float32frombits(got[1].Value) != 2 {
		t.Errorf("events %+v, want the test value before the event", got)
	}
	if items := collect(t, s, s.Interrogate(1, 20)); len(items) != 1 || math.Float32frombits(items[0].Value) != 2 {
		t.Errorf("interrogated %+v, want 2", items)
	}
	s.conn.(*fakeConn).unsent = 2
	s.Started(false)
	s.Started(true)
	if got := take(s, 10); len(got) != 1 || got[0].Test || math.Float32frombits(got[0].Value) != 2 {
		t.Errorf("events again %+v, want the event alone", got)
	}
	for range maxTests {
		if _, err := r.sendTest(u); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.sendTest(u); !errors.Is(err, errTestsWait) {
		t.Errorf("one too many: %v", err)
	}
}
