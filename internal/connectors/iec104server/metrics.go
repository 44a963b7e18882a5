package iec104server

import (
	"strconv"
	"strings"

	"busbar/iec104"
	"busbar/internal/connector"
)

// Collect implements [connector.Collector].
func (s *server) Collect(emit func(connector.Metric)) {
	stats := s.link.Stats()
	s.station.desk.collect(emit)
	s.station.doctor.Collect(emit)
	s.collectServer(emit, &stats)
	s.station.collect(emit)
	if s.tls != nil {
		s.tls.Collect(emit)
	}
	buffers := s.station.buffers(emit)
	for _, c := range s.link.Conns() {
		labels := []connector.Label{{Name: "conn", Value: strconv.FormatUint(c.ID, 10)}, {Name: "peer", Value: c.Peer}}
		collectConn(emit, &c, buffers[c.ID], labels)
	}
}

func (s *server) collectServer(emit func(connector.Metric), stats *iec104.ServerStats) {
	gauge(emit, "iec104_connections", "Open connections.", float64(stats.Open), nil)
	gauge(emit, "iec104_connections_started", "Open connections with data transfer started.", float64(stats.Started), nil)
	count(emit, "iec104_connections_accepted_total", "Connections served.", stats.Accepted, nil)
	for _, r := range iec104.Reasons() {
		count(emit, "iec104_connections_closed_total", "Connections closed or refused, by reason.", stats.Closed[r],
			[]connector.Label{{Name: "reason", Value: strings.ReplaceAll(r.String(), " ", "_")}})
	}
	collectFrames(emit, "iec104_server_", &stats.Counters, nil)
}

// collectConn emits the figures of one connection.
func collectConn(emit func(connector.Metric), c *iec104.ConnInfo, q buffer, labels []connector.Label) {
	collectFrames(emit, "iec104_conn_", &c.Counters, labels)
	gauge(emit, "iec104_conn_outstanding_apdus", "I frames sent and not acknowledged.", float64(c.Outstanding), labels)
	gauge(emit, "iec104_conn_owed_apdus", "I frames received and not acknowledged.", float64(c.Owed), labels)
	gauge(emit, "iec104_conn_requests", "Requests in work or waiting.", float64(c.Answers), labels)
	gauge(emit, "iec104_conn_queued_events", "Events that wait to be sent.", float64(q.waiting), labels)
	count(emit, "iec104_conn_dropped_events_total", "Events that did not fit into the buffer.", q.dropped, labels)
}

// collectFrames emits counters of frames and objects.
func collectFrames(emit func(connector.Metric), prefix string, c *iec104.Counters, labels []connector.Label) {
	for _, f := range []struct {
		direction, format string
		value             uint64
	}{
		{"received", "I", c.ReceivedI}, {"received", "S", c.ReceivedS}, {"received", "U", c.ReceivedU},
		{"sent", "I", c.SentI}, {"sent", "S", c.SentS}, {"sent", "U", c.SentU},
	} {
		count(emit, prefix+"apdus_total", "Frames by direction and format.", f.value,
			append(labels[:len(labels):len(labels)],
				connector.Label{Name: "direction", Value: f.direction}, connector.Label{Name: "format", Value: f.format}))
	}
	for _, f := range []struct {
		name, help string
		value      uint64
	}{
		{"received_octets_total", "Octets received.", c.ReceivedOctets},
		{"sent_octets_total", "Octets sent.", c.SentOctets},
		{"writes_total", "Calls that wrote to the network.", c.Writes},
		{"sent_events_total", "Information objects of events and background data sent.", c.SentEvents},
		{"confirmed_events_total", "Events that the controlling station has acknowledged.", c.ConfirmedEvents},
		{"sent_items_total", "Information objects sent in answers.", c.SentItems},
		{"requests_total", "ASDUs received in control direction.", c.Requests},
		{"mirrored_total", "Refusals with cause 44 to 47 sent.", c.Mirrored},
		{"mirrors_suppressed_total", "Refusals not sent because of their rate limit.", c.MirrorsSuppressed},
		{"ignored_total", "Frames and ASDUs without meaning in their state.", c.Ignored},
		{"tolerated_total", "Deviations from the standard accepted.", c.Tolerated},
		{"unencodable_total", "Objects that no ASDU can hold.", c.Unencodable},
	} {
		count(emit, prefix+f.name, f.help, f.value, labels)
	}
}

// total returns the figures of the station and of its sessions. The caller holds mu.
func (st *station) total() figures {
	f := st.figures
	for _, s := range st.sessions {
		f.add(s.figures)
	}
	for _, q := range st.queues {
		f.dropped += q.lost()
	}
	return f
}

// collect emits the figures of the station.
func (st *station) collect(emit func(connector.Metric)) {
	st.mu.Lock()
	full := st.settle()
	f := st.total()
	targets, groups, events, octets := len(st.table.rows), len(st.groups), st.events.events(), st.events.size()
	st.mu.Unlock()
	st.warn(full)
	gauge(emit, "iec104_groups", "Redundancy groups that have a buffer.", float64(groups), nil)
	gauge(emit, "iec104_targets", "Information objects served.", float64(targets), nil)
	gauge(emit, "iec104_log_events", "Events kept for groups and connections.", float64(events), nil)
	gauge(emit, "iec104_log_octets", "Memory of the event log.", float64(octets), nil)
	for _, c := range []struct {
		name, help string
		value      uint64
	}{
		{"events_total", "Changes that became events.", f.events},
		{"late_events_total", "Events with a time older than the current value.", f.late},
		{"suppressed_total", "Changes within the dead band, or otherwise no event.", f.suppressed},
		{"dropped_events_total", "Events that did not fit into the buffer of a group.", f.dropped},
		{"abandoned_events_total", "Events not acknowledged when a connection beside that of its group ended, or a group was dropped.", f.abandoned},
		{"superseded_events_total", "Events skipped because of a newer one of their target.", f.superseded},
		{"unreplayed_events_total", "Events that waited during a break and were not sent after it.", f.unreplayed},
		{"cleared_events_total", "Events dropped by a reset process command.", f.cleared},
		{"expired_groups_total", "Groups dropped because nobody used them.", f.expired},
		{"removed_events_total", "Events skipped because their target was removed.", f.removed},
		{"unsendable_events_total", "Events skipped because their type cannot carry them.", f.unsendable},
		{"lost_changes_total", "Changes that were overwritten before they were read.", f.gaps},
		{"counter_freezes_total", "Counters frozen.", f.freezes},
		{"counter_freezes_missed_total", "Counters that could not be frozen when their period ended.", f.missed},
	} {
		count(emit, "iec104_"+c.name, c.help, c.value, nil)
	}
	if offset, ok := st.clock.get(); ok {
		gauge(emit, "iec104_clock_offset_seconds", "Clock of the controlling station minus own clock.", offset.Seconds(), nil)
	}
}

// buffer is what waits for a connection.
type buffer struct{ waiting, dropped uint64 }

// buffers emits the figures of the groups, and returns those of connections by
// their number.
func (st *station) buffers(emit func(connector.Metric)) map[uint64]buffer {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, q := range st.queues {
		if !q.temporary {
			st.collectGroup(emit, q)
		}
	}
	conns := make(map[uint64]buffer, len(st.sessions))
	for _, s := range st.sessions {
		if q := s.queue; q != nil {
			conns[s.conn.ID()] = buffer{q.pending(&st.events) - uint64(q.unconfirmed()), q.lost() - s.lostBefore}
		}
	}
	return conns
}

// collectGroup emits the figures of a redundancy group. The caller holds mu.
func (st *station) collectGroup(emit func(connector.Metric), q *queue) {
	labels := []connector.Label{{Name: "group", Value: q.key.String()}}
	started := 0.0
	if q.owner != nil && q.owner.started {
		started = 1
	}
	gauge(emit, "iec104_group_started", "Whether a connection of the group has data transfer started.", started, labels)
	gauge(emit, "iec104_group_buffered_events", "Events not confirmed by the group.", float64(q.pending(&st.events)), labels)
	for c, n := range q.dropped {
		count(emit, "iec104_group_dropped_events_total", "Events that did not fit into the buffer of the group, by class.", n,
			append(labels[:1:1], connector.Label{Name: "class", Value: class(c).String()}))
	}
}

func gauge(emit func(connector.Metric), name, help string, value float64, labels []connector.Label) {
	emit(connector.Metric{Name: name, Help: help, Value: value, Labels: labels})
}

func count(emit func(connector.Metric), name, help string, value uint64, labels []connector.Label) {
	emit(connector.Metric{Name: name, Help: help, Counter: true, Value: float64(value), Labels: labels})
}
