package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// streamWriter writes a stream to its client.
type streamWriter struct {
	api     *api
	req     *request
	control *http.ResponseController
}

// run writes what is sent until the stream ends, and returns why. An error means
// that the client is gone.
func (w streamWriter) run(s *stream) (streamEnd, error) {
	heartbeat := time.NewTicker(streamHeartbeat)
	defer heartbeat.Stop()
	recheck := time.NewTicker(streamRecheck)
	defer recheck.Stop()
	if err := w.write([]byte("retry: " + strconv.Itoa(int(streamRetry.Milliseconds())) + "\n\n")); err != nil {
		return streamEnd{}, err
	}
	for {
		var err error
		select {
		case frame := <-s.frames:
			err = w.write(s.more(frame))
			heartbeat.Reset(streamHeartbeat)
		case <-heartbeat.C:
			err = w.write([]byte(":\n\n"))
		case <-recheck.C:
			if !w.stillMay() {
				return streamEnd{Reason: "signed-out", Detail: "the session or the token is no longer valid"}, nil
			}
		case <-w.api.deps.Stopping:
			return streamEnd{Reason: "stopping"}, nil
		case <-s.ctx.Done():
			if errors.Is(context.Cause(s.ctx), errSlow) {
				return streamEnd{Reason: "slow", Detail: errSlow.Error()}, nil
			}
			return streamEnd{}, s.ctx.Err()
		case <-s.done:
			return w.finish(s)
		}
		if err != nil {
			return streamEnd{}, err
		}
	}
}

// more adds to a frame those that wait already.
func (s *stream) more(frame []byte) []byte {
	for range len(s.frames) {
		select {
		case next := <-s.frames:
			frame = append(frame, next...)
		default:
			return frame
		}
	}
	return frame
}

// finish writes what is left when the handler has returned.
func (w streamWriter) finish(s *stream) (streamEnd, error) {
	if errors.Is(context.Cause(s.ctx), errSlow) {
		return streamEnd{Reason: "slow", Detail: errSlow.Error()}, nil
	}
	if rest := s.more(nil); len(rest) > 0 {
		if err := w.write(rest); err != nil {
			return streamEnd{}, err
		}
	}
	if s.result == nil {
		return streamEnd{Reason: "finished"}, nil
	}
	var p *Problem
	if errors.As(w.api.problemOf(w.req, s.result), &p) {
		return streamEnd{Reason: "failed", Detail: p.Detail}, nil
	}
	return streamEnd{Reason: "failed"}, nil
}

// stillMay reports whether who listens could open the stream again.
func (w streamWriter) stillMay() bool {
	who, err := w.api.deps.Auth.Authenticate(w.req.http)
	return err == nil && who.ID == w.req.who.ID && permit(w.req.op, who) == nil && slices.Equal(who.Subtrees, w.req.who.Subtrees)
}

// end writes the last event.
func (w streamWriter) end(e streamEnd) error {
	frame, err := event{Name: "end", Data: e}.frame()
	if err != nil {
		return err
	}
	return w.write(frame)
}

// write writes within the time that a client has, whatever the server's timeout is.
func (w streamWriter) write(b []byte) error {
	if err := w.control.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := w.req.answer.Write(b); err != nil {
		return err
	}
	if err := w.control.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}
