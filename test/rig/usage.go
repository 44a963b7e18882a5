package rig

import (
	"fmt"
	"time"
)

// Usage returns what the process has used so far, in words.
func (b *Busbar) Usage() string {
	b.tb.Helper()
	cpu := time.Duration(b.Metric("process_cpu_seconds_total") * float64(time.Second))
	return fmt.Sprintf("%.0f MB resident, %v of CPU time, %.0f goroutines", b.Metric("process_resident_memory_bytes")/1e6, cpu.Round(10*time.Millisecond), b.Metric("go_goroutines"))
}
