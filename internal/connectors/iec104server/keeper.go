package iec104server

import (
	"context"
	"time"

	"busbar/internal/connector"
)

// keeper does at a steady pace what no event waits for: it saves how far the groups
// have confirmed, shows the system points, and looks after the clock.
type keeper struct {
	station *station
	feed    connector.Feed
	saving  saving
	board   *board
}

func newKeeper(st *station, env connector.Env) *keeper {
	return &keeper{station: st, feed: env.Feed, board: newBoard(env.System)}
}

// run keeps at it until ctx ends.
func (k *keeper) run(ctx context.Context) {
	ticker := time.NewTicker(saveEvery)
	defer ticker.Stop()
	for {
		k.station.save(k.feed, &k.saving)
		if k.station.show(k.board, false) {
			k.station.askKernel(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// end does it once more, when everything else of a run is over.
func (k *keeper) end() {
	k.station.save(k.feed, &k.saving)
	k.station.show(k.board, true)
}
