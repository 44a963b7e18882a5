package api

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"busbar/internal/connector"
	"busbar/internal/point"
)

// history gives orders a, b, no-c and the selection of d.
func (c *control) history() {
	c.t.Helper()
	c.issue(switchPath+"/issue?wait=10s", "operator", `{"value":true,"id":"aa"}`, http.StatusOK)
	c.issue(setpointPath+"/issue?wait=10s", "admin", `{"value":1.5,"id":"bb"}`, http.StatusOK)
	c.issue(setpointPath+"/issue?wait=10s", "operator", `{"value":1,"id":"no-c"}`, http.StatusOK)
	c.issue(switchPath+"/issue", "operator", `{"value":true,"id":"held-d"}`, http.StatusAccepted)
}

func (c *control) listed(path, who string) (ids []string, next string) {
	c.t.Helper()
	l := decoded[list[Order]](c.t, c.do(http.MethodGet, path, nil, as(who)), http.StatusOK)
	for _, o := range l.Items {
		ids = append(ids, o.ID)
	}
	return ids, l.Next
}

func TestListOfOrders(t *testing.T) {
	t.Parallel()
	c := newControl(t)
	begin := time.Now()
	c.history()
	defer func() { c.device.let <- struct{}{} }()
	at := func(d time.Duration) string { return url.QueryEscape(begin.Add(d).UTC().Format(time.RFC3339Nano)) }
	for _, tt := range []struct{ query, who, want string }{
		{"", "viewer", "held-d no-c bb aa"},
		{"", "viewer:ons4711", "held-d aa"},
		{"?command=other", "viewer", "no-c bb"},
		{"?command=other/setpoint", "viewer", "no-c bb"},
		{"?command=oth", "viewer", ""},
		{"?requester=api", "viewer", "held-d no-c bb aa"},
		{"?requester=admin", "viewer", "bb"},
		{"?requester=admin@192.0.2.1", "viewer", "bb"},
		{"?requester=192.0.2.1", "viewer", ""},
		{"?result=running", "viewer", "held-d"},
		{"?result=positive", "viewer", "bb aa"},
		{"?result=negative", "viewer", "no-c"},
		{"?result=unknown", "viewer", ""},
		{"?result=late", "viewer", ""},
		{"?from=" + at(0), "viewer", "held-d no-c bb aa"},
		{"?to=" + at(0), "viewer", ""},
		{"?from=" + at(time.Hour), "viewer", ""},
	} {
		if got, _ := c.listed("/orders"+tt.query, tt.who); strings.Join(got, " ") != tt.want {
			t.Errorf("orders%s as %s: %q, want %q", tt.query, tt.who, got, tt.want)
		}
	}
	ids, next := c.listed("/orders?limit=2&command=other", "viewer")
	if next != "" || len(ids) != 2 {
		t.Errorf("page %q, next %q, want it to be the last", ids, next)
	}
	ids, next = c.listed("/orders?limit=3", "viewer")
	rest, last := c.listed("/orders?limit=3&cursor="+next, "viewer")
	if got := append(ids, rest...); !slices.Equal(got, []string{"held-d", "no-c", "bb", "aa"}) || last != "" {
		t.Errorf("pages %q, then %q, want all in order", got, last)
	}
	c.problem(c.do(http.MethodGet, "/orders?limit=3&result=negative&cursor="+next, nil, as("viewer")), http.StatusUnprocessableEntity, "invalid")
}

func TestResultsOfOrders(t *testing.T) {
	t.Parallel()
	con := func(positive bool) point.Result { return point.Result{Stage: point.Confirmed, Positive: positive} }
	for _, tt := range []struct {
		record connector.CommandRecord
		want   string
	}{
		{connector.CommandRecord{}, "running"},
		{connector.CommandRecord{Confirmation: con(true), Terminates: true}, "running"},
		{connector.CommandRecord{Confirmation: con(true)}, "positive"},
		{connector.CommandRecord{Confirmation: con(true), Failure: "gone"}, "negative"},
		{connector.CommandRecord{Confirmation: con(false), Unknown: true}, "negative unknown"},
		{connector.CommandRecord{Confirmation: con(true), Termination: point.Result{Stage: point.Terminated}, Terminates: true, Late: 1}, "negative late"},
		{connector.CommandRecord{Confirmation: con(true), Termination: point.Result{Stage: point.Terminated, Positive: true}, Terminates: true}, "positive"},
	} {
		var got []string
		for _, result := range []string{"running", "positive", "negative", "unknown", "late"} {
			if (&OrderFilter{Result: result}).resulted(&tt.record) {
				got = append(got, result)
			}
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%+v: %q, want %q", tt.record, got, tt.want)
		}
	}
}

func TestOneOrder(t *testing.T) {
	t.Parallel()
	c := newControl(t)
	c.history()
	c.device.let <- struct{}{}
	if o := decoded[Order](t, c.do(http.MethodGet, "/orders/bb", nil, as("viewer")), http.StatusOK); o.Command != "other/setpoint" || string(o.Value) != "1.5" {
		t.Errorf("order %+v, want bb", o)
	}
	c.problem(c.do(http.MethodGet, "/orders/cc", nil, as("viewer")), http.StatusNotFound, "not-found")
	c.problem(c.do(http.MethodGet, "/orders/bb", nil, as("viewer:ons4711")), http.StatusNotFound, "not-found")
}

func TestOldOrdersComeFromTheLog(t *testing.T) {
	t.Parallel()
	c := newControl(t)
	c.issue(setpointPath+"/issue?wait=10s", "operator", `{"value":1,"id":"aa"}`, http.StatusOK)
	for kept := false; !kept; runtime.Gosched() { // the log keeps its end in the background
		r, _, err := c.log.Order(t.Context(), "aa")
		if err != nil {
			t.Fatal(err)
		}
		kept = r.Ended()
	}
	for n := range connector.RecordLength { // they push it out of memory
		c.manager.Operators().Select(point.Order{Command: fmt.Sprint(n)})
	}
	if _, found := c.manager.CommandRecord("aa"); found {
		t.Fatal("the order is in memory still")
	}
	if o := decoded[Order](t, c.do(http.MethodGet, "/orders/aa", nil, as("viewer")), http.StatusOK); !*o.Positive {
		t.Errorf("order %+v, want aa", o)
	}
	c.problem(c.do(http.MethodPost, setpointPath+"/issue", `{"value":1,"id":"aa"}`, as("operator")), http.StatusConflict, "given-before")
	if got, _ := c.listed("/orders?command=other", "viewer"); !slices.Equal(got, []string{"aa"}) {
		t.Errorf("orders %q, want aa", got)
	}
}

// TestMembersOfAnOrderAreThoseOfTheLog compares the members with those that docs/commands.md lists.
func TestMembersOfAnOrderAreThoseOfTheLog(t *testing.T) {
	t.Parallel()
	docs, err := os.ReadFile("../../docs/commands.md")
	if err != nil {
		t.Fatal(err)
	}
	p, n, set := true, time.Now(), json.RawMessage("1")
	text, err := json.Marshal(Order{
		ID: "1", Stage: "1", Positive: &p, Reason: "1", Unknown: true, Command: "1", Type: "1", Value: set, Select: true, Executor: "1", Terminates: true,
		Failure: "1", Skipped: 1, Issued: &n, Expires: &n, Received: &n, Accepted: &n, Replied: &n, Confirmed: &n, Terminated: &n, Late: &n,
	})
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(docs), "| member | is |")
	table, _, _ = strings.Cut(table, "\n\n")
	for name := range members {
		if name != "ended" && !strings.Contains(table, "`"+name+"`") {
			t.Errorf("member %s is not in the table of the log of commands", name)
		}
	}
}

// sse is a stream of server-sent events.
type sse struct {
	t    *testing.T
	body *bufio.Scanner
}

func (c *control) stream(path, who, last string) *sse {
	c.t.Helper()
	server := httptest.NewServer(c.api)
	c.t.Cleanup(server.Close)
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, server.URL+base+path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+who)
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = answer.Body.Close() })
	if answer.StatusCode != http.StatusOK {
		c.t.Fatalf("stream: %s", answer.Status)
	}
	return &sse{c.t, bufio.NewScanner(answer.Body)}
}

// next returns the next event, as its name, and id and stage of its order.
func (s *sse) next() (text, id string) {
	s.t.Helper()
	for s.body.Scan() {
		line := s.body.Text()
		if name, ok := strings.CutPrefix(line, "event: "); ok {
			text = name
		}
		if n, ok := strings.CutPrefix(line, "id: "); ok {
			id = n
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			var o Order
			if err := json.Unmarshal([]byte(data), &o); err != nil {
				s.t.Fatal(err)
			}
			return strings.TrimSpace(text + " " + o.ID + " " + o.Stage), id
		}
	}
	s.t.Fatalf("the stream has ended: %v", s.body.Err())
	return "", ""
}

// want checks the next events, and returns the id of the last.
func (s *sse) want(events ...string) (id string) {
	s.t.Helper()
	for _, want := range events {
		var got string
		if got, id = s.next(); got != want {
			s.t.Errorf("event %q, want %q", got, want)
		}
	}
	return id
}

func TestStreamOfOrders(t *testing.T) {
	t.Parallel()
	c := newControl(t)
	c.issue(setpointPath+"/issue?wait=10s", "operator", `{"value":1,"id":"before"}`, http.StatusOK)
	all, some, one := c.stream("/orders/stream", "viewer", ""), c.stream("/orders/stream", "viewer:other", ""), c.stream("/orders/stream?command=other", "viewer", "")
	c.issue(switchPath+"/issue?wait=10s", "operator", `{"value":true,"id":"aa"}`, http.StatusOK)
	c.issue(setpointPath+"/issue?wait=10s", "operator", `{"value":1,"id":"bb"}`, http.StatusOK)
	last := all.want("order aa received", "order aa confirmed", "order aa terminated", "order bb received")
	all.want("order bb confirmed")
	some.want("order bb received", "order bb confirmed")
	one.want("order bb received", "order bb confirmed")
	c.stream("/orders/stream", "viewer", last).want("order bb confirmed")
	c.stream("/orders/stream", "viewer", "of-another-process").want("gap", "order before received")
	for range connector.RecordLength {
		c.manager.Operators().Select(point.Order{Command: "other/x"})
	}
	c.stream("/orders/stream", "viewer:other", last).want("gap")
}

func TestStreamOfOrdersBeginsAfterARestart(t *testing.T) {
	t.Parallel()
	c := newControl(t)
	s := c.stream("/orders/stream", "viewer", "of-another-process")
	s.want("gap")
	c.issue(setpointPath+"/issue?wait=10s", "operator", `{"value":1,"id":"aa"}`, http.StatusOK)
	s.want("order aa received", "order aa confirmed")
}
