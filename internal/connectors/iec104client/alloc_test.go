//go:build !race

package iec104client

import (
	"runtime"
	"testing"

	"busbar/internal/image"
)

// TestReceivingAllocatesNothing counts allocations of the whole process while events go
// from a link into the image.
func TestReceivingAllocatesNothing(t *testing.T) {
	const n = 50_000
	s := newSource(t, 12, 1)
	img := image.New(image.Options{})
	defer img.Close()
	startHost(t, img, 12, 8, s.l.Addr().String())
	conn := <-s.conn
	s.send(t, conn, n)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s.send(t, conn, n)
	runtime.ReadMemStats(&after)
	// An acknowledgement, of eight events, is written by a goroutine of its own.
	if each := float64(after.Mallocs-before.Mallocs) / n; each > 1.5/8 {
		t.Errorf("%.2f allocations per event, want none but for acknowledgements", each)
	}
}
