package connectortest

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"busbar/internal/connector"
)

// deafSink is the sink of a connector that no point comes from.
type deafSink struct{ changed chan struct{} }

func newDeafSink() *deafSink { return &deafSink{changed: make(chan struct{})} }

// Deliver implements [connector.Sink]: the message is of no use.
func (*deafSink) Deliver(_ context.Context, _ connector.Message, committed func(error)) error {
	if committed != nil {
		committed(nil)
	}
	return nil
}

// Away implements [connector.Sink].
func (*deafSink) Away(string, bool) {}

// Back implements [connector.Sink].
func (*deafSink) Back(bool) {}

// Sources implements [connector.Sink].
func (s *deafSink) Sources() ([]any, <-chan struct{}) { return nil, s.changed }

// emptyFeed is the feed of a connector that no point goes to.
type emptyFeed struct{ delivered bool }

func (f *emptyFeed) restart() { f.delivered = false }

// Next implements [connector.Feed].
func (f *emptyFeed) Next(ctx context.Context) (connector.Batch, error) {
	if !f.delivered && ctx.Err() == nil {
		f.delivered = true
		return connector.Batch{Targets: &[]connector.Target{}}, nil
	}
	<-ctx.Done()
	return connector.Batch{}, ctx.Err()
}

// SaveCursor implements [connector.Feed].
func (f *emptyFeed) SaveCursor(string, connector.Position) error { return nil }

// DropCursor implements [connector.Feed].
func (f *emptyFeed) DropCursor(string) {}

// Cursors implements [connector.Feed].
func (f *emptyFeed) Cursors() map[string]connector.Position { return nil }

// Lost implements [connector.Feed].
func (f *emptyFeed) Lost() (connector.Position, bool) { return connector.Position{}, false }

// labelKey marks the goroutine of a Run; those it starts inherit the label.
const labelKey = "connectortest"

// runLabelled calls Run in a goroutine of its own whose label all inherit that
// it starts, directly or not.
func runLabelled(ctx context.Context, c connector.Connector) (done chan error, label string) {
	done = make(chan error, 1)
	label = fmt.Sprintf("%p", done) // no two that live have the same
	go pprof.Do(ctx, pprof.Labels(labelKey, label), func(ctx context.Context) { done <- c.Run(ctx) })
	return done, label
}

// wantNoGoroutines waits until no goroutine with the label is left: those that
// were waited for may still be on their last instructions.
func wantNoGoroutines(t *testing.T, label string) {
	t.Helper()
	var left string
	for range poll(t.Context(), 5*time.Second) {
		if left = labelled(label); left == "" {
			return
		}
	}
	t.Errorf("Run left goroutines behind:\n%s", left)
}

// labelled returns the stacks of the goroutines with the label.
func labelled(label string) string {
	var all bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&all, 1); err != nil {
		return err.Error()
	}
	var left []string
	for _, group := range strings.Split(all.String(), "\n\n") {
		if strings.Contains(group, fmt.Sprintf("%q:%q", labelKey, label)) {
			left = append(left, group)
		}
	}
	return strings.Join(left, "\n\n")
}

// poll yields at once and then every few milliseconds, until the time is over
// or ctx has ended.
func poll(ctx context.Context, d time.Duration) iter.Seq[struct{}] {
	return func(yield func(struct{}) bool) {
		ctx, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		for yield(struct{}{}) {
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
	}
}
