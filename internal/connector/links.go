package connector

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"busbar/internal/tape"
)

// Tapes returns the tapes of all links.
func (m *Manager) Tapes() *tape.Deck { return m.deck }

// Links returns the links of all connectors, in order of connector and number.
func (m *Manager) Links() []Link {
	var all []Link
	for _, i := range m.list() {
		all = append(all, i.links()...)
	}
	return all
}

// links returns the links of a connector. Commands that are blocked for somebody who
// is not connected are shown as closed links.
func (i *instance) links() []Link {
	l, ok := i.conn.(Linker)
	if !ok {
		return nil
	}
	list := l.Links()
	waits := i.blocks.list()
	for n := range list {
		k := &list[n]
		k.Connector = i.config.ID
		k.Block = i.blocks.Of(k.PeerKey)
		delete(waits, k.PeerKey)
	}
	for peer, block := range waits {
		list = append(list, Link{
			ID: i.config.ID + ".blocked:" + peer, Connector: i.config.ID, Role: "controlled", Peer: peer, PeerKey: peer,
			State: LinkClosed, Reason: "not connected", Since: block.At, StateSince: block.At, Block: block,
		})
	}
	slices.SortStableFunc(list, func(a, b Link) int {
		return cmp.Or(cmp.Compare(len(a.ID), len(b.ID)), strings.Compare(a.ID, b.ID))
	})
	return list
}

// Link returns a link; it fails with ErrNoLink.
func (m *Manager) Link(id string) (Link, error) {
	l, _, err := m.link(id)
	return l, err
}

func (m *Manager) link(id string) (Link, *instance, error) {
	connector, _, _ := strings.Cut(id, ".")
	i := m.instance(connector)
	if i == nil {
		return Link{}, nil, fmt.Errorf("%w: %s", ErrNoLink, id)
	}
	for _, l := range i.links() {
		if l.ID == id {
			return l, i, nil
		}
	}
	return Link{}, nil, fmt.Errorf("%w: %s", ErrNoLink, id)
}

// Disconnect ends the connection of a link, see [Linker]. by and reason are logged.
func (m *Manager) Disconnect(id, by, reason string) error {
	l, i, err := m.link(id)
	if err != nil {
		return err
	}
	text := "disconnected by " + by
	if reason != "" {
		text += ": " + reason
	}
	if err := i.conn.(Linker).Disconnect(id, text); err != nil {
		return err
	}
	m.log.Info("link disconnected by hand", "connector", i.config.ID, "link", id, "peer", l.Peer, "by", by, "reason", reason)
	return nil
}

// BlockCommands has commands refused that come over a link, and over further connections
// of the same other side, or go over it; with the id of a connector, over all its links.
// It stays in force until ReleaseCommands or the end of the process.
func (m *Manager) BlockCommands(id, by, reason string) (CommandBlock, error) {
	block := CommandBlock{By: by, Reason: reason, At: m.clock.now()}
	return block, m.setBlock(id, &block)
}

// ReleaseCommands takes back a block.
func (m *Manager) ReleaseCommands(id string) error { return m.setBlock(id, nil) }

func (m *Manager) setBlock(id string, block *CommandBlock) error {
	i, peer := m.instance(id), ""
	if i == nil {
		l, of, err := m.link(id)
		if err != nil {
			return err
		}
		if i, peer = of, l.PeerKey; peer == "" {
			return fmt.Errorf("%w: %s", ErrNotOpen, id)
		}
	}
	if _, ok := i.conn.(Linker); !ok {
		return fmt.Errorf("%w: %s", ErrNoLink, id)
	}
	if block != nil {
		block.All = peer == ""
	}
	if err := i.blocks.set(peer, block); err != nil {
		return err
	}
	if block != nil {
		m.log.Warn("commands blocked", "connector", i.config.ID, "link", id, "peer", peer, "by", block.By, "reason", block.Reason)
	} else {
		m.log.Info("commands released", "connector", i.config.ID, "link", id, "peer", peer)
	}
	return nil
}

// instance returns a connector; nil: there is none.
func (m *Manager) instance(id string) *instance {
	m.view.RLock()
	defer m.view.RUnlock()
	return m.instances[id]
}

// blocksOf returns the blocks of a connector, which outlast it.
func (m *Manager) blocksOf(id string) *Blocks {
	m.view.Lock()
	defer m.view.Unlock()
	b := m.blocks[id]
	if b == nil {
		b = &Blocks{}
		m.blocks[id] = b
	}
	return b
}
