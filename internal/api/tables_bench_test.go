package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime/metrics"
	"strings"
	"sync"
	"testing"
	"time"

	"busbar/internal/connector"
	"busbar/internal/connectors"
	"busbar/internal/manage"
	"busbar/internal/plant"
	"busbar/internal/store"
)

const manyPoints = 100_000

// newBench returns an API with the kinds of the program on an empty store, and a connector for each end.
func newBench(b *testing.B) http.Handler {
	b.Helper()
	kinds, err := connector.NewRegistry(connectors.All()...)
	if err != nil {
		b.Fatal(err)
	}
	st, err := store.Open(b.Context(), store.Options{Path: filepath.Join(b.TempDir(), "store.db"), Key: bytes.Repeat([]byte{7}, 32)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := st.Close(); err != nil {
			b.Error(err)
		}
	})
	m := manage.New(manage.Options{
		Store: st, Kinds: kinds, Log: slog.New(slog.DiscardHandler), Apply: func(context.Context, *plant.Plant) error { return nil },
	})
	h, err := New(Deps{Auth: bearers{}, Audit: st, Manage: m, Store: st, Kinds: kinds})
	if err != nil {
		b.Fatal(err)
	}
	send(b, h, "PUT", "/connectors/sensors", "application/json", strings.NewReader(`{"kind":"mqtt","url":"mqtt://h"}`))
	send(b, h, "PUT", "/connectors/scada", "application/json", strings.NewReader(`{"kind":"iec104-server","listen":"127.0.0.1:2404"}`))
	return h
}

func send(b *testing.B, h http.Handler, method, path, kind string, body io.Reader) []byte {
	b.Helper()
	r := httptest.NewRequestWithContext(b.Context(), method, base+path, body)
	r.Header.Set("Content-Type", kind)
	r.Header.Set("Authorization", "Bearer engineer")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code >= 300 {
		b.Fatalf("%s %s: %d %.500s", method, path, w.Code, w.Body)
	}
	return w.Body.Bytes()
}

// manyItems returns points as lines of JSON.
func manyItems() []byte {
	var out bytes.Buffer
	for i := range manyPoints {
		fmt.Fprintf(&out, `{"id":"ons%06d/t1/oil-temperature","type":"float","unit":"°C","deadband":0.5,`+
			`"from":{"connector":"sensors","topic":"ons/%d/sensors","value":"data.temperature","time":"timestamp"},`+
			`"to":[{"connector":"scada","ca":%d,"ioa":%d,"as":"M_ME_TF_1"}]}`+"\n", i, i, i/1000+1, i+1)
	}
	return out.Bytes()
}

// highest watches the live heap and returns the most that it had over what it has now, in MB.
func highest() (stop func() float64) {
	live := func() uint64 {
		s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(s)
		return s[0].Value.Uint64()
	}
	before := live()
	most := before
	done := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				most = max(most, live())
			case <-done:
				return
			}
		}
	})
	return func() float64 {
		close(done)
		watch.Wait()
		return float64(most-before) / 1e6
	}
}

func benchmarkMany(b *testing.B, path, kind string, body []byte) {
	b.SetBytes(int64(len(body)))
	most := 0.0
	for b.Loop() {
		b.StopTimer()
		h := newBench(b)
		b.StartTimer()
		stop := highest()
		got := send(b, h, "POST", path, kind, bytes.NewReader(body))
		most = max(most, stop())
		if !bytes.Contains(got, []byte(fmt.Sprintf(`"new":%d,`, manyPoints))) {
			b.Fatalf("%.300s", got)
		}
	}
	b.ReportMetric(most, "MB-heap")
}

// exported returns the points as a table.
func exported(b *testing.B, format string) []byte {
	h := newBench(b)
	send(b, h, "POST", "/points/bulk", ndjsonType, bytes.NewReader(manyItems()))
	return send(b, h, "GET", "/points/export?format="+format, "", nil)
}

func BenchmarkManyByBulk(b *testing.B) { benchmarkMany(b, "/points/bulk", ndjsonType, manyItems()) }
func BenchmarkManyByCSV(b *testing.B) {
	benchmarkMany(b, "/points/import", csvType, exported(b, "csv"))
}
func BenchmarkManyByXLSX(b *testing.B) {
	benchmarkMany(b, "/points/import", xlsxType, exported(b, "xlsx"))
}
func BenchmarkManyByYAML(b *testing.B) {
	benchmarkMany(b, "/points/import", yamlType, exported(b, "yaml"))
}
