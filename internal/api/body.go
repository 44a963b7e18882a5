package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

// bodyIdle is how long a body that is read as a stream may stand still.
const bodyIdle = 10 * time.Second

// bodyOf returns the body of a request as a stream, for a route that declares
// Consumes, and its content type. Reading fails with a problem when the body is
// larger than MaxBody of the route, stands still for 10 s, or takes longer than BodyTimeout.
func bodyOf(ctx context.Context) (body io.Reader, contentKind string) {
	req := requestOf(ctx)
	return &slowBody{req: req, until: time.Now().Add(req.op.BodyTimeout)}, contentType(req.http)
}

// slowBody is a body of which every part has a deadline.
type slowBody struct {
	req   *request
	until time.Time
}

// Read implements [io.Reader].
func (b *slowBody) Read(p []byte) (int, error) {
	deadline := time.Now().Add(bodyIdle)
	if deadline.After(b.until) {
		deadline = b.until
	}
	if err := http.NewResponseController(b.req.answer).SetReadDeadline(deadline); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	n, err := b.req.http.Body.Read(p)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		err = tooLarge(large.Limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = problem(http.StatusRequestTimeout, "timeout", "the body came too slowly")
	}
	return n, err
}

// Requests to routes that take large bodies, whose work takes much more memory than the body has octets.
const (
	parallelLarge = 2                // served at once
	waitLarge     = 20 * time.Second // longest time that one waits for others
)

// enterLarge waits until a request with a large body may be served.
func (a *api) enterLarge(ctx context.Context) (leave func(), err error) {
	timer := time.NewTimer(waitLarge)
	defer timer.Stop()
	select {
	case a.large <- struct{}{}:
		return func() { <-a.large }, nil
	case <-timer.C:
		return nil, tooMany(streamRetry, "other large requests are being served")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
