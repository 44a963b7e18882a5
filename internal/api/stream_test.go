package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"busbar/internal/auth"
)

// listener is a client of a stream that takes what is written as fast as it is let.
type listener struct {
	header http.Header
	gate   chan struct{} // every write takes one; nil: none

	mu   sync.Mutex
	text strings.Builder
}

func (l *listener) Header() http.Header { return l.header }
func (l *listener) WriteHeader(int)     {}
func (l *listener) Flush()              {}

func (l *listener) Write(b []byte) (int, error) {
	if l.gate != nil {
		<-l.gate
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *listener) got() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// ticks is the data of the events of the tests.
type ticks struct {
	N int `json:"n"`
}

// listen opens a stream whose events send sends, in a bubble. end ends the client.
func listen(t *testing.T, r *rig, l *listener, who string, send func(context.Context, *stream) error) (end func()) {
	t.Helper()
	registerStream(r.api, op{
		ID: "getTicks", Method: http.MethodGet, Path: "/ticks", Tag: "t", Role: auth.Viewer, Scope: scopePoints, Summary: "s",
	}, map[string]any{"tick": ticks{}}, func(context.Context, *StreamInput) (func(context.Context, *stream) error, error) {
		return send, nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	req := httptest.NewRequestWithContext(ctx, http.MethodGet, base+"/ticks", nil)
	req.Header.Set("Authorization", "Bearer "+who)
	req.Header.Set("Last-Event-ID", "41")
	l.header = http.Header{}
	done := make(chan struct{})
	go func() { defer close(done); r.api.ServeHTTP(l, req) }()
	return func() {
		t.Helper()
		cancel()
		synctest.Wait()
		select {
		case <-done:
		default:
			t.Error("the stream has not ended")
		}
	}
}

func unobserved(d *Deps) { d.observe = nil }

func TestStreamSendsEventsAndResumes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &listener{}
		end := listen(t, newRig(t, unobserved), l, "viewer", func(_ context.Context, s *stream) error {
			if s.LastEventID != "41" {
				t.Errorf("last event id %q, want 41", s.LastEventID)
			}
			return errors.Join(s.Send(event{ID: "42", Name: "tick", Data: ticks{1}}), s.Offer(event{Name: "tick", Data: ticks{2}}))
		})
		synctest.Wait()
		want := "retry: 5000\n\nid: 42\nevent: tick\ndata: {\"n\":1}\n\nevent: tick\ndata: {\"n\":2}\n\nevent: end\ndata: {\"reason\":\"finished\"}\n\n"
		if got := l.got(); got != want {
			t.Errorf("stream %q, want %q", got, want)
		}
		if got := l.header.Get("Content-Type"); got != "text/event-stream" {
			t.Errorf("content type %q", got)
		}
		end()
	})
}

// wait sends nothing until the stream ends.
func wait(ctx context.Context, _ *stream) error {
	<-ctx.Done()
	return nil
}

func TestStreamIsNeverSilent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &listener{}
		end := listen(t, newRig(t, unobserved), l, "viewer", wait)
		time.Sleep(time.Minute + time.Second)
		if got := strings.Count(l.got(), ":\n\n"); got != 4 {
			t.Errorf("%d heartbeats in a minute, want 4", got)
		}
		end()
		if strings.Contains(l.got(), "event: end") {
			t.Error("a client that has left gets a last event")
		}
	})
}

func TestStreamEndsForAReason(t *testing.T) {
	t.Parallel()
	fill := func(ctx context.Context, s *stream) error {
		for {
			if err := s.Offer(event{Name: "tick", Data: ticks{1}}); err != nil {
				return err
			}
		}
	}
	waitForRoom := func(ctx context.Context, s *stream) error {
		for {
			if err := s.Send(event{Name: "tick", Data: ticks{1}}); err != nil {
				return err
			}
		}
	}
	for name, c := range map[string]struct {
		send   func(context.Context, *stream) error
		slow   bool // the client takes nothing for a while
		revoke bool // after 10 s
		stop   bool
		within time.Duration
		want   string
	}{
		"a client that is too slow":        {send: fill, slow: true, within: 0, want: `"slow"`},
		"a client that stands still":       {send: waitForRoom, slow: true, within: streamWrite, want: `"slow"`},
		"who listens has signed out":       {send: wait, revoke: true, within: streamRecheck, want: `"signed-out"`},
		"the server stops":                 {send: wait, stop: true, within: 0, want: `"stopping"`},
		"the handler fails with a problem": {send: func(context.Context, *stream) error { return unavailable("the image is closed") }, want: "the image is closed"},
		"the handler fails":                {send: func(context.Context, *stream) error { return errors.New("inner detail") }, want: "something went wrong"},
		"the handler panics":               {send: func(context.Context, *stream) error { panic("inner detail") }, want: "something went wrong"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l, stopping, session := &listener{}, make(chan struct{}), &session{}
				if c.slow {
					l.gate = make(chan struct{})
				}
				r := newRig(t, unobserved, func(d *Deps) { d.Stopping, d.Auth = stopping, session })
				end := listen(t, r, l, "viewer", c.send)
				synctest.Wait()
				if c.revoke {
					session.end()
				}
				if c.stop {
					close(stopping)
				}
				time.Sleep(c.within + time.Second)
				if c.slow {
					close(l.gate)
				}
				synctest.Wait()
				if got := l.got(); !strings.Contains(got, "event: end\n") || !strings.Contains(got, c.want) || strings.Contains(got, "inner detail") {
					t.Errorf("stream ends with %q, want %s", got[max(0, len(got)-200):], c.want)
				}
				end()
			})
		})
	}
}

// session is a sign-in that can end.
type session struct {
	bearers
	mu    sync.Mutex
	ended bool
}

func (s *session) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
}

func (s *session) Authenticate(r *http.Request) (auth.Principal, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return auth.Principal{}, errNobody
	}
	return s.bearers.Authenticate(r)
}

func TestStreamsAreLimited(t *testing.T) {
	t.Parallel()
	s := newSlots(Limits{Streams: 3, OwnStreams: 2})
	var release []func()
	for _, c := range []struct {
		id   string
		want bool
	}{{"a", true}, {"a", true}, {"a", false}, {"b", true}, {"c", false}} {
		r, p := s.take(c.id)
		if (p == nil) != c.want {
			t.Fatalf("stream of %s: %v, want it to be possible: %v", c.id, p, c.want)
		}
		if p != nil && (p.Status != http.StatusTooManyRequests || p.headers.Get("Retry-After") != "5") {
			t.Errorf("problem %+v, want 429 with Retry-After 5", p)
		}
		release = append(release, r)
	}
	release[0]()
	release[0]() // counts once
	if _, p := s.take("c"); p != nil {
		t.Errorf("stream after one has ended: %v", p)
	}
	if _, p := s.take("d"); p == nil {
		t.Error("a place that was given back twice counts twice")
	}
}

// TestStreamOutlivesTheTimeoutsOfItsServer sends over TCP for longer than the
// server gives an answer.
func TestStreamOutlivesTheTimeoutsOfItsServer(t *testing.T) {
	t.Parallel()
	r := newRig(t, unobserved)
	registerStream(r.api, op{
		ID: "getTicks", Method: http.MethodGet, Path: "/ticks", Tag: "t", Role: auth.Viewer, Scope: scopePoints, Summary: "s",
	}, map[string]any{"tick": ticks{}}, func(context.Context, *StreamInput) (func(context.Context, *stream) error, error) {
		return func(ctx context.Context, s *stream) error {
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for i := range 20 {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-tick.C:
				}
				if err := s.Offer(event{Name: "tick", Data: ticks{i}}); err != nil {
					return err
				}
			}
			return nil
		}, nil
	})
	server := httptest.NewUnstartedServer(r.api)
	server.Config.ReadTimeout, server.Config.WriteTimeout = 100*time.Millisecond, 100*time.Millisecond
	server.Start()
	defer server.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+base+"/ticks", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer viewer")
	answer, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var text strings.Builder
	if _, err := io.Copy(&text, answer.Body); err != nil {
		t.Fatal(err)
	}
	if got := text.String(); strings.Count(got, "event: tick") != 20 || !strings.HasSuffix(got, "data: {\"reason\":\"finished\"}\n\n") {
		t.Errorf("stream %q, want 20 events and an end", got)
	}
}
