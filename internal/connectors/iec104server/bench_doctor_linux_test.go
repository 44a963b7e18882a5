package iec104server

import (
	"context"
	"log/slog"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/point"
	"busbar/internal/tape"
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

// BenchmarkDoctor measures events over loopback TCP, one object per ASDU, which is
// where a look at each frame costs most: without any, with the trace that is off,
// with the doctor, and with the tape as well.
func BenchmarkDoctor(b *testing.B) {
	quiet := slog.New(slog.DiscardHandler)
	for _, c := range []struct {
		name  string
		trace func(*station) []iec104.Option
	}{
		{"none", func(*station) []iec104.Option { return nil }},
		{"trace", func(*station) []iec104.Option { return []iec104.Option{iec104.WithTrace(tracer(quiet))} }},
		{"doctor", func(st *station) []iec104.Option {
			return []iec104.Option{iec104.WithTrace(st.doctor.Trace(tracer(quiet)))}
		}},
		{"tape", func(st *station) []iec104.Option { // with the doctor, as a server runs
			return []iec104.Option{iec104.WithTrace(st.doctor.Trace(tracer(quiet))), iec104.WithTap(st.book.Open)}
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			const n, batch, backlog = 1000, 500, 100_000
			s := defaults()
			s.Listen, s.Buffer.Events, s.MaxObjects = "127.0.0.1:0", 10*backlog, 1
			r := &running{feed: newTestFeed(), done: make(chan error, 1), up: make(chan struct{}, 10)}
			srv, err := newServer(s, connector.Env{ID: "scada", Log: quiet, Feed: r.feed, Report: r.report, Now: time.Now, Tapes: tape.NewDeck(tape.Limits{})})
			if err != nil {
				b.Fatal(err)
			}
			if srv.link, err = iec104.NewServer(srv.station, s.config(), c.trace(srv.station)...); err != nil {
				b.Fatal(err)
			}
			r.server = srv
			ctx, cancel := context.WithCancel(b.Context())
			go func() { r.done <- srv.Run(ctx) }()
			r.feed.targets(manyTargets(n)...)
			<-r.up
			var objects atomic.Int64
			client, err := iec104.Dial(ctx, (*srv.addr.Load()).String(), iec104.Params{}, iec104.WithHandler(func(a asdu.ASDU) {
				if a.Type < asdu.M_EI_NA_1 {
					objects.Add(int64(a.N))
				}
			}))
			if err != nil {
				b.Fatal(err)
			}
			if err := client.StartDT(ctx); err != nil {
				b.Fatal(err)
			}
			await := func(received int64) {
				for objects.Load() < received {
					<-time.After(time.Millisecond)
				}
			}
			b.ResetTimer()
			sent, begun := 0, cpu(b)
			for ; sent < b.N; sent += batch {
				changes := make([]connector.Change, batch)
				for j := range changes {
					changes[j] = news(uint32(sent+j)%n, point.FloatValue(float64(sent)))
				}
				r.feed.publish(changes...)
				await(int64(sent - backlog))
			}
			await(int64(sent))
			b.StopTimer()
			b.ReportMetric(float64(cpu(b)-begun)/float64(sent), "cpu-ns/event")
			b.ReportMetric(float64(sent)/b.Elapsed().Seconds(), "events/s")
			cancel()
			<-r.done
		})
	}
}
