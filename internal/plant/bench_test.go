package plant_test

import (
	"bytes"
	"fmt"
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

// BenchmarkProblems decodes a plant in which every point has two faults: an
// unknown key, and an address that occurred before. It shows a search of the whole
// file for every problem at once.
func BenchmarkProblems(b *testing.B) {
	var data bytes.Buffer
	data.WriteString(`{"version":1,"connectors":{"scada":{"kind":"iec104-server","listen":"x"}},"points":{`)
	for i := range benchPoints {
		fmt.Fprintf(&data, `"p%d":{"type":"float","unti":"V","to":[{"connector":"scada","ca":1,"ioa":7,"as":"M_ME_TF_1"}]},`, i)
	}
	data.WriteString(`"last":{"type":"int"}}}`)
	kinds := kinds(b)
	for b.Loop() {
		if _, problems := plant.Decode("f.json", data.Bytes(), kinds, plant.Options{}); len(problems) != 2*benchPoints-1 {
			b.Fatalf("%d problems, want %d", len(problems), 2*benchPoints-1)
		}
	}
}
