package connector

import (
	"context"
	"errors"
	"sync"

	"busbar/internal/image"
	"busbar/internal/point"
)

// publisher publishes what comes from the host itself, or is about a connector. It
// never waits for the disk: who calls it holds locks. What the image loses after it
// has taken it is published again by replay.
type publisher struct {
	img  image.Image
	over context.Context // has ended, so that the image does not wait

	mu   sync.Mutex
	lost []*parcel
}

// parcel is a batch under way. Its points are empty if the image has refused it.
type parcel struct{ points []point.Index }

func newPublisher(img image.Image) *publisher {
	over, cancel := context.WithCancel(context.Background())
	cancel()
	return &publisher{img: img, over: over}
}

// errBehind is the error of the image where it would have waited.
var errBehind = errors.New("too much waits for the disk")

func (p *publisher) publish(batch []point.Update) error {
	sent := &parcel{points: make([]point.Index, 0, len(batch))}
	for i := range batch {
		if batch[i].Flags&point.Restored == 0 { // otherwise it is not to be kept
			sent.points = append(sent.points, batch[i].Point)
		}
	}
	err := p.img.Publish(p.over, batch, func(err error) {
		if err != nil {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.lost = append(p.lost, sent)
		}
	})
	if err != nil { // the caller's, who may have changed his mind before he tries again
		p.mu.Lock()
		defer p.mu.Unlock()
		sent.points = nil
	}
	if errors.Is(err, context.Canceled) {
		return errBehind
	}
	return err
}

// hasLost reports whether there is anything to replay.
func (p *publisher) hasLost() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.lost) > 0
}

// replay publishes once more the states of points whose last changes were lost. No
// update of them may be under way. Those that skip wants to leave out are
// left out; nil: none.
func (p *publisher) replay(skip func(point.Index) bool) {
	p.mu.Lock()
	lost := p.lost
	p.lost = nil
	p.mu.Unlock()
	for _, l := range lost {
		batch := make([]point.Update, 0, len(l.points))
		for _, at := range l.points {
			s, ok := p.img.Beneath(at)
			if ok && (skip == nil || !skip(at)) {
				batch = append(batch, point.Update{Point: at, Quality: s.Quality, TimeQuality: s.TimeQuality, Flags: point.KeepValue})
			}
		}
		if len(batch) > 0 && p.publish(batch) != nil {
			p.mu.Lock()
			p.lost = append(p.lost, l)
			p.mu.Unlock()
		}
	}
}
