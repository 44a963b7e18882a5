package connector

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"busbar/internal/plant"
	"busbar/internal/point"
)

const nt, iv = point.NotTopical, point.Invalid

// fresh starts a host with one source connector "s" and the given points, each
// of which has received 1.
func fresh(t *testing.T, points ...plant.Point) *host {
	t.Helper()
	h := newHost(t, runUp)
	h.mustApply(plantOf([]plant.Connector{connectorOf("s", "")}, points...))
	for _, p := range points {
		h.deliver("s", p.ID, "1")
	}
	return h
}

func (h *host) sink() Sink { return h.fakes.last("s").env.Sink }

func validity(d time.Duration) func(*plant.Point) {
	return func(p *plant.Point) { p.Validity = d }
}

func hold(d time.Duration) func(*plant.Point) {
	return func(p *plant.Point) { p.Hold = d }
}

func counter(p *plant.Point) { p.Type = point.Counter }

func TestNeverReceivedIsInvalidAndNotTopical(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, runUp)
		h.mustApply(plantOf([]plant.Connector{connectorOf("s", "")}, pointOf("a", "s", validity(time.Second))))
		h.wantQuality("a", iv|nt)
		h.sink().Away("broker gone", true)
		time.Sleep(time.Minute)
		h.wantQuality("a", iv|nt)
		if h.image.Seq() != 0 {
			t.Errorf("%d changes of a point that was never received, want 0", h.image.Seq())
		}
	})
}

func TestAwayMakesNotTopicalAfterHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := fresh(t, pointOf("default", "s"), pointOf("none", "s", hold(0)), pointOf("ten", "s", hold(10*time.Second)))
		h.sink().Away("broker gone", false)
		h.wantQuality("none", nt)
		time.Sleep(2*time.Second - time.Nanosecond)
		h.wantQuality("default", 0)
		time.Sleep(time.Nanosecond)
		h.wantQuality("default", nt)
		h.wantQuality("ten", 0)
		time.Sleep(8 * time.Second)
		h.wantQuality("ten", nt)
	})
}

func TestQualityChangeIsOneChangeOfTheHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := fresh(t, pointOf("a", "s"))
		before := h.state("a")
		h.sink().Away("broker gone", true)
		time.Sleep(time.Minute)
		after := h.state("a")
		if after.Seq != before.Seq+1 || h.image.Seq() != after.Seq {
			t.Errorf("sequence number %d after %d, want one change", h.image.Seq(), before.Seq)
		}
		if after.Value != before.Value || after.Time != before.Time || after.Source != 0 {
			t.Errorf("state %+v, want value and time of %+v and source 0", after, before)
		}
	})
}

func TestAwayWithinHoldHasNoEffect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := fresh(t, pointOf("a", "s"))
		h.sink().Away("broker gone", false)
		time.Sleep(time.Second)
		h.sink().Back(false)
		time.Sleep(time.Minute)
		h.wantQuality("a", 0)
		if got := h.image.Seq(); got != 1 {
			t.Errorf("%d changes, want 1", got)
		}
	})
}

func TestSecondAwayKeepsTheFirstTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := fresh(t, pointOf("a", "s"))
		h.sink().Away("broker gone", false)
		time.Sleep(1500 * time.Millisecond)
		h.sink().Away("still gone", false)
		time.Sleep(500 * time.Millisecond)
		h.wantQuality("a", nt)
	})
}

func TestLastWillDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := fresh(t, pointOf("a", "s"))
		h.sink().Away("broker gone", false)
		h.sink().Away("last will", true)
		h.wantQuality("a", nt)
	})
}

func TestUpdateClearsNotTopical(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := fresh(t, pointOf("a", "s"), pointOf("b", "s"))
		h.sink().Away("broker gone", true)
		h.sink().Back(false)
		h.wantQuality("a", nt)
		h.deliver("s", "a", "2")
		h.wantQuality("a", 0)
		h.wantQuality("b", nt)
	})
}

func TestUpdateWhileAwayHasItsOwnHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := fresh(t, pointOf("a", "s"))
		h.sink().Away("last will", true)
		h.deliver("s", "a", "2")
		h.wantQuality("a", 0)
		time.Sleep(time.Second)
		h.wantQuality("a", 0)
		time.Sleep(2 * time.Second)
		h.wantQuality("a", nt)
	})
}

func TestBackLosslessClearsNotTopical(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := fresh(t, pointOf("a", "s"), pointOf("count", "s", counter))
		h.sink().Away("broker gone", true)
		h.wantQuality("a", nt)
		h.wantQuality("count", iv)
		h.sink().Back(true)
		h.wantQuality("a", 0)
		h.wantQuality("count", 0)
	})
}

func TestBackLosslessKeepsWhatTheSourceSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		said := func(p *plant.Point) {
			p.From.Value = "v"
			p.From.Quality = &plant.QualityMap{Value: "q", Map: map[string]point.Quality{"old": nt}}
		}
		h := newHost(t, runUp)
		h.mustApply(plantOf([]plant.Connector{connectorOf("s", "")}, pointOf("a", "s", said)))
		h.deliver("s", "a", `{"v":1,"q":"old"}`)
		h.wantQuality("a", nt)
		h.sink().Away("broker gone", true)
		h.sink().Back(true)
		h.wantQuality("a", nt)
	})
}

func TestLossBetweenTwoAbsencesKeepsNotTopical(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := fresh(t, pointOf("a", "s"))
		h.sink().Away("broker gone", true)
		h.sink().Back(false)
		h.sink().Away("broker gone", true)
		h.sink().Back(true)
		h.wantQuality("a", nt)
	})
}

func TestValidityExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := fresh(t, pointOf("a", "s", validity(10*time.Second)), pointOf("count", "s", counter, validity(10*time.Second)), pointOf("free", "s"))
		time.Sleep(9 * time.Second)
		h.wantQuality("a", 0)
		h.deliver("s", "count", "1")
		time.Sleep(2 * time.Second)
		h.wantQuality("a", iv|nt)
		h.wantQuality("count", 0)
		h.wantQuality("free", 0)
		time.Sleep(9 * time.Second)
		h.wantQuality("count", iv)
		h.deliver("s", "a", "1")
		h.wantQuality("a", 0)
	})
}

func TestExpiredStaysExpiredWhenTheSourceIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := fresh(t, pointOf("a", "s", validity(10*time.Second)))
		h.sink().Away("broker gone", false)
		time.Sleep(20 * time.Second)
		h.wantQuality("a", iv|nt)
		h.sink().Back(true)
		h.wantQuality("a", iv|nt)
	})
}

func TestValiditySinceSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		timed := func(p *plant.Point) {
			p.SinceSource = true
			p.From.Value, p.From.Time = "v", "t"
		}
		h := newHost(t, runUp)
		h.mustApply(plantOf([]plant.Connector{connectorOf("s", "")}, pointOf("a", "s", validity(time.Minute), timed)))
		time.Sleep(time.Hour) // virtual time begins at 2000, and a time before is no time
		h.deliver("s", "a", `{"v":1,"t":"`+time.Now().Add(-50*time.Second).UTC().Format(time.RFC3339)+`"}`)
		time.Sleep(8 * time.Second)
		h.wantQuality("a", 0)
		time.Sleep(3 * time.Second)
		h.wantQuality("a", iv|nt)
	})
}

func TestRetainedRepeatIsNoNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := fresh(t, pointOf("a", "s", validity(10*time.Second)))
		time.Sleep(5 * time.Second)
		h.deliverMessage("s", Message{Selector: "a", Payload: []byte("1"), Retained: true})
		time.Sleep(6 * time.Second)
		h.wantQuality("a", iv|nt)
	})
}

func TestFailedConnectorMakesNotTopical(t *testing.T) {
	for _, state := range []State{Up, Degraded} {
		t.Run(state.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fail := make(chan error)
				h := newHost(t, func(ctx context.Context, f *fake) error {
					select {
					case err := <-fail:
						return err
					case <-ctx.Done():
						return nil
					}
				})
				h.mustApply(plantOf([]plant.Connector{connectorOf("s", "")}, pointOf("a", "s")))
				h.fakes.last("s").env.Report(Up, "")
				h.deliver("s", "a", "1")
				time.Sleep(time.Minute)
				h.wantQuality("a", 0)
				fail <- errors.New("boom")
				time.Sleep(2 * time.Second) // by then it runs again, without having reached its source
				h.wantQuality("a", nt)
				h.deliver("s", "a", "2")
				h.fakes.last("s").env.Report(state, "")
				time.Sleep(time.Minute)
				h.wantQuality("a", 0)
			})
		})
	}
}

func TestUpDoesNotEndWhatTheConnectorSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := fresh(t, pointOf("a", "s"))
		h.sink().Away("broker gone", false)
		h.fakes.last("s").env.Report(Up, "")
		time.Sleep(3 * time.Second)
		h.wantQuality("a", nt)
	})
}
