package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"busbar/internal/image"
	"busbar/internal/point"
	"busbar/internal/tape"
)

// stopTimeout is how long connectors may take to stop: first those that points
// come from, then the others.
const stopTimeout = 2 * time.Second

// ErrStopped is returned by what a manager that has stopped is asked to do.
var ErrStopped = errors.New("connector: stopped")

// Manager runs the connectors of a plant. Its methods may be called from any
// goroutine.
type Manager struct {
	log   *slog.Logger
	img   image.Image
	kinds *Registry
	clock clock

	router  *router
	journal *board
	deck    *tape.Deck

	ctx    context.Context // of all connectors
	cancel context.CancelFunc

	// apply is held by one change of the plant at a time, which may last as long as
	// connectors take to stop.
	apply   sync.Mutex
	stopped bool
	applied bool // there is a plant
	table   heardTable
	ledger  *ledger
	own     []knownOwn // points of targets
	sources map[string]point.Source
	lastID  TargetID

	view      sync.RWMutex // guards what follows for those who only look
	instances map[string]*instance
	blocks    map[string]*Blocks // of commands, by connector, also of those that are no more
	points    []known            // by index
	changes   uint64             // of the plant

	listing sync.Mutex // guards catalog, and is held while it is made
	catalog *Catalog
}

// NewManager returns a manager of connectors of the given kinds, without any. now
// is the wall clock, [time.Now] outside of tests.
func NewManager(log *slog.Logger, img image.Image, kinds *Registry, now func() time.Time) *Manager {
	m := &Manager{
		log: log, img: img, kinds: kinds, clock: newClock(now),
		sources:   make(map[string]point.Source),
		instances: make(map[string]*instance), blocks: make(map[string]*Blocks), deck: tape.NewDeck(tape.Limits{}),
		router:  newRouter(log, img, now),
		journal: newBoard(log, img, now, nil),
	}
	m.ledger = &ledger{publisher: newPublisher(img), table: &m.table}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	return m
}

// Run watches over the age of values until ctx ends, then stops every
// connector, those that points come from first. It fails if one of them does
// not stop in time. It is called once; the plant may be applied before.
func (m *Manager) Run(ctx context.Context) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return m.stop()
		case <-ticker.C:
			m.tick()
		}
	}
}

// tick is what is done every second.
func (m *Manager) tick() {
	status := m.img.Status()
	m.journal.postJournal(status)
	m.journal.retry()
	hindrance := ""
	if status.Accepting {
		m.pay()
	} else {
		hindrance = "the process image takes no updates: " + status.Reason
	}
	for _, i := range m.list() {
		i.board.retry()
		i.keeper.retry()
		if i.sink.check() {
			i.super.hinder(hindrance)
		} else {
			i.super.hinder("")
		}
	}
}

func (m *Manager) stop() error {
	m.apply.Lock()
	defer m.apply.Unlock()
	m.stopped = true
	defer m.cancel()
	late := stopAll(m.log, m.list())
	if m.router.close(stopTimeout) {
		m.log.Error("commands do not end, left behind", "timeout", stopTimeout)
	}
	if late > 0 {
		return fmt.Errorf("%d connectors did not stop within %v", late, stopTimeout)
	}
	return nil
}

// stopAll stops first the connectors that points come from, then the others.
func stopAll(log *slog.Logger, list []*instance) (late int) {
	var sourced, others []*instance
	for _, i := range list {
		if i.sourced {
			sourced = append(sourced, i)
		} else {
			others = append(others, i)
		}
	}
	return stop(log, sourced, stopTimeout) + stop(log, others, stopTimeout)
}

// list returns the instances in order of their id.
func (m *Manager) list() []*instance {
	m.view.RLock()
	defer m.view.RUnlock()
	list := make([]*instance, 0, len(m.instances))
	for _, i := range m.instances {
		list = append(list, i)
	}
	slices.SortFunc(list, func(a, b *instance) int { return strings.Compare(a.config.ID, b.config.ID) })
	return list
}

// Reload lets every connector read again what it has read from files of its own. A
// fault is logged and changes nothing.
func (m *Manager) Reload() {
	for _, i := range m.list() {
		if err := i.reload(); err != nil {
			m.log.Warn("files of a connector are faulty, those read before stay in force", "connector", i.config.ID, "error", err)
		}
	}
}
