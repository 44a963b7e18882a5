package api

import (
	"io"
	"net/http"
)

// Process is what the API shows and changes of the process that it runs in. What
// is nil is not there.
type Process struct {
	Data     string       // directory of what is kept
	Log      Log          // of the process
	Metrics  http.Handler // answers with the metrics
	Settings any          // becomes JSON; secrets are cut out before it is shown
}

// Log is the log of the process.
type Log interface {
	// Level returns the name of the level: trace, debug, info, warn or error.
	Level() string
	// SetLevel changes it until the process ends or reads its settings again.
	SetLevel(level string)
	// WriteTail writes the last lines.
	WriteTail(w io.Writer) error
}
