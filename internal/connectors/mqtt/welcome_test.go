package mqtt

import (
	"testing"

	"github.com/eclipse/paho.golang/paho"
)

func TestLimitsOfABroker(t *testing.T) {
	t.Parallel()
	limits := func(receive uint16, size uint32) *paho.Connack {
		return &paho.Connack{Properties: &paho.ConnackProperties{ReceiveMaximum: &receive, MaximumPacketSize: &size}}
	}
	for _, c := range []struct {
		name            string
		ack             *paho.Connack
		window, longest int
	}{
		{"none", &paho.Connack{Properties: &paho.ConnackProperties{}}, mostInFlight, maxMessage},
		{"small", limits(1, 20), 1, 20},
		{"larger than ours", limits(65535, 1<<32-1), 65535, maxMessage},
		{"0, which is an error of the broker", limits(0, 0), 1, maxMessage},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if w := welcomeOf(c.ack); w.window != c.window || w.longest != c.longest {
				t.Errorf("window %d, longest %d, want %d and %d", w.window, w.longest, c.window, c.longest)
			}
		})
	}
}
