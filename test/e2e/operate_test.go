package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"busbar/test/rig"
)

// operatePlant has commands to a device behind a broker.
const operatePlant = `
version: 1
connectors:
  sensors: {kind: mqtt, url: "mqtt://BROKER"}
points:
  q0/position: {type: double, from: {connector: sensors, topic: device/state, value: position}}
  q0/earth: {type: double, from: {connector: sensors, topic: device/state, value: earth}}
commands:
  q0/switch:
    type: double
    to: {connector: sensors, topic: device/set, payload: '{"to":"{{.Value}}","id":"{{.ID}}"}', reply: {topic: device/set/reply, id: id, ok: 'result == "ok"'}}
    feedback: q0/position
    interlock: point("q0/earth") == "off"
  q0/setpoint:
    type: float
    to: {connector: sensors, topic: device/set, payload: '{"to":"{{.Value}}","id":"{{.ID}}"}', reply: {topic: device/set/reply, id: id, ok: 'result == "ok"'}}
`

// operated is a Busbar with accounts, and a device behind a broker.
type operated struct {
	*stage
	tokens map[string]string // by role
}

func newOperated(t *testing.T) *operated {
	t.Helper()
	o := &operated{stage: &stage{t: t}, tokens: map[string]string{}}
	o.broker = rig.StartBroker(t)
	o.addr = o.broker.Addr()
	o.busbar = rig.Exec(t, builtBinary(t), strings.Replace(operatePlant, "BROKER", o.addr, 1))
	o.up()
	o.device()
	for _, role := range []string{"operator", "viewer"} {
		var made struct{ Secret string }
		answer := o.busbar.Change("POST", "/tokens", fmt.Sprintf(`{"name":%q,"roles":[%q],"expires":%q}`, role, role, time.Now().Add(time.Hour).Format(time.RFC3339)))
		if err := json.Unmarshal([]byte(answer), &made); err != nil {
			t.Fatal(err)
		}
		o.tokens[role] = made.Secret
	}
	return o
}

// state lets the device tell its state.
func (o *operated) state(position, earth string) {
	o.t.Helper()
	o.done(o.client.Publish("device/state", 1, false, `{"position":"`+position+`","earth":"`+earth+`"}`))
}

// awaitSelect selects until the result has a reason.
func (o *operated) awaitSelect(path, reason string) {
	o.t.Helper()
	rig.Until(o.t, "a selection with the reason "+reason, func() bool {
		r := o.ask("operator", "POST", path+"/select", `{"value":"on"}`)
		return r.Status == 200 && r.Reason == reason
	})
}

// result is what is looked at of an order.
type result struct {
	Status   int
	ID       string
	Stage    string
	Positive *bool
	Reason   string
	Unknown  bool
	Ended    bool
}

// ask sends a request with the token of a role.
func (o *operated) ask(role, method, path, body string) (r result) {
	o.t.Helper()
	req, err := http.NewRequestWithContext(o.t.Context(), method, "http://"+o.busbar.HTTP+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		o.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+o.tokens[role])
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		o.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &r); err != nil {
			o.t.Fatalf("answer %s: %v", text, err)
		}
	}
	r.Status = answer.StatusCode
	o.t.Logf("%s %s %s as %s: %d %s", method, path, body, role, r.Status, text)
	return r
}

func (o *operated) want(r result, status int, stage string, positive bool, reason string) {
	o.t.Helper()
	if r.Status != status || r.Stage != stage || r.Positive == nil || *r.Positive != positive || !strings.Contains(r.Reason, reason) || !r.Ended {
		o.t.Errorf("result %+v, want %d, %s, positive %t, reason %q", r, status, stage, positive, reason)
	}
}

func TestOperatorsOrderThroughTheAPI(t *testing.T) {
	t.Parallel()
	o := newOperated(t)
	const path = "/commands/q0%2Fswitch"
	o.state("off", "on")
	o.awaitSelect(path, "is interlocked")
	o.want(o.ask("operator", "POST", path+"/issue?wait=10s", `{"value":"on"}`), 200, "confirmed", false, "is interlocked")
	if r := o.ask("viewer", "POST", path+"/issue", `{"value":"on"}`); r.Status != 403 {
		t.Errorf("a viewer gets %d, want 403", r.Status)
	}
	o.state("off", "off")
	o.awaitSelect(path, "")
	o.want(o.ask("operator", "POST", path+"/issue", `{"value":"off"}`), 200, "confirmed", false, "differs from what was selected")
	o.want(o.ask("operator", "POST", path+"/select", `{"value":"on"}`), 200, "confirmed", true, "")
	r := o.ask("operator", "POST", path+"/issue", `{"value":"on","selected":true,"id":"first"}`)
	if r.Status != 202 || r.ID != "first" || r.Ended {
		t.Fatalf("result %+v, want 202 while the order is under way", r)
	}
	o.ordered("on")
	o.done(o.client.Publish(replyTopic, 1, false, `{"id":"first","result":"ok"}`))
	rig.Until(t, "the confirmation", func() bool { return o.ask("viewer", "GET", "/orders/first", "").Stage == "confirmed" })
	o.state("on", "off")
	rig.Until(t, "the termination", func() bool { return o.ask("viewer", "GET", "/orders/first", "").Ended })
	o.want(o.ask("viewer", "GET", "/orders/first", ""), 200, "terminated", true, "")
	if r := o.ask("operator", "POST", path+"/issue", `{"value":"on","id":"first"}`); r.Status != 409 {
		t.Errorf("the same order again: %d, want 409", r.Status)
	}
	o.quiet()
}

func TestKillWhileAnOrderOfTheAPIIsUnderWay(t *testing.T) {
	t.Parallel()
	o := newOperated(t)
	if r := o.ask("operator", "POST", "/commands/q0%2Fsetpoint/issue", `{"value":1.5,"id":"lost"}`); r.Status != 202 {
		t.Fatalf("result %+v, want 202", r)
	}
	o.ordered("1.5")
	o.busbar.Signal(syscall.SIGKILL)
	o.busbar.Exit()
	o.busbar.Start()
	r := o.ask("viewer", "GET", "/orders/lost", "")
	o.want(r, 200, "confirmed", false, "busbar ended before the order did, outcome unknown")
	if !r.Unknown {
		t.Errorf("result %+v, want that the outcome is unknown", r)
	}
	if r := o.ask("operator", "POST", "/commands/q0%2Fsetpoint/issue", `{"value":1.5,"id":"lost"}`); r.Status != 409 {
		t.Errorf("the same order again: %d, want 409", r.Status)
	}
}
