package mapping

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"busbar/internal/plant"
	"busbar/internal/point"
)

// BenchmarkMap maps one message that holds the values of 1, 10 and 100 points
// and the source time.
func BenchmarkMap(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("points=%d", n), func(b *testing.B) {
			var fields []string
			var inputs []Input
			for i := range n {
				fields = append(fields, fmt.Sprintf(`"value%02d":%d.%d`, i, 20+i, i%10))
				inputs = append(inputs, Input{
					Index: point.Index(i), Type: point.Float, Selector: "ons/4711/sensors",
					Source: &plant.Source{Value: fmt.Sprintf("data.value%02d", i), Time: "timestamp"},
				})
			}
			payload := []byte(`{"device":"t1","data":{` + strings.Join(fields, ",") + `},"timestamp":"2026-01-15T10:30:00Z"}`)
			benchmarkMap(b, payload, inputs)
		})
	}
}

// BenchmarkMapSteps maps one value with the steps that cost something.
func BenchmarkMapSteps(b *testing.B) {
	for _, c := range []struct {
		name, payload string
		typ           point.Type
		source        plant.Source
	}{
		{"whole-payload", `23.5`, point.Float, plant.Source{Value: "@"}},
		{"scale", `{"v":235}`, point.Float, plant.Source{Value: "v", Scale: 0.1}},
		{"integer", `{"v":9007199254740993}`, point.Counter, plant.Source{Value: "v"}},
		{"map", `{"v":"closed"}`, point.Double, plant.Source{Value: "v", Map: map[string]string{"open": "off", "closed": "on"}}},
		{"expr", `{"v":235}`, point.Float, plant.Source{Value: "v", Expr: "value * 0.1 + 5"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			benchmarkMap(b, []byte(c.payload), []Input{{Type: c.typ, Selector: "ons/4711/sensors", Source: &c.source}})
		})
	}
}

func benchmarkMap(b *testing.B, payload []byte, inputs []Input) {
	s := compile(b, inputs...)
	var updates []point.Update
	b.ReportAllocs()
	b.SetBytes(int64(len(payload)))
	for b.Loop() {
		var out Outcome
		updates, out = s.Map(updates[:0], "ons/4711/sensors", payload, noon, false)
		if len(updates) != len(inputs) || !out.Clean() {
			b.Fatalf("%d updates, %s", len(updates), out.Text())
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(inputs)), "ns/value")
}

// BenchmarkCompile compiles a plant of devices with ten points each.
func BenchmarkCompile(b *testing.B) {
	const points = 100_000
	inputs := make([]Input, points)
	for i := range inputs {
		inputs[i] = Input{
			Index: point.Index(i), Type: point.Float, Selector: fmt.Sprintf("ons/%d/sensors", i/10),
			Source: &plant.Source{Value: fmt.Sprintf("data.value%d", i%10), Time: "timestamp"},
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		before := heap()
		s := compile(b, inputs...)
		b.ReportMetric(float64(heap()-before)/points, "B/point")
		runtime.KeepAlive(s)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*points), "ns/point")
}

func heap() uint64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}
