package commandlog

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"busbar/internal/connector"
)

func BenchmarkOpenFullLog(b *testing.B) {
	fs := newMemFS()
	for n, order := uint64(1), 0; n <= DefaultLimit/DefaultSegment; n++ {
		var text []byte
		for ; len(text) < DefaultSegment; order++ {
			r := switching(fmt.Sprintf("%026d", order))
			for _, stage := range []connector.CommandRecord{r, confirmedAs(r, true), terminatedAs(r, true)} {
				line, err := encode(&stage, time.Now())
				if err != nil {
					b.Fatal(err)
				}
				text = append(text, line...)
			}
		}
		fs.put(nameOf(n), string(text))
	}
	b.SetBytes(DefaultLimit)
	for b.Loop() {
		l, records, err := Open(fs, (&logText{}).logger(), Options{})
		if err != nil || len(records) != connector.RecordLength {
			b.Fatal(len(records), err)
		}
		if err := l.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRecord records orders on the disk of the machine, as many at a time
// as there are commands under way.
func BenchmarkRecord(b *testing.B) {
	for _, atOnce := range []int{1, 16, 256} {
		b.Run(fmt.Sprint(atOnce), func(b *testing.B) {
			disk, err := NewDisk(b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			l, _, err := Open(disk, (&logText{}).logger(), Options{})
			if err != nil {
				b.Fatal(err)
			}
			var order atomic.Int64
			b.SetParallelism(atOnce)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					r := switching(fmt.Sprintf("%026d", order.Add(1)))
					for _, stage := range []connector.CommandRecord{r, terminatedAs(r, true)} {
						if err := l.Record(stage); err != nil {
							b.Error(err)
							return
						}
					}
				}
			})
			if err := l.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
