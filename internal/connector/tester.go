package connector

import (
	"errors"
	"fmt"

	"busbar/internal/image"
	"busbar/internal/point"
)

// Tester is implemented by connectors that can send a value as a test, such as with the T
// bit of the cause of transmission of IEC 60870-5-104. It may be called from any goroutine.
type Tester interface {
	// SendTest sends the value, quality and time of an update for a target to those
	// who can take it now, and returns how many they are; none of them: the error says
	// why. No state changes and nothing is kept to be sent later. place is the address of the
	// target and what it is sent as, for people.
	SendTest(target TargetID, u point.Update) (place string, stations int, err error)
}

// errNoTests is why nothing is sent to a target whose connector is no Tester.
var errNoTests = errors.New("the connector has no test values")

// TestResult says what became of a test value at one target.
type TestResult struct {
	Connector string
	Place     string // for people; empty where the connector has no test values
	Stations  int    // that it was sent to
	Err       error  // why to none
}

// SendTest sends a test value to every target of a point, in order of connector. It fails with [image.ErrNoPoint] if the plant does not have the point, and with
// [image.ErrOverlay] if the value has another type.
func (m *Manager) SendTest(p point.Index, u point.Update) ([]TestResult, error) {
	k, ok := m.known(p)
	if !ok {
		return nil, image.ErrNoPoint
	}
	if u.Value.Type() != k.typ {
		return nil, fmt.Errorf("%w: a value of type %s for a point of type %s", image.ErrOverlay, u.Value.Type(), k.typ)
	}
	u.Point = p
	results := []TestResult{}
	for _, i := range m.list() {
		tester, _ := i.conn.(Tester)
		for _, t := range i.placed.Load().of(p) {
			r := TestResult{Connector: i.config.ID}
			if tester == nil {
				r.Err = errNoTests
			} else {
				r.Place, r.Stations, r.Err = tester.SendTest(t.ID, u)
			}
			results = append(results, r)
		}
	}
	return results, nil
}

// known returns what is kept of a point of the plant in force, for those who only look.
func (m *Manager) known(p point.Index) (known, bool) {
	m.view.RLock()
	defer m.view.RUnlock()
	return m.had(p)
}

// of returns the targets of a point.
func (p *places) of(index point.Index) (list []Target) {
	if p == nil {
		return nil
	}
	for i := range p.targets {
		if p.targets[i].Point == index {
			list = append(list, p.targets[i])
		}
	}
	return list
}
