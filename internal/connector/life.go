package connector

import (
	"context"
	"sync"
)

// life is the time in which a connector runs, from one run to the next.
type life struct {
	mu     sync.Mutex
	parent context.Context // of all runs; nil: it was never started
	ctx    context.Context // of the run; nil: it does not run
	cancel context.CancelFunc
}

// begin begins a run.
func (l *life) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ctx, l.cancel = context.WithCancel(l.parent)
}

// end ends the run.
func (l *life) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cancel != nil {
		l.cancel()
	}
	l.ctx, l.cancel = nil, nil
}

// context returns a context that ends with the run; false if there is none.
func (l *life) context() (context.Context, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ctx, l.ctx != nil && l.ctx.Err() == nil
}
