package iec104client

import (
	"encoding/hex"
	"log/slog"
	"strings"
	"testing"
	"time"

	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/point"
)

// FuzzReading has any ASDU read for points with every part of two addresses.
func FuzzReading(f *testing.F) {
	for _, v := range values {
		b, err := hex.DecodeString(strings.ReplaceAll(v.asdu, " ", ""))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	var ends []*Source
	for _, part := range []string{"value", "elapsed", "changes"} {
		ends = append(ends, &Source{CA: 1, IOA: 100, Part: part}, &Source{CA: 1, IOA: 101, As: MonitorType{asdu.M_SP_TB_1}, Part: part})
	}
	s := defaults()
	s.Addresses = []string{"rtu:2404"}
	h := newFakeHost(ends)
	c, err := newClient(s, connector.Env{Log: slog.New(slog.DiscardHandler), Sink: h, Readings: h, Report: h.report, System: h.system, Now: time.Now}, nil)
	if err != nil {
		f.Fatal(err)
	}
	c.refresh()
	now := time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := asdu.Parse(b, asdu.Sizes{})
		if err != nil {
			return
		}
		in := c.intake
		in.readings = in.readings[:0]
		in.read(&a, now)
		if most := 3 * a.Count(); len(in.readings) > most {
			t.Errorf("%d readings of %d objects", len(in.readings), a.Count())
		}
		for _, r := range in.readings {
			if r.Value.Type() == 0 || r.Value.Type() == point.Text {
				t.Errorf("a reading without a value: %+v", r)
			}
		}
	})
}
