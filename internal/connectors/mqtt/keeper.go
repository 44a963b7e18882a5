package mqtt

import (
	"context"
	"time"

	"busbar/internal/connector"
	"busbar/internal/point"
)

// cursor is the name under which it is saved how far the broker has acknowledged.
const cursor = "out"

const (
	// saveEvery is how often that is. The image has it on disk at most 100 ms later.
	saveEvery = 50 * time.Millisecond
	// showEvery is how often the system points are looked after.
	showEvery = time.Second
)

// keep saves how far the broker has acknowledged, and shows the system points, until
// ctx ends and once more then.
func (b *outbox) keep(ctx context.Context) {
	ticker := time.NewTicker(saveEvery)
	defer ticker.Stop()
	var shown time.Time
	for {
		b.save()
		if now := time.Now(); now.Sub(shown) >= showEvery || ctx.Err() != nil {
			shown = now
			b.publishSystem()
		}
		if ctx.Err() != nil {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
}

// save saves how far the broker has acknowledged, if that has changed. Without
// targets there is no such place; whether there are any the first batch tells.
func (b *outbox) save() {
	b.mu.Lock()
	if !b.begun {
		b.mu.Unlock()
		return
	}
	pos, used := b.position(), len(b.table.rows) > 0
	same := b.known && pos == b.saved
	b.saved = pos
	b.mu.Unlock()
	switch {
	case !used && b.known:
		b.env.Feed.DropCursor(cursor)
		b.known = false
	case used && !same:
		err := b.env.Feed.SaveCursor(cursor, pos)
		if err != nil && !b.unsaved {
			b.env.Log.Warn("place in the change log not saved", "error", err)
		}
		b.unsaved, b.known = err != nil, err == nil
	}
}

// What the system points tell of the buffer, in percent, where they change.
const (
	reallyFull = 100
	roomAgain  = 50
)

// systemPoints declares the system points of the kind.
func systemPoints() []connector.SystemPoint {
	return []connector.SystemPoint{
		{Name: "fill", Type: point.Float, Unit: "%", Doc: "buffer of what waits to be published, in whole percent"},
		{Name: "overflow", Type: point.Single, Doc: "the buffer is full; until it is at 50 % or less"},
		{Name: "dropped", Type: point.Int, Doc: "events that were not published since the start of the process: the buffer was full, or the broker refused them for too long"},
		{Name: "refused", Type: point.Single, Doc: "the broker refuses messages on a topic"},
	}
}

// publishSystem tells the system points.
func (b *outbox) publishSystem() {
	if b.env.System == nil {
		return
	}
	b.mu.Lock()
	fill := min((b.held+b.backlog.waiting())*100/b.settings.Buffer.Events, reallyFull)
	dropped := b.figures.dropped.Load() + b.figures.givenUp.Load()
	b.overflow = fill >= reallyFull || b.figures.dropped.Load() > b.seen || b.overflow && fill > roomAgain
	b.seen = b.figures.dropped.Load()
	overflow, refused := b.overflow, len(b.refused) > 0
	b.mu.Unlock()
	b.env.System("fill", point.FloatValue(float64(fill)))
	b.env.System("overflow", point.SingleValue(overflow))
	b.env.System("dropped", point.IntValue(int64(dropped)))
	b.env.System("refused", point.SingleValue(refused))
}
