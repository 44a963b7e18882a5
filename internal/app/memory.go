package app

import (
	"runtime/debug"
	"time"
)

// loadingGC is the growth of the heap in percent after which it is collected
// while a plant is read. A large plant is garbage as soon as it is applied: with
// the usual 100 it takes a third more memory at its peak, and is not faster.
const loadingGC = 50

// collectSooner makes the heap be collected sooner until the returned function
// is called. A lower setting of the operator (GOGC) stays.
func collectSooner() (restore func()) {
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
