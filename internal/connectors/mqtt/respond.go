package mqtt

import (
	"context"
	"errors"

	"busbar/internal/connector"
)

// respond sends answers on a connection, one after the other, until ctx ends.
func (c *counter) respond(ctx context.Context, out *outflow) {
	for {
		m, more := c.answers.first()
		if m == nil {
			select {
			case <-more:
				continue
			case <-ctx.Done():
				return
			}
		}
		ack := make(waiting, 1)
		id, err := out.await(ctx, ctx, ack)
		if err != nil {
			return
		}
		err = out.publish(ctx, id, m, ack)
		c.env.Messages.Sent(m.topic, m.payload, "answer to a request", err)
		switch {
		case errors.Is(err, errGone) || errors.Is(err, errOffline):
			return // it is sent on the next connection
		case err != nil && !errors.Is(err, errNobody):
			if c.unanswered.Add(1) == 1 {
				c.env.Log.Warn("answer to a request is not taken, further ones are only counted", "topic", m.topic, "error", err)
			}
		default:
			c.answered.Add(1)
		}
		c.answers.drop(m)
	}
}

// collect emits the figures of requests.
func (c *counter) collect(emit func(connector.Metric)) {
	for _, m := range []struct {
		name, help string
		value      uint64
	}{
		{"mqtt_command_requests_total", "Requests of commands received.", c.requests.Load()},
		{"mqtt_command_bad_requests_total", "Requests refused for what they say, without being handed on.", c.bad.Load()},
		{"mqtt_command_retained_requests_total", "Retained requests, which are not executed.", c.retained.Load()},
		{"mqtt_command_answers_total", "Answers that the broker has acknowledged.", c.answered.Load()},
		{"mqtt_command_lost_answers_total", "Answers that were not sent: too many waited, the broker refuses them, or the response topic is none.", c.unanswered.Load()},
	} {
		emit(connector.Metric{Name: m.name, Help: m.help, Counter: true, Value: float64(m.value)})
	}
}
