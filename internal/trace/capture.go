package trace

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
)

// Capture is the contents of a capture file.
type Capture struct {
	frames  []frame
	release func()
}

// Capture takes the frames that the filter chooses. Close must be called. It fails with
// ErrBusy and with ctx.Err().
func (t *Tracer) Capture(ctx context.Context, f Filter) (*Capture, error) {
	select {
	case t.dumps <- struct{}{}:
	default:
		return nil, ErrBusy
	}
	c := &Capture{release: sync.OnceFunc(func() { <-t.dumps })}
	choose := newChooser(&f, t.names)
	for _, tp := range f.tapes(t.tapes()) {
		if ctx.Err() != nil {
			c.Close()
			return nil, ctx.Err()
		}
		c.frames = append(c.frames, last(tp, choose, 1<<30)...)
	}
	slices.SortStableFunc(c.frames, func(a, b frame) int { return a.at.Compare(b.at) })
	return c, nil
}

// Close lets another capture be made.
func (c *Capture) Close() { c.release() }

// Write writes the capture as a file: one packet per frame, with the addresses and ports
// of the connection, TCP around it that is made up but consistent, and one interface per
// connector. Frames of links with TLS are written as they are inside of it. It fails with
// ctx.Err() and with the error of w.
func (c *Capture) Write(ctx context.Context, w io.Writer) error {
	d := dump{interfaces: map[string]int{}, talks: map[talk]*stream{}}
	for i := range c.frames {
		if i%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := d.frame(w, &c.frames[i]); err != nil {
			return fmt.Errorf("trace: writing pcapng: %w", err)
		}
	}
	if err := d.end(w); err != nil {
		return fmt.Errorf("trace: writing pcapng: %w", err)
	}
	return nil
}
