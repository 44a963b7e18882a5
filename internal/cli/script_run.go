package cli

import (
	"context"
	"fmt"
	"time"

	"busbar/iec104/asdu"
)

// stepError is the failure of a line of a script.
type stepError struct {
	place string // file and line
	err   error
}

func (e *stepError) Error() string { return e.place + ": " + e.err.Error() }
func (e *stepError) Unwrap() error { return e.err }

// runScript makes the requests of a script, and stops at the first that fails.
func runScript(ctx context.Context, s *masterSession, o *masterOptions) error {
	for i := range o.steps {
		if err := s.step(ctx, &o.steps[i]); err != nil {
			return &stepError{place: fmt.Sprintf("%s:%d", o.script, o.steps[i].line), err: err}
		}
	}
	s.say(fmt.Sprintf("%s: %s done", o.script, count(len(o.steps), "step")))
	return nil
}

// step makes one step. A --timeout of the line bounds a request as a whole.
func (s *masterSession) step(ctx context.Context, t *step) error {
	switch {
	case t.expect != nil:
		return s.expect(ctx, t.expect)
	case t.request == nil:
		return s.wait(ctx, t.sleep)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if t.options.limited && t.request.name != "monitor" {
		var limit context.CancelFunc
		ctx, limit = context.WithTimeout(ctx, t.options.timeout)
		defer limit()
	}
	s.mu.Lock()
	s.memory.forget()
	s.out.limit(t.options.count)
	s.enough = cancel
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.out.limit(0)
		s.mu.Unlock()
	}()
	return s.perform(ctx, t.options, t.request)
}

// wait waits, unless the connection is lost.
func (s *masterSession) wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-s.lost():
		return s.link.client.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// lost returns a channel that is closed when the connection is lost for good.
func (s *masterSession) lost() <-chan struct{} {
	if s.link.run {
		return nil
	}
	return s.link.client.Done()
}

// memory keeps what a station has sent since the last request, for expectations.
type memory struct {
	objects []seen
	dropped int // before the first
	news    chan struct{}
	decoded []asdu.Object
}

// maxMemory is how many objects are kept; of more, the newer half.
const maxMemory = 200_000

// prepare has the session keep and print what the request needs from the first octet on.
func (s *masterSession) prepare(r *masterRequest) {
	s.all = r.name == "interactive"
	if s.all || r.name == "script" {
		s.memory = &memory{news: make(chan struct{})}
	}
}

// keep takes an ASDU. The lock of the session is held, here and below.
func (m *memory) keep(a *asdu.ASDU) {
	m.decoded = a.AppendObjects(m.decoded[:0])
	for _, o := range m.decoded {
		o.Data = nil // belongs to the ASDU, and nobody asks for it
		m.objects = append(m.objects, seen{header: a.Header, object: o})
	}
	if len(m.objects) > maxMemory {
		m.dropped += len(m.objects) - maxMemory/2
		m.objects = append(m.objects[:0], m.objects[len(m.objects)-maxMemory/2:]...)
	}
	close(m.news)
	m.news = make(chan struct{})
}

// forget begins anew: a request is made.
func (m *memory) forget() {
	m.dropped += len(m.objects)
	m.objects = m.objects[:0]
}

// expect waits for an object that has come since the last request, or comes in time,
// and prints it.
func (s *masterSession) expect(ctx context.Context, e *expectation) error {
	timer := time.NewTimer(e.timeout)
	defer timer.Stop()
	next, last := 0, (*seen)(nil)
	for over := false; ; {
		s.mu.Lock()
		m := s.memory
		for next = max(next, m.dropped); next < m.dropped+len(m.objects); next++ {
			o := m.objects[next-m.dropped]
			if e.met(&o) {
				s.out.one(&o)
				s.mu.Unlock()
				return nil
			}
			if o.header.CA == e.ca && o.object.IOA == e.ioa {
				last = &o
			}
		}
		news := m.news
		s.mu.Unlock()
		if over {
			return e.missed(last)
		}
		select {
		case <-news:
		case <-timer.C:
			over = true // look once more
		case <-s.lost():
			return s.link.client.Err()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// missed says what has come in place of what was expected.
func (e *expectation) missed(last *seen) error {
	if last == nil {
		return fmt.Errorf("%v: %w in %v, nothing of this address has come", e, errExpected, e.timeout)
	}
	return fmt.Errorf("%v: %w in %v, the last was %v", e, errExpected, e.timeout, last)
}
