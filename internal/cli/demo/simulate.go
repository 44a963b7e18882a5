package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// Period is the time between two measurements of a simulated substation.
const Period = time.Second

// Simulate publishes the messages of all stations to the broker at url
// (tcp://host:port) until ctx ends. It keeps trying while the broker is away.
func Simulate(ctx context.Context, url string) error {
	opts := mqtt.NewClientOptions().AddBroker(url).SetClientID("busbar-demo-stations").
		SetConnectRetry(true).SetConnectRetryInterval(time.Second).SetMaxReconnectInterval(5 * time.Second)
	client := mqtt.NewClient(opts)
	client.Connect() // completes in the background, and again after a loss
	defer client.Disconnect(100)

	publish := func(topic string, message any) {
		body, err := json.Marshal(message)
		if err != nil {
			return // cannot be: the messages are made of numbers and texts
		}
		client.Publish(topic, 1, false, body)
	}
	stations := make([]*simulation, 0, len(Stations()))
	for i, s := range Stations() {
		stations = append(stations, newSimulation(s, uint64(i)))
	}
	tick := time.NewTicker(Period)
	defer tick.Stop()
	for {
		if now := time.Now().UTC(); client.IsConnectionOpen() {
			for _, s := range stations {
				s.step(now, publish)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// simulation is the state of one substation.
type simulation struct {
	Station
	rnd    *rand.Rand
	n      int
	start  time.Time
	energy float64 // Wh
	tap    int
	open   bool // of the circuit breaker
	door   bool
}

func newSimulation(s Station, seed uint64) *simulation {
	return &simulation{Station: s, rnd: rand.New(rand.NewPCG(uint64(s.Number), seed)), energy: 1_204_000}
}

// step publishes what a substation has to say at this second. Status is
// published when it changes, and all of it every half minute.
func (s *simulation) step(now time.Time, publish func(topic string, message any)) {
	if s.n == 0 {
		s.start = now
	}
	stamp := now.Format("2006-01-02T15:04:05.000Z07:00")
	phase := now.Sub(s.start).Seconds() / 60 * 2 * math.Pi
	load := 55 + 25*math.Sin(phase) + s.rnd.NormFloat64()
	if s.open {
		load = 0
	}
	s.energy += load * 630 * 10 / 3600 // a transformer of 630 kVA
	publish(s.topic("sensors"), map[string]any{
		"timestamp": stamp,
		"data": map[string]any{
			"temperature": round(38+0.3*load+0.2*s.rnd.NormFloat64(), 2),
			"load":        round(load, 1),
			"voltage":     []float64{s.voltage(load), s.voltage(load), s.voltage(load)},
			"current":     math.Round(load * 9090), // mA
		},
	})
	all := s.n%30 == 0
	if s.n%20 == 10 {
		s.tap = (s.tap + s.rnd.IntN(3) - 1) % 10
	}
	if all || s.n%20 == 10 {
		publish(s.topic("tap"), map[string]any{"timestamp": stamp, "position": s.tap})
	}
	s.stepBreaker(stamp, all, publish)
	if all || s.n%45 == 20 {
		s.door = s.n%45 == 20 && !s.door
		publish(s.topic("door"), map[string]any{"timestamp": stamp, "open": s.door})
	}
	if s.n%5 == 0 {
		publish(s.topic("meter"), map[string]any{"timestamp": stamp, "energy": int64(s.energy)})
	}
	s.n++
}

// stepBreaker opens the breaker for ten seconds once a minute; it moves for a second.
func (s *simulation) stepBreaker(stamp string, all bool, publish func(topic string, message any)) {
	state := func(v string) {
		publish(s.topic("q0"), map[string]any{"timestamp": stamp, "state": v})
	}
	switch s.n % 60 {
	case 40, 50:
		state("moving")
		return
	case 41:
		s.open = true
	case 51:
		s.open = false
	default:
		if !all {
			return
		}
	}
	if s.open {
		state("open")
	} else {
		state("closed")
	}
}

func (s *simulation) voltage(load float64) float64 {
	return round(233-0.05*load+0.4*s.rnd.NormFloat64(), 1)
}

func (s *simulation) topic(name string) string { return fmt.Sprintf("ons/%d/%s", s.Number, name) }

func round(v float64, digits int) float64 {
	p := math.Pow10(digits)
	return math.Round(v*p) / p
}
