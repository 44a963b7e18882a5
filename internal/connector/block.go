package connector

import (
	"fmt"
	"maps"
	"sync"
	"time"
)

// CommandBlock says that commands over a link, or all links of a connector, are
// refused.
type CommandBlock struct {
	By     string    `json:"by"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
	All    bool      `json:"all" doc:"of all links of the connector"`
}

// Refusal returns why an order is refused.
func (b *CommandBlock) Refusal() string {
	what := "commands over this link are blocked by " + b.By
	if b.All {
		what = "commands of this connector are blocked by " + b.By
	}
	if b.Reason != "" {
		what += ": " + b.Reason
	}
	return what
}

// maxBlocks is how many peers of one connector may be blocked.
const maxBlocks = 1000

// Blocks are the command blocks of one connector. They outlast its connections, runs and
// settings, but not the process. The methods may be called from any goroutine; those of
// nil blocks find none.
type Blocks struct {
	mu    sync.RWMutex
	all   *CommandBlock
	peers map[string]*CommandBlock // by the key of the other side
}

// Of returns the block that holds for another side; nil: none does.
func (b *Blocks) Of(peer string) *CommandBlock {
	if b == nil {
		return nil
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.all != nil {
		return b.all
	}
	return b.peers[peer]
}

// set sets a block, or with nil takes it back. An empty peer stands for all.
func (b *Blocks) set(peer string, block *CommandBlock) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case peer == "":
		b.all = block
	case block == nil:
		delete(b.peers, peer)
	case len(b.peers) >= maxBlocks && b.peers[peer] == nil:
		return fmt.Errorf("%w: %d", ErrTooManyBlocks, maxBlocks)
	default:
		if b.peers == nil {
			b.peers = map[string]*CommandBlock{}
		}
		b.peers[peer] = block
	}
	return nil
}

// list returns the blocks of single peers.
func (b *Blocks) list() map[string]*CommandBlock {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return maps.Clone(b.peers)
}
