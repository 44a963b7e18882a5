package iec104client

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"busbar/iec104"
	"busbar/internal/connector"
	"busbar/internal/linkbook"
)

var _ connector.Linker = (*Client)(nil)

// Links implements [connector.Linker]: there is one for each address.
func (c *Client) Links() []connector.Link {
	infos := c.link.Load().Links()
	c.mu.Lock()
	addresses := slices.Clone(c.plan.cas)
	behind, known := c.clock.get()
	c.mu.Unlock()
	active, began := c.present(), c.start()
	list := make([]connector.Link, len(infos))
	for n := range infos {
		i := &infos[n]
		l := connector.Link{Peer: i.Addr, Since: began, StateSince: began}
		e, open := c.book.Find(i.Conn.ID)
		open = open && i.State != iec104.LinkDown
		if open {
			l = e.Link()
		} else {
			l.State, l.Reason, l.Conn = c.absent(i), reason(i.Err), i.Conn.ID
			if i.Conn.ID != 0 {
				l.Since, l.StateSince = i.Conn.Since, i.Conn.StateSince
			}
		}
		l.ID, l.Role, l.PeerKey = c.linkID(n), "controlling", i.Addr
		linkbook.Describe(&l, &i.Conn, c.settings.params())
		if open && i.Addr == active {
			l.Member = "active"
			if known {
				c.addOffset(&l, connector.Milliseconds(-behind))
			}
		} else if open {
			l.Member = "standby"
		}
		linkbook.Addresses(&l, addresses)
		list[n] = l
	}
	return list
}

// addOffset adds what time tags show of the clock of the station.
func (c *Client) addOffset(l *connector.Link, ms float64) {
	if l.Clock == nil {
		l.Clock = &connector.LinkClock{}
	}
	l.Clock.OffsetMs = &ms
}

// linkID returns the id of the link to an address.
func (c *Client) linkID(n int) string { return c.env.ID + "." + strconv.Itoa(n+1) }

// absent returns the state of a link without a connection.
func (c *Client) absent(i *iec104.LinkInfo) connector.LinkState {
	switch {
	case !c.running.Load():
		return connector.LinkClosed
	case c.settings.listens():
		return connector.LinkListening
	case i.Err != nil && i.Conn.ID != 0:
		return connector.LinkClosed
	default:
		return connector.LinkConnecting
	}
}

func reason(err error) string {
	if err == nil {
		return ""
	}
	return strings.TrimPrefix(err.Error(), "iec104: ")
}

// Disconnect implements [connector.Linker].
func (c *Client) Disconnect(id, why string) error {
	for n, i := range c.link.Load().Links() {
		if c.linkID(n) != id {
			continue
		}
		if i.State == iec104.LinkDown || !c.link.Load().Renew(i.Conn.ID, 0, errors.New(why)) {
			return fmt.Errorf("%w: %s", connector.ErrNotOpen, id)
		}
		return nil
	}
	return fmt.Errorf("%w: %s", connector.ErrNoLink, id)
}

// blocked returns why orders are refused that would go over the present link; nil: they
// are not.
func (c *Client) blocked() error {
	block := c.env.Blocks.Of(c.present())
	if block == nil {
		return nil
	}
	return errors.New(block.Refusal())
}
