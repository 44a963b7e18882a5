package app

import (
	"os"
	"runtime/debug"
	"time"
)

// loadingGC is the growth of the heap in percent after which it is collected
// while a plant of largePlant octets or more is read. It is garbage as soon as it
// is applied: with the usual 100 it takes a third more memory at its peak.
const (
	loadingGC  = 50
	largePlant = 64 << 20
)

// collectSooner makes the heap be collected sooner, while a large plant file is
// read, until the returned function is called. A lower setting of the operator
// (GOGC) stays.
func collectSooner(plant string) (restore func()) {
	if info, err := os.Stat(plant); err != nil || info.Size() < largePlant {
		return func() {}
	}
	before := debug.SetGCPercent(loadingGC)
	if before < loadingGC {
		debug.SetGCPercent(before)
	}
	return func() { debug.SetGCPercent(before) }
}

// tidyAfter is how long after a change of the plant its garbage is given back to
// the operating system. By then the connectors have made what they make of it.
// By itself the runtime gives it back over many minutes.
const tidyAfter = 5 * time.Second
