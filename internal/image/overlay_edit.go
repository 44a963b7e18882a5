package image

import (
	"context"
	"time"

	"busbar/internal/point"
)

// Substitute implements [Image].
func (m *Memory) Substitute(ctx context.Context, p point.Index, s Substitution) error {
	return m.edit(ctx, p, enter(s))
}

// Block implements [Image].
func (m *Memory) Block(ctx context.Context, p point.Index, by Mark) error {
	return m.edit(ctx, p, block(by))
}

// Release implements [Image].
func (m *Memory) Release(ctx context.Context, p point.Index, what point.Quality) error {
	return m.edit(ctx, p, release(what))
}

func (m *Memory) edit(ctx context.Context, p point.Index, change edit) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	o, err := m.edited(p, change)
	if o != nil {
		m.cover(p, o, point.InstantOf(time.Now()))
	}
	return err
}

// Substitute implements [Image].
func (e *Embedded) Substitute(ctx context.Context, p point.Index, s Substitution) error {
	return e.edit(ctx, p, enter(s))
}

// Block implements [Image].
func (e *Embedded) Block(ctx context.Context, p point.Index, by Mark) error {
	return e.edit(ctx, p, block(by))
}

// Release implements [Image].
func (e *Embedded) Release(ctx context.Context, p point.Index, what point.Quality) error {
	return e.edit(ctx, p, release(what))
}

// edit changes one overlay at a time, and takes the change back if it is not kept.
func (e *Embedded) edit(ctx context.Context, p point.Index, change edit) error {
	e.editing.Lock()
	defer e.editing.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	kept := make(chan error, 1)
	after, before, err := e.begin(p, change, func(err error) { kept <- err })
	if after == nil || err != nil {
		return err
	}
	if err := <-kept; err != nil {
		e.undo(p, after, before)
		return closedError(err)
	}
	return nil
}

// begin shows a change of an overlay, which is kept when kept is called with nil. after
// is nil if there is nothing to change.
func (e *Embedded) begin(p point.Index, change edit, kept func(error)) (after, before *overlay, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, nil, ErrClosed
	}
	after, err = e.edited(p, change)
	if after == nil || err != nil {
		return nil, nil, err
	}
	before = e.overlays[p]
	e.keeper.forget()
	size := recordSize + len(after.shown().text) + len(appendTrailer(nil, after))
	if err := e.keeper.journal.Admit(1, int64(size)); err != nil {
		return nil, nil, closedError(err)
	}
	newest := e.log.next - 1
	e.cover(p, after, point.InstantOf(time.Now()))
	if err := e.keeper.flush(kept); err != nil {
		e.refuse(newest)
		e.restore(p, after, before)
		return nil, nil, closedError(err)
	}
	return after, before, nil
}

// undo takes back a change of an overlay that was not kept.
func (e *Embedded) undo(p point.Index, after, before *overlay) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.restore(p, after, before)
}

// restore shows the overlay before a change, over what the source has told since. If
// that cannot be kept either, it is nonetheless what the journal has.
func (e *Embedded) restore(p point.Index, after, before *overlay) {
	now := e.overlays[p]
	switch {
	case e.typeOf(p) != after.under.typ, after.lies() && now != after, !after.lies() && now != nil:
		return // the point is not what it was
	case after.lies():
		after = now
	default:
		after.under = layer{e.cells[p], e.texts[p]}
	}
	var o overlay
	if before != nil {
		o = *before
	}
	o.under = after.under
	newest := e.log.next - 1
	e.cover(p, &o, point.InstantOf(time.Now()))
	if e.keeper.flush(nil) != nil {
		e.refuse(newest)
	}
}
