package connector

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"busbar/internal/plant"
	"busbar/internal/point"
)

// deskEnd is where a desk finds a command.
type deskEnd struct {
	Address int `json:"address" required:"true" min:"1"`
}

// deviceEnd says what a device does with a command.
type deviceEnd struct {
	Output int  `json:"output" required:"true"`
	Reply  bool `json:"reply"`
}

// device is a fake that executes commands as its test wants.
type device struct {
	*fake
	fakes *fakes
}

func (d *device) Execute(ctx context.Context, o point.Order, _ any, report func(Progress)) error {
	return d.fakes.execute(ctx, o, report)
}

func (fs *fakes) add(s fakeSettings, env Env) *fake {
	f := &fake{settings: s, env: env, started: make(chan struct{}, 1000), die: make(chan struct{}), run: fs.run}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.made[env.ID] = append(fs.made[env.ID], f)
	return f
}

// desk is a kind at which commands are requested.
func (fs *fakes) desk() Kind {
	return Define("desk", Spec[fakeSettings, None, fakeTarget]{
		New: func(s fakeSettings, env Env) (Connector, error) { return fs.add(s, env), nil },
		Requester: RequesterOf(deskEnd{}, func(_ deskEnd, c *plant.Command) []Problem {
			if c.Type == point.Bits {
				return []Problem{Faultf("", "bits cannot be requested here")}
			}
			return nil
		}),
		CheckCommands: func(_ fakeSettings, targets []End[fakeTarget], commands []OrderEnd) []Problem {
			var problems []Problem
			for i, c := range commands {
				if i > 0 && c.End.(*deskEnd).Address == commands[i-1].End.(*deskEnd).Address {
					problems = append(problems, c.Faultf("address", "is that of %s in line %d", commands[i-1].Command.ID, commands[i-1].Line()))
				}
				for _, t := range targets {
					if t.End.Address == c.End.(*deskEnd).Address && t.Point != c.Command.Feedback {
						problems = append(problems, c.Warnf("address", "is that of point %s in line %d", t.Point, t.Line()))
					}
				}
			}
			return problems
		},
	})
}

// device is a kind that executes commands.
func (fs *fakes) device() Kind {
	return Define("device", Spec[fakeSettings, None, None]{
		New:      func(s fakeSettings, env Env) (Connector, error) { return &device{fs.add(s, env), fs}, nil },
		Executor: ExecutorOf(deviceEnd{}, nil, func(e deviceEnd) bool { return e.Reply }),
	})
}

// behaviour is what a device does with an order.
type behaviour func(ctx context.Context, o point.Order, report func(Progress)) error

// The steps of devices.
var (
	accepted = Progress{}
	done     = Progress{Replied: true, OK: true}
	denied   = Progress{Replied: true, Reason: "blocked"}
)

// steps reports each progress after its pause, then waits no further.
func steps(list ...any) behaviour {
	return func(ctx context.Context, _ point.Order, report func(Progress)) error {
		for _, s := range list {
			switch s := s.(type) {
			case Progress:
				report(s)
			case error:
				return s
			case time.Duration:
				if !wait(ctx, s) {
					return nil
				}
			}
		}
		return nil
	}
}

// waiting is steps that then wait for the end of the order.
func waiting(list ...any) behaviour {
	first := steps(list...)
	return func(ctx context.Context, o point.Order, report func(Progress)) error {
		err := first(ctx, o, report)
		<-ctx.Done()
		return err
	}
}

// deaf does what it does whether or not the order has ended.
func deaf(after time.Duration, p Progress) behaviour {
	return func(_ context.Context, _ point.Order, report func(Progress)) error {
		time.Sleep(after)
		report(p)
		return nil
	}
}

// control is a host with a desk, a device and a command "c" between them.
type control struct {
	*host
	begin time.Time

	mu      sync.Mutex
	results []string
	orders  []point.Order // that the device was given
}

// The points that commands of tests are about.
func controlPoints() []plant.Point {
	typed := func(typ point.Type) func(*plant.Point) { return func(p *plant.Point) { p.Type = typ } }
	return []plant.Point{
		pointOf("double", "source", typed(point.Double)), pointOf("single", "source", typed(point.Single)), pointOf("float", "source"),
		pointOf("step", "source", typed(point.Step)), pointOf("text", "source", typed(point.Text)),
	}
}

func controlPlant(commands ...plant.Command) *plant.Plant {
	p := plantOf([]plant.Connector{
		connectorOf("source", ""), {ID: "desk", Kind: "desk", Settings: &fakeSettings{}},
		{ID: "desk-2", Kind: "desk", Settings: &fakeSettings{}}, {ID: "device", Kind: "device", Settings: &fakeSettings{}},
	}, controlPoints()...)
	p.Commands = commands
	slices.SortFunc(p.Commands, func(a, b plant.Command) int { return cmp.Compare(a.ID, b.ID) })
	return p
}

// commandOf is a double command at the address 1 of the desk.
func commandOf(id string, change ...func(*plant.Command)) plant.Command {
	c := plant.Command{
		ID: id, Type: point.Double, Qualifiers: []uint8{0},
		Timeout: plant.DefaultTimeout, SelectTimeout: plant.DefaultSelectTimeout, FeedbackTimeout: plant.DefaultFeedbackTimeout,
		From: []plant.Request{{Connector: "desk", Direct: true, Select: true, End: &deskEnd{Address: 1}}},
		To:   &plant.Execution{Connector: "device", End: &deviceEnd{Output: 1}},
	}
	for _, f := range change {
		f(&c)
	}
	return c
}

func newControl(t *testing.T, do behaviour, change ...func(*plant.Command)) *control {
	t.Helper()
	c := &control{host: newHost(t, runUp)}
	c.start(do, change...)
	return c
}

func (c *control) start(do behaviour, change ...func(*plant.Command)) {
	c.fakes.execute = func(ctx context.Context, o point.Order, report func(Progress)) error {
		c.mu.Lock()
		c.orders = append(c.orders, o)
		c.mu.Unlock()
		return do(ctx, o, report)
	}
	c.mustApply(controlPlant(commandOf("c", change...)))
	c.begin = time.Now()
}

func (c *control) commands(desk string) Commands { return c.fakes.last(desk).env.Commands }

// order is an order to switch on.
func order() point.Order {
	return point.Order{Command: "c", Value: point.DoubleValue(point.DoubleOn), Requester: point.Requester{Peer: "10.0.0.1", Originator: 3}}
}

// note keeps a result, with the time since the beginning: without the moment
// that the last result waits for an executor that goes on.
func (c *control) note(r point.Result) {
	at := time.Since(c.begin)
	if at%time.Second == handover {
		at -= handover
	}
	text := fmt.Sprintf("%v ", at.Round(time.Millisecond))
	if r.Positive {
		text += "+"
	} else {
		text += "-"
	}
	text += map[point.Stage]string{point.Confirmed: "con", point.Terminated: "term"}[r.Stage]
	if r.Reason != "" {
		text += ": " + r.Reason
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.results = append(c.results, text)
}

func (c *control) issue(o point.Order) { c.commands("desk").Issue(o, c.note) }

// after lets time pass.
func (c *control) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// wantResults compares the results so far.
func (c *control) wantResults(want ...string) {
	c.t.Helper()
	synctest.Wait()
	c.mu.Lock()
	missing := len(c.results) < len(want)
	c.mu.Unlock()
	if missing {
		c.after(handover) // the last one may wait for an executor that goes on
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Equal(c.results, want) {
		c.t.Errorf("results\n%s\nwant\n%s", strings.Join(c.results, "\n"), strings.Join(want, "\n"))
	}
}

func (c *control) wantExecuted(want int) {
	c.t.Helper()
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.orders) != want {
		c.t.Errorf("%d orders executed, want %d", len(c.orders), want)
	}
}

// record returns the newest record.
func (c *control) record() CommandRecord {
	c.t.Helper()
	synctest.Wait()
	records := c.CommandRecords()
	if len(records) == 0 {
		c.t.Fatal("no record of a command")
	}
	return records[len(records)-1]
}
