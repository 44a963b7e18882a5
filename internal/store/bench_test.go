package store_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"

	"busbar/internal/plantdoc"
	"busbar/internal/store"
	"busbar/internal/store/storetest"
)

// many returns changes that add n points.
func many(n int) []plantdoc.Change {
	list := make([]plantdoc.Change, n)
	for i := range list {
		id := fmt.Sprintf("plant/station-%03d/measured/%06d", i/1000, i)
		list[i] = plantdoc.Change{Section: plantdoc.Points, ID: id, After: fmt.Appendf(nil,
			`{"deadband":0.5,"from":{"connector":"sensors","time":"timestamp","topic":"plant/%06d/measured","value":"data.temperature"},"name":"Oil temperature %d","to":[{"as":"M_ME_TF_1","ca":225,"connector":"scada","ioa":%d}],"type":"float","unit":"°C"}`, i, i, i+1)}
	}
	return list
}

// again returns changes that change every point of others.
func again(list []plantdoc.Change) []plantdoc.Change {
	next := make([]plantdoc.Change, len(list))
	for i, c := range list {
		c.Before, c.After = c.After, bytes.Replace(c.After, []byte(`"float"`), []byte(`"int"`), 1)
		next[i] = c
	}
	return next
}

func commit(b *testing.B, s *store.Store, base int64, changes []plantdoc.Change) {
	if _, err := s.Commit(b.Context(), base, store.Revision{}, changes, nil); err != nil {
		b.Fatal(err)
	}
}

// Each operation is on a plant of 100,000 points.
func BenchmarkPlant(b *testing.B) {
	const points = 100_000
	added := many(points)
	changed := again(added)
	places := map[string]func(b *testing.B) store.Options{
		"sqlite":   func(b *testing.B) store.Options { return store.Options{Path: filepath.Join(b.TempDir(), "busbar.db")} },
		"postgres": func(b *testing.B) store.Options { return store.Options{URL: storetest.Postgres(b)} },
	}
	for name, place := range places {
		b.Run(name+"/add", func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				s := open(b, place(b))
				b.StartTimer()
				commit(b, s, 0, added)
			}
		})
		b.Run(name+"/change", func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				s := open(b, place(b))
				commit(b, s, 0, added)
				b.StartTimer()
				commit(b, s, 1, changed)
			}
		})
		s := open(b, place(b))
		commit(b, s, 0, added)
		b.Run(name+"/document", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if list, _, err := s.Document(b.Context()); err != nil || len(list) != points {
					b.Fatalf("%d objects, %v", len(list), err)
				}
			}
		})
		b.Run(name+"/document of a revision", func(b *testing.B) {
			for b.Loop() {
				if list, err := s.DocumentAt(b.Context(), 1); err != nil || len(list) != points {
					b.Fatalf("%d objects, %v", len(list), err)
				}
			}
		})
		var backup bytes.Buffer
		b.Run(name+"/backup", func(b *testing.B) {
			for b.Loop() {
				backup.Reset()
				if _, err := s.Backup(b.Context(), &backup); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(backup.Len())/1e6, "MB")
		})
		b.Run(name+"/restore", func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				o := place(b)
				b.StartTimer()
				if _, err := store.Restore(b.Context(), o, bytes.NewReader(backup.Bytes()), false); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
