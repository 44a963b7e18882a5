package app

import (
	"bytes"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// logRoom is how many octets of log wait for who reads them.
	logRoom = 1 << 20
	// logFlush is how long the end waits for what was logged to be written.
	logFlush = time.Second
)

// logWriter writes whole lines in the background, so that a log that nobody
// reads stops nothing else. Lines that do not fit into its buffer are left out
// and counted; the number is logged when it goes on.
type logWriter struct {
	out     io.Writer
	note    func(lines uint64) []byte // makes the line that tells of those left out
	done    chan struct{}             // closed when everything is written
	dropped atomic.Uint64             // lines left out so far
	tail    logTail

	mu      sync.Mutex
	news    *sync.Cond
	pending []byte
	gap     uint64 // lines left out since the last note
	closed  bool
}

func newLogWriter(out io.Writer, note func(lines uint64) []byte) *logWriter {
	w := &logWriter{out: out, note: note, done: make(chan struct{})}
	w.news = sync.NewCond(&w.mu)
	go w.run()
	return w
}

// add takes over a line if no more than limit octets wait with it.
func (w *logWriter) add(line []byte, limit int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || len(w.pending)+len(line) > limit {
		w.gap++
		w.dropped.Add(1)
		return
	}
	w.pending = append(w.pending, line...)
	w.news.Signal()
}

// run writes until the writer is closed. What is written and what waits are two
// buffers that change places.
func (w *logWriter) run() {
	defer close(w.done)
	var lines []byte
	for {
		w.mu.Lock()
		for len(w.pending) == 0 && !w.closed {
			w.news.Wait()
		}
		lines, w.pending = w.pending, lines[:0]
		gap := w.gap
		w.gap = 0
		w.mu.Unlock()
		if len(lines) == 0 {
			return
		}
		if gap > 0 {
			lines = append(lines, w.note(gap)...)
		}
		w.write(lines, gap)
	}
}

// write writes lines, the last of which tells of a gap if there is one. What
// cannot be written is lost, and counted like what was left out.
func (w *logWriter) write(lines []byte, gap uint64) {
	n, err := w.out.Write(lines)
	if err == nil {
		return
	}
	lost := uint64(bytes.Count(lines[n:], []byte("\n")))
	if gap > 0 {
		lost-- // the note
	}
	w.dropped.Add(lost)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gap += gap + lost
}

// close ends the writer when everything is written, or after [logFlush]. What is
// logged later is left out.
func (w *logWriter) close() {
	w.mu.Lock()
	w.closed = true
	w.news.Signal()
	w.mu.Unlock()
	late := time.NewTimer(logFlush)
	defer late.Stop()
	select {
	case <-w.done:
	case <-late.C:
	}
}

// logInput takes lines as long as no more than limit octets wait.
type logInput struct {
	*logWriter
	limit int
}

// Write implements [io.Writer] for a [slog.Handler], which writes whole lines.
func (i logInput) Write(line []byte) (int, error) {
	i.tail.add(line)
	i.add(line, i.limit)
	return len(line), nil
}
