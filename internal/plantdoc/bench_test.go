package plantdoc_test

import (
	"bytes"
	"fmt"
	"testing"

	"busbar/internal/plantdoc"
)

const benchPoints = 100_000

// benchYAML is a plant as people write it.
func benchYAML() []byte {
	var b bytes.Buffer
	b.WriteString("version: 1\nconnectors:\n  sensors: {kind: mqtt, url: mqtt://h}\npoints:\n")
	for i := range benchPoints {
		fmt.Fprintf(&b, "  ons%06d/t1/oil-temperature:\n    type: float\n    unit: °C\n"+
			"    from: {connector: sensors, topic: ons/%d/sensors, value: data.temperature, time: timestamp}\n    deadband: 0.5\n"+
			"    to:\n      - {connector: scada, ca: %d, ioa: %d, as: M_ME_TF_1}\n", i, i, i/1000+1, i+1)
	}
	return b.Bytes()
}

func benchmarkParse(b *testing.B, name string, data []byte) {
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if objs, problems := plantdoc.Parse(name, data); len(problems) > 0 || len(objs) != benchPoints+1 {
			b.Fatal(len(objs), problems)
		}
	}
}

func benchObjects(b *testing.B) []plantdoc.Object {
	b.Helper()
	objs, problems := plantdoc.Parse("p.yaml", benchYAML())
	if len(problems) > 0 {
		b.Fatal(problems)
	}
	return objs
}

func BenchmarkParseYAML(b *testing.B) { benchmarkParse(b, "p.yaml", benchYAML()) }
func BenchmarkParseJSON(b *testing.B) { benchmarkParse(b, "p.json", plantdoc.JSON(benchObjects(b))) }

func BenchmarkWriteYAML(b *testing.B) {
	objs := benchObjects(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := plantdoc.YAML(objs); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDiff(b *testing.B) {
	before, after := benchObjects(b), benchObjects(b)
	for b.Loop() {
		if changes := plantdoc.Diff(before, after); changes != nil {
			b.Fatal("the same objects differ")
		}
	}
}
