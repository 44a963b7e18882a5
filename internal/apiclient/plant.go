package apiclient

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Content types of whole plants.
const (
	JSON = kindJSON
	YAML = "application/yaml"
)

// Plant writes the whole plant to w, as JSON or YAML, and returns its entity tag.
func (c *Client) Plant(ctx context.Context, kind string, w io.Writer) (tag string, err error) {
	return c.copy(ctx, call{method: http.MethodGet, path: "/plant", accept: kind}, w)
}

// Table writes all points to w as a table: csv or xlsx.
func (c *Client) Table(ctx context.Context, format string, w io.Writer) error {
	_, err := c.copy(ctx, call{method: http.MethodGet, path: "/points/export", query: url.Values{"format": {format}}, accept: "*/*"}, w)
	return err
}

// copy writes the answer of a call to w and returns its entity tag.
func (c *Client) copy(ctx context.Context, q call, w io.Writer) (tag string, err error) {
	r, err := c.do(ctx, q)
	if err != nil {
		return "", err
	}
	defer func() { _ = r.Body.Close() }()
	if _, err := io.Copy(w, io.LimitReader(r.Body, maxAnswer)); err != nil {
		return "", fmt.Errorf("answer of the server: %w", err)
	}
	return r.Header.Get("ETag"), nil
}

// Validation is what the server finds in a plant.
type Validation struct {
	Problems []Fault `json:"problems"`
	Warnings []Fault `json:"warnings"`
}

// ValidatePlant lets the server look for what is wrong with a plant.
func (c *Client) ValidatePlant(ctx context.Context, kind string, plant []byte) (v Validation, err error) {
	_, err = c.read(ctx, call{method: http.MethodPost, path: "/plant/validate", kind: kind, body: plant}, &v)
	return v, err
}

// Revision is a change of the plant.
type Revision struct {
	Number int64     `json:"number"`
	At     time.Time `json:"at"`
	Author string    `json:"author"`
}

// PutPlant makes a plant that of the server, if its plant still has the entity tag. It returns
// the revision and how many objects differ.
func (c *Client) PutPlant(ctx context.Context, kind string, plant []byte, tag, comment string) (r Revision, changed int, err error) {
	var out struct {
		Revision Revision `json:"revision"`
		Changed  int      `json:"changed"`
	}
	q := call{method: http.MethodPut, path: "/plant", kind: kind, body: plant, header: map[string]string{"If-Match": tag}}
	if comment != "" {
		q.query = url.Values{"comment": {comment}}
	}
	_, err = c.read(ctx, q, &out)
	return out.Revision, out.Changed, err
}

// RevisionOf returns the number of the revision that the entity tag of a plant names.
func RevisionOf(tag string) string { return strings.Trim(tag, `"`) }
