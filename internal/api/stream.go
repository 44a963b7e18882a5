package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// Figures of streams.
const (
	streamBuffer    = 1024             // events that wait for a slow client
	streamWrite     = 10 * time.Second // longest time that a client may take for what is written to it
	streamHeartbeat = 15 * time.Second // longest silence
	streamRecheck   = 30 * time.Second // how often it is checked whether who listens still may
	streamRetry     = 5 * time.Second  // when a client is asked to come again
)

// event is an event of a stream.
type event struct {
	ID   string // where a client that comes again goes on; empty: it cannot
	Name string // one of the events of the route
	Data any    // becomes JSON
}

// streamEnd is the data of the last event of every stream, "end".
type streamEnd struct {
	Reason string `json:"reason" enum:"finished,slow,signed-out,stopping,failed" doc:"finished: there is nothing more. slow: the client did not take the events in time. signed-out: who listens may no longer. stopping: the server stops"`
	Detail string `json:"detail,omitempty"`
}

// Errors of sending; a handler returns when it gets one.
var (
	errSlow = errors.New("the client does not take the events in time")
	errEnd  = errors.New("the stream has ended")
)

// stream is one open stream. Its methods are safe for concurrent use.
type stream struct {
	// LastEventID is the id of the last event that the client has, empty if it begins.
	LastEventID string

	ctx    context.Context
	cancel context.CancelCauseFunc
	frames chan []byte
	done   chan struct{} // closed when the handler has returned
	result error         // of the handler, once done is closed
}

// Send sends an event. It waits until there is room, at most 10 s, then it ends
// the stream as too slow. It fails if the stream has ended.
func (s *stream) Send(e event) error {
	frame, err := e.frame()
	if err != nil {
		return err
	}
	late := time.NewTimer(streamWrite)
	defer late.Stop()
	select {
	case s.frames <- frame:
		return nil
	case <-s.ctx.Done():
		return errEnd
	case <-late.C:
		s.cancel(errSlow)
		return errSlow
	}
}

// Offer sends an event without waiting. If there is no room it ends the stream as too slow.
func (s *stream) Offer(e event) error {
	frame, err := e.frame()
	if err != nil {
		return err
	}
	select {
	case <-s.ctx.Done():
		return errEnd
	case s.frames <- frame:
		return nil
	default:
		s.cancel(errSlow)
		return errSlow
	}
}

// frame writes the event as it goes over the wire.
func (e event) frame() ([]byte, error) {
	data, err := json.Marshal(e.Data)
	if err != nil {
		return nil, fmt.Errorf("event %s: %w", e.Name, err)
	}
	var b bytes.Buffer
	if e.ID != "" && !strings.ContainsAny(e.ID, "\r\n\x00") {
		fmt.Fprintf(&b, "id: %s\n", e.ID)
	}
	fmt.Fprintf(&b, "event: %s\ndata: %s\n\n", e.Name, data)
	return b.Bytes(), nil
}

// StreamInput is what every stream can be asked.
type StreamInput struct {
	LastEventID string `header:"Last-Event-ID" maxLength:"256" doc:"Id of the last event that the client has: the stream goes on after it"`
}

func (s *StreamInput) resume() string { return s.LastEventID }

// resumable is an input that embeds StreamInput.
type resumable[I any] interface {
	*I
	resume() string
}

// registerStream adds a route that answers with server-sent events. events are
// the names of its events with a value of the type of their data. open prepares
// the stream, and may refuse it with a problem. It returns what sends: a function
// that runs until its context ends, a Send fails, or there is nothing more.
func registerStream[I any, P resumable[I]](a *api, o op, events map[string]any, open func(context.Context, P) (func(context.Context, *stream) error, error)) {
	o.Produces = []string{"text/event-stream"}
	o.Errors = append(slices.Clone(o.Errors), http.StatusTooManyRequests)
	register(a, o, func(ctx context.Context, in *I) (*huma.StreamResponse, error) {
		req := requestOf(ctx)
		release, p := a.streams.take(req.who.ID)
		if p != nil {
			return nil, p
		}
		send, err := open(ctx, in)
		if err != nil {
			release()
			return nil, err
		}
		return &huma.StreamResponse{Body: func(huma.Context) {
			defer release()
			a.serveStream(req, P(in).resume(), send)
		}}, nil
	})
	a.documentEvents(&o, events)
}

// serveStream runs a stream until it ends.
func (a *api) serveStream(req *request, last string, send func(context.Context, *stream) error) {
	ctx, cancel := context.WithCancelCause(req.http.Context())
	defer cancel(nil)
	s := &stream{LastEventID: last, ctx: ctx, cancel: cancel, frames: make(chan []byte, streamBuffer), done: make(chan struct{})}
	h := req.answer.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	req.answer.WriteHeader(http.StatusOK)
	if req.http.Method == http.MethodHead {
		return
	}
	go func() {
		defer close(s.done)
		s.result = a.produce(ctx, s, req, send)
	}()
	w := streamWriter{api: a, req: req, control: http.NewResponseController(req.answer)}
	end, err := w.run(s)
	cancel(errEnd)
	<-s.done
	if err == nil {
		err = w.end(end)
	}
	if err != nil {
		a.log.Debug("stream ended", "request", req.id, "operation", req.op.ID, "reason", end.Reason, "error", err)
	}
}

// produce runs the handler of a stream. A panic of it ends the stream alone.
func (a *api) produce(ctx context.Context, s *stream, req *request, send func(context.Context, *stream) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			a.log.Error("stream failed", "request", req.id, "operation", req.op.ID, "panic", p, "stack", string(debug.Stack()))
			err = internalError(req.id)
		}
	}()
	return send(ctx, s)
}
