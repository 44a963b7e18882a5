package iec104server

import (
	"strings"
	"time"

	"busbar/internal/connector"
	"busbar/internal/point"
)

// What the system points of a server tell, and in percent of the buffer, where
// they change.
const (
	nearlyFull = 80
	reallyFull = 100
	roomAgain  = 50

	// lookEvery is how often it is looked what the system points have to tell.
	lookEvery = time.Second
	// dropsEvery is how often the number of dropped events is told at most: as a
	// target of the server itself it may be what makes events drop.
	dropsEvery = time.Minute
)

// systemPoints declares the system points of a server.
func systemPoints() []connector.SystemPoint {
	return []connector.SystemPoint{
		{Name: "connections", Type: point.Int, Doc: "open connections"},
		{Name: "started", Type: point.Int, Doc: "connections with data transfer started"},
		{Name: "fill", Type: point.Float, Unit: "%", Doc: "fullest event buffer, in whole percent"},
		{Name: "nearly-full", Type: point.Single, Doc: "a buffer is full to 80 %; until all are at 50 % or less"},
		{Name: "overflow", Type: point.Single, Doc: "a buffer is full; until all are at 50 % or less"},
		{Name: "dropped", Type: point.Int, Doc: "events that did not fit since the start of the process, or since the settings of the connector were changed"},
		{Name: "groups/*/started", Type: point.Single, Doc: "a connection of the group has data transfer started"},
		{Name: "groups/*/fill", Type: point.Float, Unit: "%", Doc: "event buffer of the group, in whole percent"},
		{Name: "groups/*/nearly-full", Type: point.Single, Doc: "the buffer is full to 80 %; until it is at 50 % or less"},
		{Name: "groups/*/overflow", Type: point.Single, Doc: "the buffer is full; until it is at 50 % or less"},
		{Name: "groups/*/dropped", Type: point.Int, Doc: "events that did not fit since the start of the process, or since the settings of the connector were changed"},
	}
}

// segment returns the name of the group in ids of system points: "name", "10.0.0.1",
// "name_10.0.0.1". The colons of an IPv6 address become hyphens.
func (k groupKey) segment() string {
	address := strings.ReplaceAll(k.peer.String(), ":", "-")
	switch {
	case !k.peer.IsValid():
		return k.name
	case k.name == "":
		return address
	default:
		return k.name + "_" + address
	}
}

// levels is what the system points tell of a buffer, or of the fullest.
type levels struct {
	fill             uint64 // percent
	dropped          uint64
	nearly, overflow bool
}

// next returns the levels that follow on l for the fill and drops of now.
func (l levels) next(fill, dropped uint64) levels {
	drops := dropped > l.dropped
	return levels{
		fill: min(fill, reallyFull), dropped: dropped,
		nearly:   fill >= nearlyFull || drops || l.nearly && fill > roomAgain,
		overflow: fill >= reallyFull || drops || l.overflow && fill > roomAgain,
	}
}

// The system points of a server or group, as places in a panel.
const (
	showStarted = iota
	showFill
	showNearly
	showOverflow
	showDropped
	showConnections
	shows
)

var showNames = [shows]string{"started", "fill", "nearly-full", "overflow", "dropped", "connections"}

// panel is the system points of a group, or of the server.
type panel struct {
	levels
	started int
	names   [shows]string
	told    [shows]point.Value
	looked  uint64 // the number of the look that saw the group last
}

func newPanel(prefix string) *panel {
	p := &panel{}
	for i, name := range showNames {
		p.names[i] = prefix + name
	}
	return p
}

// board shows the system points of a server. It belongs to one goroutine.
type board struct {
	publish func(name string, v point.Value)
	server  *panel
	groups  map[groupKey]*panel
	looks   uint64
	looked  time.Time // when it was last looked
	counted time.Time // when the numbers of dropped events were last told
}

func newBoard(publish func(name string, v point.Value)) *board {
	if publish == nil {
		publish = func(string, point.Value) {}
	}
	return &board{publish: publish, server: newPanel(""), groups: map[groupKey]*panel{}}
}

// show publishes what has changed, and returns true; unless it was done less than a
// second ago and the run goes on.
func (st *station) show(b *board, over bool) bool {
	now := time.Now()
	if !over && now.Sub(b.looked) < lookEvery {
		return false
	}
	b.looked = now
	b.looks++
	connections := st.look(b)
	count := now.Sub(b.counted) >= dropsEvery
	if count {
		b.counted = now
	}
	b.tell(b.server, showConnections, point.IntValue(int64(connections)))
	b.tell(b.server, showStarted, point.IntValue(int64(b.server.started)))
	b.tellLevels(b.server, count)
	for key, p := range b.groups {
		if p.looked != b.looks {
			p.levels, p.started = levels{}, 0
			delete(b.groups, key)
		}
		b.tell(p, showStarted, point.SingleValue(p.started > 0))
		b.tellLevels(p, count || p.looked != b.looks)
	}
	return true
}

// tellLevels publishes the levels of a buffer; the number of dropped events with
// count, or if it is the first time.
func (b *board) tellLevels(p *panel, count bool) {
	b.tell(p, showFill, point.FloatValue(float64(p.fill)))
	b.tell(p, showNearly, point.SingleValue(p.nearly))
	b.tell(p, showOverflow, point.SingleValue(p.overflow))
	if count || p.told[showDropped].Type() == 0 {
		b.tell(p, showDropped, point.IntValue(int64(p.dropped)))
	}
}

// tell publishes a value if it is not the one that was published last.
func (b *board) tell(p *panel, which int, v point.Value) {
	if p.told[which] == v {
		return
	}
	p.told[which] = v
	b.publish(p.names[which], v)
}

// look notes what the system points have to tell, and returns how many connections
// there are.
func (st *station) look(b *board) (connections int) {
	st.mu.Lock()
	defer st.mu.Unlock()
	limit, fullest := uint64(st.settings.Buffer.Events), uint64(0)
	server := levels{}
	for key, q := range st.groups {
		p := b.groups[key]
		if p == nil {
			p = newPanel("groups/" + key.segment() + "/")
			b.groups[key] = p
		}
		p.looked = b.looks
		if p.started = 0; q.owner != nil && q.owner.started {
			p.started = 1
		}
		fill := q.waiting(&st.events) * 100 / limit
		p.levels = p.next(fill, q.lost())
		fullest = max(fullest, p.fill)
		server.nearly, server.overflow = server.nearly || p.nearly, server.overflow || p.overflow
	}
	server.fill, server.dropped = fullest, st.total().dropped
	b.server.levels, b.server.started = server, 0
	for _, s := range st.sessions {
		if s.started {
			b.server.started++
		}
	}
	return len(st.sessions)
}
