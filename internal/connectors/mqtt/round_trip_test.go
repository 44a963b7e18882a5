package mqtt

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/point"
)

// trip is a point whose values are carried from one Busbar to another.
type trip struct {
	id     string
	typ    point.Type
	values []point.Value
}

func trips() []trip {
	r := rand.New(rand.NewPCG(1, 2))
	var bits, ints, counters, floats, steps []point.Value
	for range 50 {
		bits = append(bits, point.BitsValue(r.Uint32()))
		ints = append(ints, point.IntValue(int64(r.Uint64())))
		counters = append(counters, point.CounterValue(int64(r.Uint64())))
		floats = append(floats, point.FloatValue(r.NormFloat64()*math.Pow(10, float64(r.IntN(600)-300))), point.FloatValue(math.Float64frombits(1+r.Uint64N(1<<52))))
		steps = append(steps, point.StepValue(r.IntN(128)-64, r.IntN(2) > 0))
	}
	floats = append(floats, point.FloatValue(0), point.FloatValue(math.Copysign(0, -1)), point.FloatValue(math.MaxFloat64), point.FloatValue(1e21))
	ints = append(ints, point.IntValue(math.MinInt64), point.IntValue(math.MaxInt64))
	return []trip{
		{"single", point.Single, []point.Value{point.SingleValue(true), point.SingleValue(false)}},
		{"double", point.Double, []point.Value{point.DoubleValue(0), point.DoubleValue(1), point.DoubleValue(2), point.DoubleValue(3)}},
		{"step", point.Step, steps},
		{"bits", point.Bits, bits},
		{"int", point.Int, ints},
		{"counter", point.Counter, counters},
		{"float", point.Float, floats},
		{"text", point.Text, []point.Value{point.TextValue(""), point.TextValue("a \"ä\" \\ \n \x01 \U0001F600"), point.TextValue(strings.Repeat("x", 4096))}},
	}
}

// TestValuesGoFromOneBusbarToAnother carries values of every type with every quality
// and quality of time, over a real broker, and compares what both have.
func TestValuesGoFromOneBusbarToAnother(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		m := broker(t)
		out, in := "", ""
		for _, p := range trips() {
			out += fmt.Sprintf("  %s: {type: %s, unit: \"µ\\\"%%\", to: [{connector: c, topic: \"site/{{.Point}}\", report: update}]}\n", p.id, p.typ)
			in += fmt.Sprintf("  %s: {type: %s, from: {connector: c, topic: site/%s, format: busbar}}\n", p.id, p.typ, p.id)
		}
		b := newReader(t, m.at(version, ", clientId: b"), in)
		b.await("up")
		a := newSite(t, m.at(version, ", clientId: a"), out)
		a.await("up")
		at := point.Instant(1_767_225_600_000_000_000)
		for _, p := range trips() {
			for i := range max(256*3, len(p.values)) {
				at += point.Instant(1 + rand.IntN(1_000_000_000))
				u := point.Update{
					Value: p.values[i%len(p.values)], Quality: point.Quality(i), Time: at, TimeQuality: point.TimeQuality(i % 3), Arrival: at + 5,
				}
				a.update(p.id, u)
			}
			a.settled()
			got, want := b.history(p.id, max(256*3, len(p.values))), a.history(p.id, max(256*3, len(p.values)))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%s (-sent +received):\n%s", p.id, diff)
			}
		}
	})
}

// TestFloat32IsExactAsFloat32 covers what an information element of 32 bits holds.
func TestFloat32IsExactAsFloat32(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	for range 200_000 {
		f := math.Float32frombits(r.Uint32())
		if f != f || math.IsInf(float64(f), 0) {
			continue
		}
		text := appendFloat(nil, float64(f))
		var back float64
		if _, err := fmt.Sscan(string(text), &back); err != nil || math.Float32bits(float32(back)) != math.Float32bits(f) {
			t.Fatalf("%x is written as %s, which is read as %x", math.Float32bits(f), text, math.Float32bits(float32(back)))
		}
	}
	if text := string(appendFloat(nil, float64(float32(23.1)))); text != "23.1" {
		t.Errorf("float32 23.1 is written as %s", text)
	}
}
