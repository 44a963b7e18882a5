package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"busbar/internal/connector"
)

// issue orders as somebody and checks the status of the answer.
func (c *control) issue(path, who, body string, status int) Order {
	c.t.Helper()
	w := c.do(http.MethodPost, path, body, as(who))
	o := decoded[Order](c.t, w, status)
	if want := base + "/orders/" + o.ID; w.Header().Get("Location") != want {
		c.t.Errorf("Location %q, want %q", w.Header().Get("Location"), want)
	}
	return o
}

func TestOrderThatEnds(t *testing.T) {
	t.Parallel()
	c := newControl(t)
	o := c.issue(switchPath+"/issue?wait=10s", "operator", `{"value":"on","qualifier":1}`, http.StatusOK)
	if o.Stage != "terminated" || o.Positive == nil || !*o.Positive || !o.Ended || string(o.Value) != `"on"` || o.Type != "double" || o.Qualifier != 1 ||
		o.Requester.Connector != "api" || o.Requester.Peer != "operator@192.0.2.1" || o.Executor != "device" || o.Terminated == nil || o.Late != nil {
		t.Errorf("order %+v, want one that was terminated", o)
	}
	c.wantExecuted(1)
	entries := c.audit.all()
	last := entries[len(entries)-1]
	if last.Object != "commands/ons4711/q0/switch/issue" || last.Detail != "order "+o.ID+" is terminated" || !strings.Contains(last.After, `"value":"on"`) {
		t.Errorf("audit %+v, want what became of the order", last)
	}
}

func TestOrderThatIsUnderWay(t *testing.T) {
	t.Parallel()
	c := newControl(t)
	o := c.issue(switchPath+"/issue", "operator", `{"value":true,"id":"held-1"}`, http.StatusAccepted)
	if o.ID != "held-1" || o.Ended {
		t.Errorf("order %+v, want held-1 that goes on", o)
	}
	<-c.device.done
	other := c.issue(switchPath+"/issue", "operator", `{"value":false}`, http.StatusOK)
	if *other.Positive || other.Reason != "another order of this command is under way" {
		t.Errorf("order %+v, want it refused while another is under way", other)
	}
	c.device.let <- struct{}{}
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for !o.Ended {
		<-ticker.C
		o = decoded[Order](t, c.do(http.MethodGet, "/orders/held-1", nil, as("viewer")), http.StatusOK)
	}
	if o.Stage != "terminated" || !*o.Positive {
		t.Errorf("order %+v, want it terminated", o)
	}
	c.wantExecuted(0)
}

func TestOrderIsWaitedForNoLongerThanWanted(t *testing.T) {
	t.Parallel()
	c := newControl(t)
	o := c.issue(switchPath+"/issue?wait=20ms", "operator", `{"value":true,"id":"held-1"}`, http.StatusAccepted)
	if o.Ended {
		t.Errorf("order %+v, want one that goes on", o)
	}
	c.device.let <- struct{}{}
	stopping := make(chan struct{})
	close(stopping)
	c = newControl(t, func(d *Deps) { d.Stopping = stopping })
	c.issue(switchPath+"/issue?wait=5m", "operator", `{"value":true,"id":"held-1"}`, http.StatusAccepted)
	c.device.let <- struct{}{}
}

func TestOrderThatIsRefusedIsAResult(t *testing.T) {
	t.Parallel()
	c := newControl(t)
	for _, tt := range []struct{ path, body, reason string }{
		{setpointPath, `{"value":100.5}`, "100.5 is beyond the range 0 … 100"},
		{setpointPath, `{"value":1,"qualifier":3}`, "qualifier 3 is not accepted"},
		{setpointPath, `{"value":1,"expires":"2026-01-02T03:04:05Z"}`, "has expired"},
		{setpointPath, `{"value":1,"id":"no-1"}`, "refused by the device: blocked"},
		{setpointPath, `{"value":1,"selected":true}`, "is not selected"},
		{selectPath, `{"value":true}`, "is not selected"},
	} {
		o := c.issue(tt.path+"/issue?wait=10s", "operator", tt.body, http.StatusOK)
		if o.Positive == nil || *o.Positive || o.Reason != tt.reason || o.Stage != "confirmed" || !o.Ended {
			t.Errorf("%s: order %+v, want it refused: %s", tt.body, o, tt.reason)
		}
	}
	c.wantExecuted(1) // the device itself has refused one
}

func TestOrderIsGivenOnce(t *testing.T) {
	t.Parallel()
	c := newControl(t)
	body := `{"value":"on","id":"8f14e45f-ceea-467f-a0e6-9b1d4c2f0001"}`
	first := c.issue(switchPath+"/issue?wait=10s", "operator", body, http.StatusOK)
	for _, path := range []string{switchPath, setpointPath} {
		w := c.do(http.MethodPost, path+"/issue", strings.Replace(body, `"on"`, map[bool]string{true: "1", false: `"on"`}[path == setpointPath], 1), as("operator"))
		p := c.problem(w, http.StatusConflict, "given-before")
		text, err := json.Marshal(p.Errors[0].Value)
		if err != nil {
			t.Fatal(err)
		}
		var shown Order
		if err := json.Unmarshal(text, &shown); err != nil || shown.ID != first.ID || shown.Stage != "terminated" || p.Errors[0].Message != connector.GivenBefore {
			t.Errorf("problem %+v, want the record of the first order", p)
		}
	}
	p := c.problem(c.do(http.MethodPost, setpointPath+"/issue", strings.Replace(body, `"on"`, "1", 1), as("operator:other")), http.StatusConflict, "given-before")
	if p.Errors[0].Value != nil {
		t.Errorf("problem %+v shows an order that who asks does not see", p)
	}
	c.wantExecuted(1)
}

func TestSelectAndOperate(t *testing.T) {
	t.Parallel()
	c := newControl(t)
	s := decoded[Selection](t, c.do(http.MethodPost, selectPath+"/select", `{"value":true}`, as("operator")), http.StatusOK)
	if !*s.Positive || !s.Select || s.Until == nil || s.Until.Sub(*s.Received).Round(time.Second) != 10*time.Second {
		t.Errorf("selection %+v, want one for 10s", s)
	}
	refused := decoded[Selection](t, c.do(http.MethodPost, selectPath+"/select", `{"value":true}`, as("operator,engineer")), http.StatusOK)
	if *refused.Positive || refused.Until != nil || refused.Reason != "is selected by operator@192.0.2.1 through the API" {
		t.Errorf("selection %+v, want it refused, as another has selected the command", refused)
	}
	if o := c.issue(selectPath+"/issue?wait=10s", "operator", `{"value":true,"selected":true}`, http.StatusOK); !*o.Positive {
		t.Errorf("order %+v, want it executed", o)
	}
	c.wantExecuted(1)
	c.do(http.MethodPost, selectPath+"/select", `{"value":true}`, as("operator"))
	if w := c.do(http.MethodDelete, selectPath+"/selection", nil, as("operator")); w.Code != http.StatusNoContent {
		t.Errorf("release: %d %s, want 204", w.Code, w.Body)
	}
	c.problem(c.do(http.MethodDelete, selectPath+"/selection", nil, as("operator")), http.StatusNotFound, "not-found")
	if o := c.issue(selectPath+"/issue", "operator", `{"value":true}`, http.StatusOK); o.Reason != "is not selected" {
		t.Errorf("order %+v, want it refused, as it is not selected any more", o)
	}
}

func TestOrdersThatAreMalformed(t *testing.T) {
	t.Parallel()
	c := newControl(t)
	for _, tt := range []struct{ path, body, location string }{
		{"/issue", `{}`, "value"},
		{"/issue", `{"value":null}`, "value"},
		{"/issue", `{"value":"half"}`, "value"},
		{"/issue", `{"value":"on","id":"a b"}`, "id"},
		{"/issue", `{"value":"on","id":""}`, "id"},
		{"/issue", `{"value":"on","qualifier":128}`, "qualifier"},
		{"/issue", `{"value":"on","expires":"1960-01-01T00:00:00Z"}`, "expires"},
		{"/issue", `{"value":"on","expires":"2300-01-01T00:00:00Z"}`, "expires"},
		{"/issue", `{"value":"on","more":1}`, "more"},
		{"/issue?wait=6m", `{"value":"on"}`, "query.wait"},
		{"/issue?wait=-1s", `{"value":"on"}`, "query.wait"},
		{"/issue?wait=5", `{"value":"on"}`, "query.wait"},
		{"/select", `{"value":1}`, "value"},
	} {
		p := c.problem(c.do(http.MethodPost, switchPath+tt.path, tt.body, as("operator")), http.StatusUnprocessableEntity, "invalid")
		if !strings.Contains(p.Errors[0].Location+p.Errors[0].Message, tt.location) {
			t.Errorf("%s %s: %+v, want a fault at %s", tt.path, tt.body, p.Errors, tt.location)
		}
	}
	if got := len(c.manager.CommandRecords()); got > 0 {
		t.Errorf("%d records, want none: nothing was ordered", got)
	}
}

func TestCommandsThatAreNotThere(t *testing.T) {
	t.Parallel()
	c := newControl(t)
	for _, who := range []string{"operator", "operator:ons4711"} {
		path := map[string]string{"operator": "/commands/nothing", "operator:ons4711": setpointPath}[who]
		c.problem(c.do(http.MethodPost, path+"/select", `{"value":1}`, as(who)), http.StatusNotFound, "not-found")
		c.problem(c.do(http.MethodPost, path+"/issue", `{"value":1}`, as(who)), http.StatusNotFound, "not-found")
		c.problem(c.do(http.MethodDelete, path+"/selection", nil, as(who)), http.StatusNotFound, "not-found")
	}
	if o := c.issue(switchPath+"/issue?wait=10s", "operator:ons4711", `{"value":true}`, http.StatusOK); !*o.Positive {
		t.Errorf("order %+v, want that who is limited to ons4711 may order there", o)
	}
}
