package api

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/http"
	"time"

	"busbar/internal/auth"
)

// request is what the core knows about a request while it is served.
type request struct {
	id      string // in the answer and in the log
	address string // of the client
	http    *http.Request
	answer  *answer
	op      *op // nil: no route matched
	who     auth.Principal
	audit   note
}

type requestKey struct{}

func newRequest(w http.ResponseWriter, r *http.Request) *request {
	req := &request{id: rand.Text(), address: r.RemoteAddr, answer: &answer{ResponseWriter: w}}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		req.address = host
	}
	req.http = r.WithContext(context.WithValue(r.Context(), requestKey{}, req))
	return req
}

// requestOf returns the request that a handler serves.
func requestOf(ctx context.Context) *request {
	req, _ := ctx.Value(requestKey{}).(*request)
	return req
}

// deadlines sets until when the request may be read and the answer be written; the
// zero time is for ever.
func (r *request) deadlines(read, write time.Time) error {
	control := http.NewResponseController(r.answer)
	for _, err := range []error{control.SetReadDeadline(read), control.SetWriteDeadline(write)} {
		if err != nil && !errors.Is(err, http.ErrNotSupported) { // no connection
			return err
		}
	}
	return nil
}

// answer notes what was answered.
type answer struct {
	http.ResponseWriter
	status int // 0: nothing yet
	size   int64
}

// WriteHeader implements [http.ResponseWriter].
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
		if status == http.StatusNotModified || status == http.StatusNoContent {
			a.Header().Del("Content-Type")
		}
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(b)
	a.size += int64(n)
	return n, err
}

// Unwrap lets [http.ResponseController] reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
