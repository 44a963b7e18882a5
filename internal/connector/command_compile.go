package connector

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"busbar/internal/mapping"
	"busbar/internal/plant"
	"busbar/internal/point"
)

// command is a command of the plant, ready for orders.
type command struct {
	*plant.Command
	executor  *instance
	execute   Executor
	feedback  point.Index // point.None: there is none
	tolerance float64     // of a number that the feedback shows
	local     point.Index // point.None: control is never local
	interlock *condition  // nil: there is none
	authority *condition
	requested map[string]bool // connectors with an end, and the API
	direct    map[string]bool // those of them that permit direct operation
}

// equal reports whether an order of either would be the same; both may be nil.
func (c *command) equal(d *command) bool {
	if c == nil || d == nil {
		return c == d
	}
	return c.executor == d.executor && reflect.DeepEqual(c.Command, d.Command)
}

// condition is a condition together with its points.
type condition struct {
	*mapping.Condition
	points []point.Index
}

// route makes the commands of a change.
func (m *Manager) route(c *change) error {
	c.commands = make(map[string]*command, len(c.plant.Commands))
	c.ends = make(map[string][]CommandEnd)
	var errs []error
	for n := range c.plant.Commands {
		p := &c.plant.Commands[n]
		compiled, err := c.command(p)
		if err != nil {
			errs = append(errs, fmt.Errorf("command %s: %w", p.ID, err))
			continue
		}
		c.commands[p.ID] = compiled
		for i := range p.From {
			f := &p.From[i]
			c.ends[f.Connector] = append(c.ends[f.Connector], CommandEnd{
				Command: p.ID, Type: p.Type, Qualifiers: p.Qualifiers, Select: f.Select, Direct: f.Direct,
				SelectTimeout: p.SelectTimeout, Range: p.Range, Terminates: p.Terminate != plant.TerminateNone, Feedback: compiled.feedback, End: f.End,
			})
		}
	}
	return errors.Join(errs...)
}

func (c *change) command(p *plant.Command) (*command, error) {
	compiled := &command{Command: p, requested: make(map[string]bool), direct: make(map[string]bool)}
	for i := range p.From {
		f := &p.From[i]
		if c.instances[f.Connector] == nil {
			return nil, fmt.Errorf("there is no connector %q", f.Connector)
		}
		compiled.requested[f.Connector] = true
		compiled.direct[f.Connector] = compiled.direct[f.Connector] || f.Direct
	}
	compiled.requested[plant.APIConnector] = true
	compiled.direct[plant.APIConnector] = len(p.From) == 0 || slices.ContainsFunc(p.From, func(r plant.Request) bool { return r.Direct })
	compiled.executor = c.instances[p.To.Connector]
	if compiled.executor == nil {
		return nil, fmt.Errorf("there is no connector %q", p.To.Connector)
	}
	var ok bool
	if compiled.execute, ok = compiled.executor.conn.(Executor); !ok {
		return nil, fmt.Errorf("connector %s carries out no commands", p.To.Connector)
	}
	var errs [4]error
	compiled.feedback, errs[0] = c.indexOf(p.Feedback)
	compiled.local, errs[1] = c.indexOf(p.Local)
	compiled.interlock, errs[2] = c.condition(p.Interlock, false)
	compiled.authority, errs[3] = c.condition(p.Authority, true)
	if n := c.find(p.Feedback); n >= 0 {
		compiled.tolerance = tolerance(p, &c.plant.Points[n])
	}
	return compiled, errors.Join(errs[:]...)
}

// find returns the place of a point in the plant, −1 if it is not there.
func (c *change) find(id string) int {
	n, ok := slices.BinarySearchFunc(c.plant.Points, id, func(p plant.Point, id string) int { return strings.Compare(p.ID, id) })
	if !ok {
		return -1
	}
	return n
}

// indexOf returns the index of a point, point.None for an empty id.
func (c *change) indexOf(id string) (point.Index, error) {
	if id == "" {
		return point.None, nil
	}
	n := c.find(id)
	if n < 0 {
		return point.None, fmt.Errorf("there is no point %s", id)
	}
	return c.indexes[n], nil
}

func (c *change) condition(source string, requester bool) (*condition, error) {
	if source == "" {
		return nil, nil
	}
	compiled, err := mapping.CompileCondition(source, requester, func(id string) (point.Type, bool) {
		n := c.find(id)
		if n < 0 {
			return 0, false
		}
		return c.plant.Points[n].Type, true
	})
	if err != nil {
		return nil, err
	}
	points := make([]point.Index, len(compiled.Points()))
	for i, id := range compiled.Points() {
		points[i] = c.indexes[c.find(id)]
	}
	return &condition{Condition: compiled, points: points}, nil
}

// tolerance is how much a number shown by the feedback point may differ from the
// one that was ordered: the dead band of the point, or the resolution of a
// normalised value.
func tolerance(c *plant.Command, p *plant.Point) float64 {
	band := p.Deadband.Value
	if p.Deadband.Percent {
		band = 0
		if p.Range != nil {
			band = p.Deadband.Value / 100 * (p.Range.High - p.Range.Low)
		}
	}
	if c.Range != nil {
		band = max(band, (c.Range.High-c.Range.Low)/(1<<15))
	}
	return band
}
