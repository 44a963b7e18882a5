package table_test

import (
	"bytes"
	"fmt"
	"testing"

	"busbar/internal/plantdoc"
	"busbar/internal/plantdoc/table"
)

const benchPoints = 100_000

func benchObjects(b *testing.B) []plantdoc.Object {
	b.Helper()
	objs := make([]plantdoc.Object, benchPoints)
	for i := range objs {
		objs[i] = plantdoc.Object{Section: plantdoc.Points, ID: fmt.Sprintf("ons%06d/t1/oil-temperature", i), Body: fmt.Appendf(nil,
			`{"deadband":0.5,"from":{"connector":"sensors","time":"timestamp","topic":"ons/%d/sensors","value":"data.temperature"},`+
				`"to":[{"as":"M_ME_TF_1","ca":%d,"connector":"scada","ioa":%d}],"type":"float","unit":"°C"}`, i, i/1000+1, i+1)}
	}
	return objs
}

func benchmarkMerge(b *testing.B, data []byte, read func() (table.Reader, error)) {
	l := points(b)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		r, err := read()
		if err != nil {
			b.Fatal(err)
		}
		m, err := l.Merge(r, func(string) ([]byte, bool) { return nil, false })
		if err != nil || m.Failed() || len(m.Rows) != benchPoints {
			b.Fatal(err, len(m.Rows))
		}
	}
}

func BenchmarkReadCSV(b *testing.B) {
	var out bytes.Buffer
	if err := points(b).WriteCSV(&out, benchObjects(b), table.CSVOptions{}); err != nil {
		b.Fatal(err)
	}
	benchmarkMerge(b, out.Bytes(), func() (table.Reader, error) { return table.ReadCSV(bytes.NewReader(out.Bytes())) })
}

func BenchmarkReadXLSX(b *testing.B) {
	var out bytes.Buffer
	if err := points(b).WriteXLSX(&out, benchObjects(b)); err != nil {
		b.Fatal(err)
	}
	benchmarkMerge(b, out.Bytes(), func() (table.Reader, error) { return table.ReadXLSX(bytes.NewReader(out.Bytes()), "Points") })
}

func BenchmarkWriteCSV(b *testing.B) {
	objs, l := benchObjects(b), points(b)
	b.ReportAllocs()
	for b.Loop() {
		var out bytes.Buffer
		if err := l.WriteCSV(&out, objs, table.CSVOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWriteXLSX(b *testing.B) {
	objs, l := benchObjects(b), points(b)
	b.ReportAllocs()
	for b.Loop() {
		var out bytes.Buffer
		if err := l.WriteXLSX(&out, objs); err != nil {
			b.Fatal(err)
		}
	}
}
