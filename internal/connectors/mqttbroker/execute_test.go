package mqttbroker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"busbar/internal/connector"
	"busbar/internal/dispatch"
	"busbar/internal/point"
)

func executorOf(topic string) *Executor {
	e := defaultExecutor()
	e.Topic = topic
	e.Reply.Topic, e.Reply.ID, e.Reply.OK = topic+"/reply", "id", `result == "ok"`
	return &e
}

func orderOf(id string) point.Order {
	now := time.Now()
	return point.Order{ID: id, Command: "q0", Value: point.DoubleValue(point.DoubleOn), Issued: point.InstantOf(now), Expires: point.InstantOf(now.Add(time.Minute))}
}

// execute gives an order to the broker.
func (r *running) execute(t *testing.T, o point.Order, e *Executor) (progress <-chan string, result <-chan error) {
	p, done := make(chan string, 10), make(chan error, 1)
	go func() {
		done <- r.Execute(t.Context(), o, e, func(x connector.Progress) { p <- fmt.Sprintf("replied %t, ok %t", x.Replied, x.OK) })
	}()
	return p, done
}

// subscribe subscribes with QoS 1 and reads SUBACK.
func (w *wire) subscribe(filter string) {
	w.t.Helper()
	body := be(9)
	if w.version == 5 {
		body = append(body, 0)
	}
	w.send(0x82, append(append(body, text(filter)...), 1))
	w.want(0x90, 9)
}

func TestDeviceGetsCommandAndAnswers(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"5", "3.1.1"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			s, e := newSink(), executorOf("q0/set")
			e.Reply.Timeout = time.Hour
			s.duties = duties{e}
			r := start(t, s, nil)
			_, result := r.execute(t, orderOf("A"), e)
			if err := next(t, "refusal", result); err == nil || err.Error() != errNobody.Error() {
				t.Errorf("Execute = %v without a subscriber, want %v", err, errNobody)
			}
			w, _ := r.signIn(t, version, "device", 60)
			w.subscribe("q0/+")
			for i, answer := range []string{"ok", "blocked"} {
				id := fmt.Sprint("order-", i)
				progress, result := r.execute(t, orderOf(id), e)
				first, body := w.next()
				at := strings.IndexByte(string(body), '{')
				var got struct{ ID, Value string }
				if err := json.Unmarshal(body[at:], &got); first != 0x30 || err != nil || got.ID != id || got.Value != "on" {
					t.Fatalf("packet %#x %q, %v; want the command with QoS 0 and not retained", first, body, err)
				}
				if head := string(body[:at]); version == "5" && (!strings.Contains(head, "\x08\x00\x0cq0/set/reply") ||
					!strings.Contains(head, "\x09\x00\x07"+id) || !strings.Contains(head, "\x02\x00\x00\x00\x3c")) {
					t.Errorf("properties %q, want response topic, correlation data and expiry", head)
				}
				w.publish("q0/set/reply", 1, uint16(20+i), false, `{"id":"`+id+`","result":"`+answer+`"}`)
				p := next(t, "progress", progress)
				if p == "replied false, ok false" { // the reply may be faster
					p = next(t, "reply", progress)
				}
				if want := fmt.Sprintf("replied true, ok %t", answer == "ok"); p != want {
					t.Errorf("progress %q, want %q", p, want)
				}
				if err := next(t, "end", result); err != nil {
					t.Errorf("Execute = %v", err)
				}
				for first := byte(0); first != 0x40; { // PUBACK, and the reply itself, as it matches the filter q0/+ not
					first, _ = w.next()
				}
			}
			if len(s.delivered) > 0 {
				t.Errorf("%+v: a reply is no reading", <-s.delivered)
			}
			if v := r.figure(t, "mqtt_broker_commands_sent_total"); v != 2 {
				t.Errorf("%v commands sent, want 2", v)
			}
		})
	}
}

func TestAnotherBusbarAnswersTwice(t *testing.T) {
	t.Parallel()
	s, e := newSink(), defaultExecutor()
	e.Topic, e.Format, e.Reply.Topic = "cmd/q0", "busbar", "ans/q0"
	s.duties = duties{&e}
	r := start(t, s, nil)
	if !e.Staged() {
		t.Error("the end does not tell that the device answers twice")
	}
	w, _ := r.signIn(t, "3.1.1", "a", 60)
	w.subscribe("cmd/q0")
	progress, result := r.execute(t, orderOf("A"), &e)
	_, body := w.next()
	var got struct {
		Value, ID string
		Expires   time.Time
	}
	if at := strings.IndexByte(string(body), '{'); json.Unmarshal(body[at:], &got) != nil || got.Value != "on" || got.ID != "A" || time.Until(got.Expires) > e.Reply.Timeout {
		t.Fatalf("request %q", body)
	}
	for i, step := range [][2]string{{"confirmed", "replied false, ok false"}, {"terminated", "replied true, ok true"}} {
		w.publish("ans/q0", 1, uint16(20+i), false, `{"command":"q0","id":"A","stage":"`+step[0]+`","ok":true}`)
		if got := next(t, "progress", progress); got != step[1] {
			t.Errorf("%s: %s, want %s", step[0], got, step[1])
		}
	}
	if err := next(t, "end", result); err != nil {
		t.Errorf("Execute = %v", err)
	}
}

func TestSessionWithoutConnectionGetsNoCommand(t *testing.T) {
	t.Parallel()
	s, e := newSink(), executorOf("q0/set")
	e.Reply = dispatch.DefaultReply()
	r := start(t, s, nil)
	w, _ := r.signIn(t, "5", "device", 60)
	w.subscribe("q0/set")
	if err := w.conn.Close(); err != nil {
		t.Fatal(err)
	}
	r.clients(t, 0)
	_, result := r.execute(t, orderOf("A"), e)
	if err := next(t, "refusal", result); err == nil || err.Error() != errNobody.Error() {
		t.Errorf("Execute = %v, want %v", err, errNobody)
	}
	w, present := r.signIn(t, "5", "device", 60)
	if !present {
		t.Error("the session is gone")
	}
	progress, result := r.execute(t, orderOf("B"), e)
	if _, body := w.next(); !strings.Contains(string(body), `"id":"B"`) {
		t.Errorf("message %q, want the second command alone", body)
	}
	if err := next(t, "end", result); err != nil || next(t, "acceptance", progress) != "replied false, ok false" {
		t.Errorf("Execute = %v", err)
	}
	o := orderOf("C")
	o.Expires = point.InstantOf(time.Now())
	_, result = r.execute(t, o, e)
	if err := next(t, "refusal", result); err == nil || err.Error() != dispatch.ErrExpired.Error() {
		t.Errorf("Execute = %v, want %v", err, dispatch.ErrExpired)
	}
	r.stop()
	_, result = r.execute(t, orderOf("D"), e)
	if err := next(t, "refusal", result); err == nil || err.Error() != errStopped.Error() {
		t.Errorf("Execute = %v after the end, want %v", err, errStopped)
	}
}

// TestClientThatTakesNothingGetsNoCommandLate: neither does it hold up the others.
func TestClientThatTakesNothingGetsNoCommandLate(t *testing.T) {
	t.Parallel()
	s, e := newSink(), executorOf("q0/set")
	e.Reply = dispatch.DefaultReply()
	r := start(t, s, nil)
	slow, _ := r.signIn(t, "3.1.1", "slow", 0)
	slow.subscribe("#")
	d := r.device(t, "3.1.1", options{id: "d"})
	fill := func(topic, payload string) {
		if err := d.publish(topic, 1, payload); err != nil {
			t.Fatal(err)
		}
		s.expect(t, topic, payload)
	}
	for range 150 { // more than the buffers between the two take
		fill("a", strings.Repeat("x", 100_000))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	o := orderOf("late")
	o.Expires = point.InstantOf(time.Now().Add(300 * time.Millisecond))
	if err := r.Execute(ctx, o, e, func(p connector.Progress) { t.Errorf("progress %+v", p) }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Execute = %v, want that its time is over", err)
	}
	good, _ := r.signIn(t, "5", "good", 60)
	good.subscribe("q0/set")
	progress, result := r.execute(t, orderOf("good"), e)
	if _, body := good.next(); !strings.Contains(string(body), `"id":"good"`) {
		t.Errorf("message %q, want the command", body)
	}
	if err := next(t, "end", result); err != nil || next(t, "acceptance", progress) != "replied false, ok false" {
		t.Errorf("Execute = %v", err)
	}
	fill("a", "end")
	for body := []byte(nil); !strings.HasSuffix(string(body), "end"); _, body = slow.next() {
		if strings.Contains(string(body), `"id":"late"`) {
			t.Error("the command came after it had expired")
		}
	}
}

func TestFiltersOfPoints(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		filter, topic string
		want          bool
	}{
		{"a/b", "a/b", true}, {"a/+", "a/b", true}, {"a/#", "a", true}, {"a/#", "a/b/c", true}, {"#", "a", true},
		{"a", "a/b", false}, {"a/b", "a", false}, {"+", "a/b", false}, {"a/+", "a", false}, {"b/#", "a/b", false}, {"+/b/#", "a/b", true},
	} {
		if got := matches(tt.filter, tt.topic); got != tt.want {
			t.Errorf("%s matches %s: %t, want %t", tt.filter, tt.topic, got, tt.want)
		}
	}
}
