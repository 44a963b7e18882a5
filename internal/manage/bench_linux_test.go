package manage_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"busbar/internal/connector"
	"busbar/internal/connectors"
	"busbar/internal/image"
	"busbar/internal/manage"
	"busbar/internal/plant"
	"busbar/internal/plantdoc"
	"busbar/internal/store"
)

// manyPoints are points of two connectors, MQTT in and IEC 60870-5-104 out, that do not run.
func manyPoints(n int) []plantdoc.Object {
	objs := []plantdoc.Object{
		{Section: plantdoc.Connectors, ID: "scada", Body: []byte(`{"enabled":false,"kind":"iec104-server","listen":"127.0.0.1:0"}`)},
		{Section: plantdoc.Connectors, ID: "sensors", Body: []byte(`{"enabled":false,"kind":"mqtt","url":"mqtt://127.0.0.1:1"}`)},
	}
	for i := range n {
		body := fmt.Sprintf(`{"deadband":0.5,"from":{"connector":"sensors","time":"timestamp","topic":"ons/%d/sensors","value":"data.v%d"},`+
			`"to":[{"as":"M_ME_TF_1","ca":%d,"connector":"scada","ioa":%d}],"type":"float","unit":"A"}`, i/10, i%10, 1+i/50000, 1+i%50000)
		objs = append(objs, plantdoc.Object{Section: plantdoc.Points, ID: fmt.Sprintf("ons%05d/v%d", i/10, i%10), Body: []byte(body)})
	}
	return objs
}

// newPlantRig is a service with all kinds and a real manager.
func newPlantRig(b *testing.B) (*manage.Service, *store.Store) {
	b.Helper()
	registry, err := connector.NewRegistry(connectors.All()...)
	if err != nil {
		b.Fatal(err)
	}
	st, err := store.Open(b.Context(), store.Options{Path: filepath.Join(b.TempDir(), "store.db"), Key: bytes.Repeat([]byte{7}, 32)})
	if err != nil {
		b.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	img := image.New(image.Options{})
	m := connector.NewManager(log, img, registry, time.Now)
	b.Cleanup(func() {
		img.Close()
		if err := st.Close(); err != nil {
			b.Error(err)
		}
	})
	return manage.New(manage.Options{Store: st, Kinds: registry, Apply: m.Apply, Log: log}), st
}

// run runs a part of a benchmark and reports the time of the processors beside that of the clock.
func run(b *testing.B, name string, f func(b *testing.B)) {
	b.Run(name, func(b *testing.B) {
		begun := processors(b)
		f(b)
		b.ReportMetric(float64((processors(b)-begun).Milliseconds())/float64(b.N), "cpu-ms/op")
	})
}

func processors(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkChange changes a plant of 100,000 points: a dead band of one point, of all of them, and back.
// The parts of a change of one point are measured beside it.
func BenchmarkChange(b *testing.B) {
	const points = 100_000
	s, st := newPlantRig(b)
	objs := manyPoints(points)
	begun := time.Now()
	replace := func(objs []plantdoc.Object) {
		b.Helper()
		if _, err := s.Change(b.Context(), alice, manage.ChangeOptions{}, func(e *manage.Edit) error { e.Replace(objs); return nil }); err != nil {
			b.Fatal(err)
		}
	}
	replace(objs)
	b.Logf("first, 100,000 points: %v", time.Since(begun))
	other := make([]plantdoc.Object, len(objs))
	for i, o := range objs {
		o.Body = bytes.Replace(o.Body, []byte("0.5"), []byte("0.7"), 1)
		other[i] = o
	}
	run(b, "all", func(b *testing.B) {
		for i := range b.N {
			replace([][]plantdoc.Object{other, objs}[i%2])
		}
	})
	run(b, "one", func(b *testing.B) {
		for i := range b.N {
			replacement := [][]plantdoc.Object{other, objs}[i%2][7]
			_, err := s.Change(b.Context(), alice, manage.ChangeOptions{}, func(e *manage.Edit) error {
				e.Put(replacement.Section, replacement.ID, replacement.Body)
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	run(b, "read", func(b *testing.B) {
		for range b.N {
			if list, _, err := st.Document(b.Context()); err != nil || len(list) != len(objs) {
				b.Fatal(len(list), err)
			}
		}
	})
	text := plantdoc.JSON(objs)
	run(b, "write JSON", func(b *testing.B) {
		for range b.N {
			if len(plantdoc.JSON(objs)) != len(text) {
				b.Fatal("another length")
			}
		}
	})
	registry, err := connector.NewRegistry(connectors.All()...)
	if err != nil {
		b.Fatal(err)
	}
	run(b, "decode", func(b *testing.B) {
		for range b.N {
			if _, problems := plant.Decode("plant.json", text, registry, plant.Options{}); len(problems) > 0 {
				b.Fatal(problems[0])
			}
		}
	})
	run(b, "load", func(b *testing.B) {
		for range b.N {
			if _, err := s.Load(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
