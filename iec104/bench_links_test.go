package iec104

import (
	"context"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
)

// BenchmarkIdleLinks measures a thousand clients that keep their stations
// connected, idle and started, in one process: memory with the client's end of
// the socket, and goroutines; an iteration is all of them.
func BenchmarkIdleLinks(b *testing.B) {
	const links = 1000
	for range b.N {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		bare, before := bareSockets(b, l, links), memory()
		goroutines := runtime.NumGoroutine()
		ctx, cancel := context.WithCancel(context.Background())
		var running, answered sync.WaitGroup
		answered.Go(func() { confirmStarts(b, l, links) })
		for range links {
			c, err := NewClient(l.Addr().String(), Params{})
			if err != nil {
				b.Fatal(err)
			}
			running.Go(func() {
				if err := c.Run(ctx); err != nil {
					b.Error(err)
				}
			})
			if err := c.AwaitStart(ctx); err != nil {
				b.Fatal(err)
			}
		}
		answered.Wait()
		b.ReportMetric(float64(memory()-before)/links, "bytes/link")
		b.ReportMetric(float64(bare)/links, "sockets_bytes/link")
		b.ReportMetric(float64(runtime.NumGoroutine()-goroutines)/links, "goroutines/link")
		cancel()
		running.Wait()
		l.Close()
	}
	b.ReportMetric(0, "ns/op")
}

// bareSockets returns the memory of n connections, both ends.
func bareSockets(b *testing.B, l net.Listener, n int) uint64 {
	b.Helper()
	before := memory()
	conns := make([]net.Conn, 0, 2*n)
	for range n {
		near, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		far, err := l.Accept()
		if err != nil {
			b.Fatal(err)
		}
		conns = append(conns, near, far)
	}
	used := memory() - before
	for _, c := range conns {
		c.Close()
	}
	return used
}

// confirmStarts takes n connections and confirms STARTDT on each.
func confirmStarts(b *testing.B, l net.Listener, n int) {
	for range n {
		conn, err := l.Accept()
		if err == nil {
			b.Cleanup(func() { conn.Close() })
			_, err = io.ReadFull(conn, make([]byte, 6))
		}
		if err == nil {
			_, err = conn.Write(octetsOf(startDTCon))
		}
		if err != nil {
			b.Error(err)
			return
		}
	}
}
