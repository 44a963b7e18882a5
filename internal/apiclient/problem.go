package apiclient

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Problem is an answer of the server that is not success.
type Problem struct {
	Status int     `json:"-"` // HTTP status
	Title  string  `json:"title"`
	Code   string  `json:"code"` // kind of problem, for programs
	Detail string  `json:"detail"`
	ID     string  `json:"id"` // under which the log of the server tells more
	Errors []Fault `json:"errors"`
}

// Fault is one of the faults of a request.
type Fault struct {
	Location string `json:"location"` // path in the plant, or parameter; may be empty
	Message  string `json:"message"`
}

// Error returns the problem in a line, without the faults.
func (p *Problem) Error() string {
	text := p.Title
	if text == "" {
		text = http.StatusText(p.Status)
	}
	text = fmt.Sprintf("the server answers %d %s", p.Status, text)
	if p.Detail != "" {
		text += ": " + p.Detail
	}
	if p.ID != "" {
		text += " (id " + p.ID + " in the log of the server)"
	}
	return text
}

// Lines returns the faults, each in a line.
func (p *Problem) Lines() []string {
	lines := make([]string, len(p.Errors))
	for i, f := range p.Errors {
		lines[i] = f.Message
		if f.Location != "" {
			lines[i] = f.Location + ": " + f.Message
		}
	}
	return lines
}

// Longest answers that are read whole, in octets.
const (
	maxProblem = 16 << 20 // 100,000 faults
	maxAnswer  = 512 << 20
	maxShown   = 200
)

// problemOf reads an answer that is not success.
func problemOf(r *http.Response) *Problem {
	p := &Problem{}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxProblem))
	if err != nil || json.Unmarshal(body, p) != nil || p.Title == "" && p.Detail == "" {
		p = &Problem{Detail: plainText(r.Header.Get("Content-Type"), body)}
	}
	p.Status = r.StatusCode
	if to := r.Header.Get("Location"); to != "" && r.StatusCode >= 300 && r.StatusCode < 400 {
		p.Detail = "it sends on to " + to + ", want the address that it is reached at"
	}
	return p
}

// plainText returns the beginning of an answer that is no problem document, if it is a text.
func plainText(kind string, body []byte) string {
	if !strings.HasPrefix(kind, "text/plain") {
		return "this is no answer of Busbar; is the address right?"
	}
	text, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n")
	return strings.ToValidUTF8(text[:min(len(text), maxShown)], "")
}
