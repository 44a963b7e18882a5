package connector

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"busbar/internal/plant"
)

// instance is one configured connector at work.
type instance struct {
	config plant.Connector
	kind   Kind
	conn   Connector
	track  *tracker
	sink   *sink
	feed   *feed
	keeper *keeper
	board  *board
	super  *supervisor
	orders *requester
	duties *executions
	life   life
	blocks *Blocks

	messages *Messages
	sourced  bool     // points come from it
	targets  []Target // that the feed was given
	placed   atomic.Pointer[places]

	cancel context.CancelFunc
	done   chan struct{} // closed when it has stopped, or does not run
}

// newInstance makes a connector that does not run yet.
func (m *Manager) newInstance(config plant.Connector, kind Kind) (i *instance, err error) {
	defer contain(&err)
	log := m.log.With("connector", config.ID, "kind", config.Kind)
	sink := newSink(log, m.ledger, m.clock, newSinkCounts(log, m.img.ID))
	sink.messages = &Messages{now: m.clock.now}
	sink.key = kind.spec.sourceKey
	i = &instance{config: config, kind: kind, sink: sink, messages: sink.messages, feed: newFeed(m.img, config.ID)}
	i.keeper = newKeeper(m.img, m.clock.now)
	i.board = newBoard(log, m.img, m.clock.now, kind.spec.system())
	i.track = newTracker(config.ID, config.Kind, m.clock.now)
	if config.Disabled {
		i.track.set(Disabled, "")
	}
	i.track.changed = func() { i.board.follow(i.track) }
	i.super = &supervisor{
		log: log, track: i.track, repeat: make(chan struct{}, 1),
		before: func() { i.feed.restart(); sink.unattended(); i.board.begin(); i.life.begin() },
		after:  func() { i.life.end(); i.feed.close(); i.board.end(); sink.unattended() },
		up:     sink.attended,
	}
	i.orders = &requester{router: m.router, connector: config.ID}
	i.duties = newExecutions()
	i.blocks = m.blocksOf(config.ID)
	i.conn, err = kind.New(config.Settings, Env{
		ID: config.ID, Log: log, Sink: sink, Readings: sink, Feed: i.feed, Commands: i.orders, Executions: i.duties,
		System: i.board.set, PublishOwn: i.keeper.publish, Report: i.super.report, Now: m.clock.now,
		Tapes: m.deck, Blocks: i.blocks, Messages: i.messages,
	})
	return i, err
}

// start runs the connector, or tells its points that it does not run.
func (i *instance) start(ctx context.Context) {
	ctx, i.cancel = context.WithCancel(ctx)
	i.life.parent = ctx
	i.done = make(chan struct{})
	if i.config.Disabled {
		i.sink.unattended()
		close(i.done)
		return
	}
	go func() {
		defer close(i.done)
		i.super.run(ctx, i.conn)
		i.life.end()
		i.feed.close()
	}()
}

// stop stops the instances together. Those that do not return in time are left
// behind: they can no longer deliver anything.
func stop(log *slog.Logger, instances []*instance, timeout time.Duration) (late int) {
	for _, i := range instances {
		i.sink.end()
		i.cancel()
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	expired := false
	for _, i := range instances {
		if !expired {
			select {
			case <-i.done:
			case <-timer.C:
				expired = true
			}
		}
		i.sink.close()
		i.keeper.close()
		i.board.close()
		i.feed.leave()
		i.orders.left.Store(true)
		select {
		case <-i.done:
		default:
			late++
			log.Error("connector does not stop, left behind", "connector", i.config.ID, "kind", i.config.Kind, "timeout", timeout)
		}
	}
	return late
}

// reload lets the connector read its files again.
func (i *instance) reload() (err error) {
	defer contain(&err)
	if r, ok := i.conn.(Reloader); ok {
		return r.Reload()
	}
	return nil
}
