package apiclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// call is a request.
type call struct {
	method string
	path   string // below the API, escaped
	query  url.Values
	accept string // content type of the answer; empty: JSON
	header map[string]string
	kind   string // content type of body
	body   []byte
}

// Path joins the segments of a path, each escaped whole.
func Path(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteString("/" + url.PathEscape(s))
	}
	return b.String()
}

const kindJSON = "application/json"

// ask makes a call with JSON in both directions; in and out may be nil. It returns the
// header of the answer.
func (c *Client) ask(ctx context.Context, method, path string, query url.Values, in, out any) (http.Header, error) {
	q := call{method: method, path: path, query: query}
	if in != nil {
		body, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		q.kind, q.body = kindJSON, body
	}
	return c.read(ctx, q, out)
}

// read makes a call and reads the JSON of its answer into out, which may be nil.
func (c *Client) read(ctx context.Context, q call, out any) (http.Header, error) {
	r, err := c.do(ctx, q)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Body.Close() }()
	if out == nil {
		_, err := io.Copy(io.Discard, io.LimitReader(r.Body, maxAnswer))
		return r.Header, err
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, maxAnswer)).Decode(out); err != nil {
		return nil, fmt.Errorf("answer of the server: %w", err)
	}
	return r.Header, nil
}

// do makes a call and returns its answer, whose body is to be closed. Anything but success
// is a [*Problem]. What only reads is tried again where that may help.
func (c *Client) do(ctx context.Context, q call) (*http.Response, error) {
	for attempt := 1; ; attempt++ {
		r, err := c.once(ctx, q)
		pause, again := retryAfter(r, err, attempt)
		if q.method != http.MethodGet || !again || ctx.Err() != nil {
			return answered(r, err)
		}
		if r != nil {
			_ = r.Body.Close()
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
	}
}

func answered(r *http.Response, err error) (*http.Response, error) {
	if err != nil || r.StatusCode >= 200 && r.StatusCode < 300 {
		return r, err
	}
	defer func() { _ = r.Body.Close() }()
	return nil, problemOf(r)
}

// Retries of what only reads.
const (
	attempts   = 4
	firstPause = 250 * time.Millisecond
	maxPause   = 10 * time.Second
)

// retryAfter returns after which pause a call is made again, if that may help.
func retryAfter(r *http.Response, err error, attempt int) (pause time.Duration, again bool) {
	pause = firstPause << (attempt - 1)
	switch {
	case attempt >= attempts:
		return 0, false
	case err != nil:
		var op interface{ Timeout() bool } // certificates and the like stay as they are
		var e *url.Error
		return pause, errors.As(err, &e) && (errors.As(e.Err, &op) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF))
	case r.StatusCode != http.StatusTooManyRequests && r.StatusCode != http.StatusBadGateway &&
		r.StatusCode != http.StatusServiceUnavailable && r.StatusCode != http.StatusGatewayTimeout:
		return 0, false
	}
	if seconds, err := strconv.Atoi(r.Header.Get("Retry-After")); err == nil && seconds >= 0 {
		pause = min(time.Duration(seconds)*time.Second, maxPause)
	}
	return pause, true
}

func (c *Client) once(ctx context.Context, q call) (*http.Response, error) {
	address := c.base + q.path
	if len(q.query) > 0 {
		address += "?" + q.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, q.method, address, bytes.NewReader(q.body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", c.opts.Agent)
	req.Header.Set("Accept", kindJSON)
	if q.accept != "" {
		req.Header.Set("Accept", q.accept)
	}
	if q.kind != "" {
		req.Header.Set("Content-Type", q.kind)
	}
	if c.opts.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.opts.Token)
	} else { // the cookie of a session may be sent
		req.Header.Set("X-Busbar-CSRF", "1")
		req.Header.Set("Origin", c.origin)
	}
	for name, value := range q.header {
		req.Header.Set(name, value)
	}
	return c.http.Do(req)
}
