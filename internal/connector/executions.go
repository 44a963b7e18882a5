package connector

import (
	"reflect"
	"sync"
)

// executions are the ends of the commands that one connector carries out. It
// implements [Executions].
type executions struct {
	mu      sync.Mutex
	list    []any
	changed chan struct{}
}

func newExecutions() *executions { return &executions{changed: make(chan struct{})} }

// Ends implements [Executions].
func (e *executions) Ends() (ends []any, changed <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.list, e.changed
}

func (e *executions) set(list []any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if reflect.DeepEqual(e.list, list) {
		return
	}
	close(e.changed)
	e.list, e.changed = list, make(chan struct{})
}

// assign tells every connector which commands it carries out.
func (c *change) assign() {
	ends := make(map[string][]any)
	for i := range c.plant.Commands {
		to := c.plant.Commands[i].To
		ends[to.Connector] = append(ends[to.Connector], to.End)
	}
	for id, i := range c.instances {
		i.duties.set(ends[id])
	}
}
