package mqtt

import (
	"context"
	"errors"
	"fmt"

	"busbar/internal/connector"
	"busbar/internal/point"
)

var (
	errOffline = errors.New("not connected to the broker")
	errNobody  = errors.New("nobody has subscribed to the topic of the command")
	errBroken  = fmt.Errorf("connection lost before the broker acknowledged the command: %w", connector.ErrOutcomeUnknown)
)

// Execute implements [connector.Executor]. The order is published on the present
// connection or not at all.
func (c *Connector) Execute(ctx context.Context, o point.Order, end any, report func(connector.Progress)) error {
	e := end.(*Executor)
	l := c.link.Load()
	if l == nil {
		return errOffline
	}
	order, err := c.desk.Open(&o, e.end(), report)
	if err != nil {
		return err
	}
	err = l.send(ctx, e, order)
	c.env.Messages.Sent(e.Topic, order.Payload, "command", err)
	if none, ok := errors.AsType[notSent](err); ok {
		order.Drop()
		return none.error
	}
	defer order.Close()
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return order.Await(ctx, err)
}
