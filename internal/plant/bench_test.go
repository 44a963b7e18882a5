package plant_test

import (
	"bytes"
	"fmt"
	"regexp"
	"testing"

	"busbar/internal/plant"
)

const benchPoints = 100_000

// yamlPlant returns a plant as people write it.
func yamlPlant(points int) []byte {
	var b bytes.Buffer
	b.WriteString("version: 1\nconnectors:\n  sensors: {kind: mqtt, url: mqtt://h}\n  scada: {kind: iec104-server, listen: 127.0.0.1:2404}\npoints:\n")
	for i := range points {
		fmt.Fprintf(&b, "  ons%d/t1/oil-temperature:\n    type: float\n    unit: °C\n"+
			"    from: {connector: sensors, topic: ons/%d/sensors, value: data.temperature, time: timestamp}\n    deadband: 0.5\n"+
			"    to:\n      - {connector: scada, ca: %d, ioa: %d, as: M_ME_TF_1}\n", i, i, i/1000+1, i+1)
	}
	return b.Bytes()
}

// jsonPlant returns the same plant without spaces, in one line.
func jsonPlant(points int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"version":1,"connectors":{"sensors":{"kind":"mqtt","url":"mqtt://h"},"scada":{"kind":"iec104-server","listen":"127.0.0.1:2404"}},"points":{`)
	for i := range points {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"ons%d/t1/oil-temperature":{"type":"float","unit":"°C",`+
			`"from":{"connector":"sensors","topic":"ons/%d/sensors","value":"data.temperature","time":"timestamp"},"deadband":0.5,`+
			`"to":[{"connector":"scada","ca":%d,"ioa":%d,"as":"M_ME_TF_1"}]}`, i, i, i/1000+1, i+1)
	}
	b.WriteString("}}")
	return b.Bytes()
}

func benchmarkDecode(b *testing.B, name string, data []byte) {
	kinds := kinds(b)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		p, problems := plant.Decode(name, data, kinds, plant.Options{})
		if len(problems) > 0 {
			b.Fatal(problems[0])
		}
		if len(p.Points) != benchPoints {
			b.Fatalf("%d points", len(p.Points))
		}
	}
}

func BenchmarkDecodeYAML(b *testing.B) { benchmarkDecode(b, "f.yaml", yamlPlant(benchPoints)) }
func BenchmarkDecodeJSON(b *testing.B) { benchmarkDecode(b, "f.json", jsonPlant(benchPoints)) }

func BenchmarkDiff(b *testing.B) {
	data, kinds := jsonPlant(benchPoints), kinds(b)
	before, _ := plant.Decode("f.json", data, kinds, plant.Options{})
	after, _ := plant.Decode("f.json", data, kinds, plant.Options{})
	for b.Loop() {
		if !plant.Diff(before, after).None() {
			b.Fatal("the same plant differs")
		}
	}
}

// TestManyProblemsAreFoundInTime guards against a search of the whole file for
// every problem: with that, this test takes minutes.
func TestManyProblemsAreFoundInTime(t *testing.T) {
	t.Parallel()
	const points = 20_000
	unknown := bytes.ReplaceAll(jsonPlant(points), []byte(`"unit":`), []byte(`"unti":`))
	same := bytes.ReplaceAll(jsonPlant(points), []byte(`"ioa":`), []byte(`"ioa":7,"groups":[1],"was":`))
	same = regexp.MustCompile(`"ca":\d+,|,"was":\d+`).ReplaceAll(same, nil)
	same = bytes.ReplaceAll(same, []byte(`"ioa":`), []byte(`"ca":1,"ioa":`))
	for _, tt := range []struct {
		name string
		data []byte
		want int
	}{
		{"unknown keys", unknown, points},
		{"addresses that occur twice", same, points - 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, problems := plant.Decode("f.json", tt.data, kinds(t), plant.Options{})
			if len(problems) != tt.want {
				t.Errorf("%d problems, want %d; the first: %v", len(problems), tt.want, problems[0])
			}
		})
	}
}
