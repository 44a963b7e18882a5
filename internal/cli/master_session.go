package cli

import (
	"context"
	"fmt"
	"sync"
	"time"

	"busbar/iec104"
	"busbar/iec104/asdu"
)

// masterSession is a connection of `busbar master` and what is asked over it.
type masterSession struct {
	io   IO
	json bool
	link *linking

	mu     sync.Mutex // of what follows, and of the output
	out    *objectPrinter
	wants  func(asdu.Header) bool // what is printed of what comes; nil: nothing
	all    bool                   // everything of the process is printed
	memory *memory                // of a script; nil: nothing is kept
	taker  func(*asdu.ASDU)       // gets what is wanted in place of the printer; nil: it is printed
	enough func()                 // called when the printer is full
}

// runMaster connects, asks and prints.
func runMaster(ctx context.Context, o *masterOptions, r *masterRequest, io IO) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &masterSession{io: io, json: o.json, out: newObjectPrinter(io.Out, o.json, o.count), enough: cancel}
	if o.steps, err = readSteps(o, io); err != nil {
		return err
	}
	s.filter(o, r)
	s.prepare(r)
	s.link, err = o.newLinking(ctx, s.notice, iec104.WithHandler(s.handle), iec104.WithOriginator(o.oa),
		iec104.WithRequestLimits(iec104.RequestLimits{Confirm: o.timeout, Silence: o.timeout, Settle: settle, File: o.timeout}))
	if err != nil {
		return err
	}
	if err = s.link.begin(ctx, o.timeout); err == nil {
		err = s.perform(ctx, o, r)
	}
	if closeErr := s.link.end(); err == nil {
		err = closeErr
	}
	// The handler is not called any more.
	if flushErr := s.out.flush(); err == nil {
		err = flushErr
	}
	return err
}

// perform does what a request is about.
func (s *masterSession) perform(ctx context.Context, o *masterOptions, r *masterRequest) error {
	if r.session != nil {
		return r.session(ctx, s, o)
	}
	return s.ask(ctx, o, r)
}

// filter sets what is printed of what comes, and by whom.
func (s *masterSession) filter(o *masterOptions, r *masterRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o.files.session = s
	s.wants = nil
	if r.wants != nil {
		s.wants = func(h asdu.Header) bool { return r.wants(o, h) }
	}
}

// handle takes what the station sends.
func (s *masterSession) handle(a asdu.ASDU) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wanted := s.wants != nil && s.wants(a.Header) || s.all && !a.Type.Command()
	switch {
	case wanted && s.taker != nil:
		s.taker(&a)
	case wanted:
		s.out.print(&a)
	}
	if s.memory != nil {
		s.memory.keep(&a)
	}
	if s.out.full() {
		s.enough()
	}
}

// notice prints a line that is no result.
func (s *masterSession) notice(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.io.Err, "busbar master: %s\n", text)
}

// say prints a summary for people.
func (s *masterSession) say(text string) {
	if s.json || text == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintln(s.io.Err, text)
}

// ask makes one request and says what came of it.
func (s *masterSession) ask(ctx context.Context, o *masterOptions, r *masterRequest) error {
	s.filter(o, r)
	begun := time.Now()
	summary, err := r.ask(ctx, s.link.client, o)
	if err != nil {
		return err
	}
	if summary != "" {
		summary = fmt.Sprintf("%s, %v", summary, time.Since(begun).Round(100*time.Microsecond))
	}
	if summary != "" && o.ca == asdu.GlobalCA {
		summary += fmt.Sprintf(", of which %v of waiting for further stations", settle)
	}
	s.say(summary)
	return nil
}
