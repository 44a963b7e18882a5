package mqtt

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"busbar/internal/connector"
	"busbar/internal/point"
)

// strict is a broker that refuses what is published on topics that begin with
// "refused", with MQTT 5.
type strict struct {
	mochi.HookBase
	lenient atomic.Bool
	got     chan heard
}

func (*strict) Provides(b byte) bool {
	return b == mochi.OnConnectAuthenticate || b == mochi.OnACLCheck || b == mochi.OnPublish
}

func (*strict) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool { return true }
func (*strict) OnACLCheck(*mochi.Client, string, bool) bool              { return true }

func (s *strict) OnPublish(_ *mochi.Client, p packets.Packet) (packets.Packet, error) {
	if strings.HasPrefix(p.TopicName, "refused") && !s.lenient.Load() {
		return p, packets.ErrQuotaExceeded
	}
	s.got <- heard{p.TopicName, string(p.Payload), p.FixedHeader.Retain}
	return p, nil
}

func newStrict(t *testing.T) (*strict, string) {
	t.Helper()
	s := &strict{got: make(chan heard, 10_000)}
	return s, serve(t, s)
}

func TestATopicThatIsRefusedHoldsUpNoOther(t *testing.T) {
	for _, qos := range []int{1, 2} {
		t.Run(fmt.Sprint("QoS ", qos), func(t *testing.T) {
			t.Parallel()
			broker, url := newStrict(t)
			s := newSite(t, fmt.Sprintf("url: %q, qos: %d", url, qos), `  a: {type: int, to: [{connector: c, topic: refused/a}]}
  b: {type: int, to: [{connector: c, topic: out/b}]}
`)
			s.await("up")
			s.publish("a", point.IntValue(0))
			s.await("degraded: broker refuses messages on refused/a: quota exceeded")
			for i := range 100 {
				s.publish("a", point.IntValue(int64(i+1)))
				s.publish("b", point.IntValue(int64(i)))
			}
			for i := range 100 {
				wantValues(t, broker.got, fmt.Sprint("out/b ", i))
			}
			if at := s.saved(); at > 0 {
				t.Errorf("acknowledged up to change %d, though the first was not", at)
			}
			broker.lenient.Store(true)
			for i := range 101 {
				wantValues(t, broker.got, fmt.Sprint("refused/a ", i))
			}
			s.await("up")
			s.settled()
		})
	}
}

func TestATopicThatIsRefusedForTooLongIsGivenUp(t *testing.T) {
	t.Parallel()
	broker, url := newStrict(t)
	s := newSite(t, fmt.Sprintf("url: %q, refusedFor: 1s", url), `  a: {type: int, to: [{connector: c, topic: refused/a}]}
  t: {type: text, to: [{connector: c, topic: refused/t, batch: {count: 2, within: 10ms}}]}
`)
	s.await("up")
	s.publish("a", ints(0, 10)...)
	s.publish("t", point.TextValue("x"), point.TextValue("y"), point.TextValue("z"))
	s.settled() // nobody waits for it for ever
	if got := s.figure("busbar_mqtt_publish_given_up_total"); got != 13 {
		t.Errorf("%v given up, want 13", got)
	}
	s.await("degraded: broker refuses messages on refused/")
	broker.lenient.Store(true)
	s.publish("a", point.IntValue(10))
	wantValues(t, broker.got, "refused/a 10")
}

func TestWhatABrokerDoesNotTakeIsShown(t *testing.T) {
	t.Parallel()
	s := newSink()
	end := &Target{Topic: "out/a", QoS: "2", Retain: true, topic: "out/a", about: about{Point: "a"}}
	env := s.env(t)
	var shown string
	b := newOutbox(defaults(), env, new(sending), func(text string) { shown = text })
	b.apply(&connector.Batch{
		Targets: &[]connector.Target{{ID: 1, Rule: &connector.Rule{Type: point.Int, End: end}}},
		Changes: []connector.Change{{Snapshot: true}},
	})
	w := welcome{window: 10, longest: 40, qos: 1, retain: true}
	o := newOutflow(true, w, 10, nil, b.fill)
	b.connect(o, w)
	if want := "broker takes messages with QoS 1 at most: more are published with that"; shown != want {
		t.Errorf("shown %q, want %q", shown, want)
	}
	if long := b.fill(nil, o); len(long) > 0 || b.figures.unsendable.Load() != 1 || len(b.flights) > 0 || o.vacant != 10 {
		t.Errorf("%d octets to be sent, %d counted, %d vacant, want none: the message is longer than the broker takes", len(long), b.figures.unsendable.Load(), o.vacant)
	}
}
