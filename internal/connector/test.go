package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"busbar/internal/plant"
)

// testTimeout is how long a test may take as a whole.
const testTimeout = 15 * time.Second

// maxDetail is how long the detail of a step is at most, in octets.
const maxDetail = 1000

// ErrNoTest reports that a kind has no test.
var ErrNoTest = errors.New("connectors of this kind cannot be tested")

// TestStep is one step of the test of a connector.
type TestStep struct {
	Name   string  `json:"name" doc:"such as TCP, TLS or STARTDT"`
	OK     bool    `json:"ok"`
	TookMs float64 `json:"tookMs"`
	Detail string  `json:"detail,omitempty" doc:"what was found, or what is wrong"`
}

// TestRequest says what else is to be tested.
type TestRequest struct {
	CommonAddress uint16   // to interrogate; 0: none
	Topics        []string // to subscribe to
}

// Test is a test of settings that is under way. Its steps come one after the other.
type Test struct {
	TestRequest
	ID    string
	Log   *slog.Logger
	steps []TestStep
	m     *Manager
}

// Step does a step and notes what it found. It reports whether it went well.
func (t *Test) Step(name string, do func() (detail string, err error)) bool {
	begun := time.Now()
	detail, err := do()
	s := TestStep{Name: name, OK: err == nil, TookMs: Milliseconds(time.Since(begun)), Detail: detail}
	if err != nil {
		s.Detail = err.Error()
	}
	if len(s.Detail) > maxDetail { // the other side may have a say in it
		s.Detail = strings.ToValidUTF8(s.Detail[:maxDetail], "") + "…"
	}
	t.steps = append(t.steps, s)
	return s.OK
}

// Listens reports whether the connector that is tested runs and listens on an address.
func (t *Test) Listens(address string) bool {
	i := t.m.instance(t.ID)
	if i == nil || !i.super.running.Load() {
		return false
	}
	for _, own := range i.kind.spec.listens(i.config.Settings) {
		if own == address {
			return true
		}
	}
	return false
}

// Dialled returns the id of a running connector that dials an address, by this name or another one; empty: none does.
func (t *Test) Dialled(ctx context.Context, address string) string {
	for _, i := range t.m.list() {
		if !i.super.running.Load() {
			continue
		}
		for _, other := range i.kind.spec.dials(i.config.Settings) {
			if same(ctx, other, address) {
				return i.config.ID
			}
		}
	}
	return ""
}

// same reports whether two addresses are of one socket.
func same(ctx context.Context, a, b string) bool {
	if a == b {
		return true
	}
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil || portA != portB {
		return false
	}
	of, errA := net.DefaultResolver.LookupHost(ctx, hostA)
	to, errB := net.DefaultResolver.LookupHost(ctx, hostB)
	return errA == nil && errB == nil && slices.ContainsFunc(of, func(ip string) bool { return slices.Contains(to, ip) })
}

// Each tries out addresses one after the other, so that the first ones leave time for the others.
func (t *Test) Each(ctx context.Context, addresses []string, try func(ctx context.Context, address string)) {
	for i, address := range addresses {
		share, cancel := ctx, context.CancelFunc(func() {})
		if deadline, ok := ctx.Deadline(); ok {
			share, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(len(addresses)-i))
		}
		try(share, address)
		cancel()
	}
}

// CanListen is the step that an address can be listened on. That the connector itself
// does so is no fault.
func (t *Test) CanListen(ctx context.Context, address string) bool {
	return t.Step("listen", func() (string, error) {
		if t.Listens(address) {
			return "the connector listens on " + address, nil
		}
		l, err := Listen(ctx, address)
		if err != nil {
			return "", err
		}
		return l.Addr().String() + " is free", l.Close()
	})
}

// Test tests the settings of a connector, which need not be in the plant, for at most
// 15 s. Connectors that run are not disturbed. It fails with ErrNoTest.
func (m *Manager) Test(ctx context.Context, c *plant.Connector, r TestRequest) (steps []TestStep, err error) {
	kind, ok := m.kinds.kinds[c.Kind]
	if !ok || !kind.spec.tests() {
		return nil, fmt.Errorf("%w: %s", ErrNoTest, c.Kind)
	}
	ctx, cancel := context.WithTimeout(ctx, testTimeout)
	defer cancel()
	t := &Test{TestRequest: r, ID: c.ID, Log: m.log.With("connector", c.ID, "kind", c.Kind), m: m}
	defer func() { steps = t.steps }()
	defer contain(&err)
	kind.spec.test(ctx, c.Settings, t)
	return nil, nil
}
