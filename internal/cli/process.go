package cli

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"busbar/internal/connector"
	"busbar/internal/image"
	"busbar/internal/point"
)

// process is the connector that carries out the commands of a simulated station: it
// shows each in its feedback point. Which of them fail does not depend on time.
type process struct {
	env      connector.Env
	scenario scenario
	img      *image.Memory
	feedback []point.Index // by number of the command
	steps    []atomic.Int32
	orders   atomic.Int64
}

var _ connector.Executor = (*process)(nil)

// processEnd is what a command is at the process.
type processEnd struct {
	Number int `json:"number" doc:"of the command, from 0"`
}

// processSettings are the keys of the process: it has none.
type processSettings struct{}

// kind returns the kind of the process.
func (p *process) kind() connector.Kind {
	return connector.Define("process", connector.Spec[processSettings, connector.None, connector.None]{
		New: func(_ processSettings, env connector.Env) (connector.Connector, error) {
			p.env = env
			return p, nil
		},
		Executor: connector.ExecutorOf(processEnd{}, nil, func(processEnd) bool { return true }),
	})
}

// Run implements [connector.Connector].
func (p *process) Run(ctx context.Context) error {
	p.env.Report(connector.Up, "")
	<-ctx.Done()
	return nil
}

var errFails = errors.New("the simulated process refuses this one")

// Execute implements [connector.Executor].
func (p *process) Execute(ctx context.Context, o point.Order, end any, report func(connector.Progress)) error {
	if every := int64(p.scenario.failEvery); p.orders.Add(1)%max(every, 1) == 0 && every > 0 {
		return errFails
	}
	told := make(chan struct{})
	report(connector.Progress{Told: told})
	select {
	case <-told: // the feedback is return information: it comes after the confirmation
	case <-ctx.Done():
		return ctx.Err()
	}
	timer := time.NewTimer(p.scenario.termDelay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	n := end.(*processEnd).Number
	if err := p.show(ctx, n, p.result(n, o.Value)); err != nil {
		report(connector.Progress{Replied: true, Reason: err.Error()})
		return nil
	}
	report(connector.Progress{Replied: true, OK: true})
	return nil
}

// result returns what the feedback point shows after an order: the value ordered, or
// the position one step further.
func (p *process) result(n int, ordered point.Value) point.Value {
	if orderTypes()[n%len(orderTypes())].point != "step" {
		return ordered
	}
	change, _ := ordered.Step()
	position := min(max(int(p.steps[n].Load())+change, point.StepMin), point.StepMax)
	p.steps[n].Store(int32(position)) // never two orders of one command at a time
	return point.StepValue(position, false)
}

// show publishes the value of a feedback point.
func (p *process) show(ctx context.Context, n int, v point.Value) error {
	now := point.InstantOf(time.Now())
	return p.img.Publish(ctx, []point.Update{{Point: p.feedback[n], Value: v, Time: now, Arrival: now}}, nil)
}

// begin takes the feedback points, and shows that nothing has been operated.
func (p *process) begin(ctx context.Context, feedback []simulated) error {
	p.steps = make([]atomic.Int32, len(feedback))
	p.feedback = make([]point.Index, len(feedback))
	for n, f := range feedback {
		p.feedback[n] = f.index
		if err := p.show(ctx, n, rest(f.typ)); err != nil {
			return err
		}
	}
	return nil
}

// rest is the value of a feedback point before the first order.
func rest(t point.Type) point.Value {
	switch t {
	case point.Single:
		return point.SingleValue(false)
	case point.Double:
		return point.DoubleValue(point.DoubleOff)
	case point.Step:
		return point.StepValue(0, false)
	case point.Bits:
		return point.BitsValue(0)
	case point.Int:
		return point.IntValue(0)
	default:
		return point.FloatValue(0)
	}
}

// parseQualityWords reads words such as invalid,not-topical.
func parseQualityWords(text string) (q point.Quality, err error) {
	for word := range strings.SplitSeq(text, ",") {
		bit, ok := point.ParseQuality(word)
		if !ok {
			return 0, errors.New("--quality: \"" + word + "\", want good, or of invalid, not-topical, substituted, blocked, overflow with a comma between them")
		}
		q |= bit
	}
	return q, nil
}
