package api

import "sync"

// slots bound how many streams there are at once.
type slots struct {
	all, own int // most in all, and of one principal

	mu     sync.Mutex
	used   int
	usedBy map[string]int
}

func newSlots(l Limits) *slots {
	return &slots{all: l.Streams, own: l.OwnStreams, usedBy: map[string]int{}}
}

// take takes a slot for a principal; release gives it back. It fails with a problem if there is none.
func (s *slots) take(id string) (release func(), p *Problem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.usedBy[id] >= s.own:
		return nil, tooMany(streamRetry, "you have too many streams open already")
	case s.used >= s.all:
		return nil, tooMany(streamRetry, "there are too many streams open already")
	}
	s.used++
	s.usedBy[id]++
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.used--
		if s.usedBy[id]--; s.usedBy[id] == 0 {
			delete(s.usedBy, id)
		}
	}), nil
}
