package iec104client

import (
	"context"
	"log/slog"
	"syscall"
	"testing"
	"time"

	"busbar/iec104"
	"busbar/internal/connector"
)

// cpu returns the time that all processors have spent on this process: other than
// that on the wall it does not depend on what else runs.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// taker takes readings and keeps nothing.
type taker struct{ *fakeHost }

func (taker) Take(_ context.Context, _ []connector.Reading, committed func(error)) error {
	committed(nil)
	return nil
}

// BenchmarkDoctor measures events received over loopback TCP up to the host, one object per
// ASDU, which is where a look at each frame costs most: without any, with the trace that
// is off, and with the doctor. The station belongs to the process.
func BenchmarkDoctor(b *testing.B) {
	quiet := slog.New(slog.DiscardHandler)
	for _, c := range []struct {
		name  string
		trace func(*Client) []iec104.Option
	}{
		{"none", func(*Client) []iec104.Option { return []iec104.Option{iec104.WithTrace(nil)} }},
		{"trace", func(*Client) []iec104.Option { return []iec104.Option{iec104.WithTrace(tracer(quiet))} }},
		{"doctor", func(*Client) []iec104.Option { return nil }},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := newSource(b, 12, 1)
			settings := defaults()
			settings.Addresses = []string{s.l.Addr().String()}
			h := newFakeHost(points(benchPoints))
			env := newEnv(h)
			env.Readings = taker{h}
			client, err := newClient(settings, env, nil)
			if err != nil {
				b.Fatal(err)
			}
			link, err := client.newLink(c.trace(client)...)
			if err != nil {
				b.Fatal(err)
			}
			client.link.Store(link)
			ctx, cancel := context.WithCancel(b.Context())
			done := make(chan error, 1)
			go func() { done <- client.Run(ctx) }()
			conn := <-s.conn
			b.ResetTimer()
			begun := cpu(b)
			s.send(b, conn, b.N)
			b.StopTimer()
			b.ReportMetric(float64(cpu(b)-begun)/float64(b.N), "cpu-ns/event")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			cancel()
			if err := <-done; err != nil {
				b.Error(err)
			}
		})
	}
}
