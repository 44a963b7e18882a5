package mqtt

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"busbar/internal/point"
)

// publishWindow is how many messages are on their way in the benchmark.
const publishWindow = 1000

// BenchmarkPublish measures what goes from points to mosquitto with QoS 1, for the
// connector and for a bare publisher beside it: one that sends packets made before,
// with the same window, and does nothing but count acknowledgements.
func BenchmarkPublish(b *testing.B) {
	var bare float64
	b.Run("bare publisher", func(b *testing.B) { bare = publishBare(b) })
	for _, version := range []string{"5", "3.1.1"} {
		b.Run("connector MQTT "+version, func(b *testing.B) {
			rate := publishPoints(b, version)
			if bare > 0 {
				b.ReportMetric(rate/bare, "x-bare")
			}
		})
	}
}

// publishBare returns the rate of a bare publisher.
func publishBare(b *testing.B) float64 {
	f := &feeder{b: b}
	m := broker(b)
	f.dial(m, benchPayload())
	acks := bufio.NewReaderSize(f.conn, 64<<10)
	b.ReportAllocs()
	b.ResetTimer()
	began, cpu := time.Now(), cpuTime(b)
	var ack [4]byte
	for sent, done := 0, 0; done < b.N; {
		if n := min(b.N-sent, publishWindow-(sent-done), 256); n > 0 {
			f.publish(n)
			sent += n
		}
		for more := true; more && done < sent; more = acks.Buffered() >= len(ack) {
			if _, err := io.ReadFull(acks, ack[:]); err != nil {
				b.Fatal(err)
			}
			done++
		}
	}
	return report(b, began, cpu)
}

func report(b *testing.B, began time.Time, cpu time.Duration) float64 {
	rate := float64(b.N) / time.Since(began).Seconds()
	b.ReportMetric(rate, "msg/s")
	b.ReportMetric(float64((cpuTime(b)-cpu).Nanoseconds())/float64(b.N), "cpu-ns/msg")
	return rate
}

// benchPayload is as long as what the connector publishes.
func benchPayload() string {
	r := reading{
		about: &about{Point: "bench/000/data", Unit: "°C"}, value: point.FloatValue(23.5), quality: 0, timeQ: point.TimeSubstituted,
		time: point.InstantOf(time.Now()), arrival: point.InstantOf(time.Now()), seq: 1_000_000,
	}
	return string(appendJSON(nil, &r))
}

// publishPoints returns the rate of the connector: from the image in memory to the
// acknowledgement of the broker.
func publishPoints(b *testing.B, version string) float64 {
	m := broker(b)
	points := ""
	for i := range 1000 {
		points += fmt.Sprintf("  bench/%03d/data: {type: float, unit: °C, to: [{connector: c, topic: \"{{.Point}}\"}]}\n", i)
	}
	s := newSite(b, m.at(version, fmt.Sprintf(", sendMaximum: %d", publishWindow)), points)
	s.await("up")
	updates := make([]point.Update, 1000)
	for i := range updates {
		updates[i].Point, _ = s.img.Lookup(fmt.Sprintf("bench/%03d/data", i))
	}
	b.ReportAllocs()
	b.ResetTimer()
	began, cpu := time.Now(), cpuTime(b)
	for sent := 0; sent < b.N; {
		n := min(len(updates), b.N-sent)
		now := point.InstantOf(time.Now())
		for i := range updates[:n] {
			u := &updates[i]
			u.Value, u.Time, u.Arrival, u.TimeQuality = point.FloatValue(float64(sent+i)/8), now, now, point.TimeSubstituted
		}
		if err := s.img.Publish(context.Background(), updates[:n], nil); err != nil {
			b.Fatal(err)
		}
		sent += n
		if ahead := uint64(20_000); uint64(sent) > ahead {
			s.until("room", func() bool { return s.saved()+ahead >= uint64(sent) })
		}
	}
	s.settled()
	return report(b, began, cpu)
}
