package app

import (
	"bytes"
	"io"
	"sync"
)

const (
	tailLines = 2000 // lines that are kept
	tailLine  = 2048 // most octets of each that are kept
)

// logTail keeps the last lines of the log, also those that nobody took in time.
type logTail struct {
	mu    sync.Mutex
	lines [][]byte // a ring once it is full
	next  int      // where the next line goes
}

// add keeps a copy of a line. The room of the line that it replaces is used again.
func (t *logTail) add(line []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lines) < tailLines {
		t.lines = append(t.lines, nil)
	}
	kept := t.lines[t.next][:0]
	if len(line) <= tailLine {
		kept = append(kept, line...)
	} else {
		kept = append(append(kept, line[:tailLine]...), " …\n"...)
	}
	t.lines[t.next] = kept
	t.next = (t.next + 1) % tailLines
}

// WriteTail writes the last lines of the log, oldest first.
func (l *Log) WriteTail(w io.Writer) error {
	t := &l.writer.tail
	var all bytes.Buffer
	t.mu.Lock()
	for i := range t.lines {
		all.Write(t.lines[(t.next+i)%len(t.lines)])
	}
	t.mu.Unlock()
	_, err := w.Write(all.Bytes())
	return err
}
