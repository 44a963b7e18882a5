package iec104client

import (
	"strings"
	"sync/atomic"

	"busbar/iec104"
	"busbar/internal/connector"
)

// figures are counted by the goroutines of a client.
type figures struct {
	objects, test, ignored, replayed, unassigned, refused atomic.Uint64
	badTimes, wrongSU                                     atomic.Uint64
	restarts, missing, held                               atomic.Uint64
	starts, losses, strangers                             atomic.Uint64
	requests, failures                                    [jobs]atomic.Uint64
}

// verdict counts what is wrong with a time tag.
func (f *figures) verdict(v verdict) {
	switch v {
	case wrongSU:
		f.wrongSU.Add(1)
	case noDate:
		f.badTimes.Add(1)
	}
}

// asked counts a request of a job.
func (f *figures) asked(which int, err error) {
	f.requests[which].Add(1)
	if err != nil {
		f.failures[which].Add(1)
	}
}

// Collect implements [connector.Collector].
func (c *Client) Collect(emit func(connector.Metric)) {
	f := &c.figures
	for _, m := range []struct {
		name, help string
		value      *atomic.Uint64
	}{
		{"objects_total", "Information objects received in monitor direction.", &f.objects},
		{"unassigned_objects_total", "Objects whose address no point comes from.", &f.unassigned},
		{"refused_objects_total", "Objects of another type than their points are for.", &f.refused},
		{"replayed_objects_total", "Events that came again after a new connection and were dropped.", &f.replayed},
		{"test_objects_total", "Objects with the test bit, which were dropped.", &f.test},
		{"ignored_objects_total", "Objects whose type or cause has no meaning here.", &f.ignored},
		{"bad_time_tags_total", "Time tags that are no possible date.", &f.badTimes},
		{"summer_time_mismatches_total", "Time tags whose SU is not what the time zone has it to be.", &f.wrongSU},
		{"restarts_total", "Ends of initialisation that the station told.", &f.restarts},
		{"missing_points_total", "Points that were missing in an interrogation.", &f.missing},
		{"held_total", "Times that the station was held back, because the image took nothing.", &f.held},
		{"starts_total", "Starts of data transfer.", &f.starts},
		{"losses_total", "Ends of data transfer.", &f.losses},
		{"refused_connections_total", "Connections that were accepted and refused, of a station that dials out and others.", &f.strangers},
	} {
		emit(connector.Metric{Name: "iec104_client_" + m.name, Help: m.help, Counter: true, Value: float64(m.value.Load())})
	}
	for i, name := range jobNames {
		labels := []connector.Label{{Name: "request", Value: strings.ReplaceAll(name, " ", "_")}}
		count(emit, "requests_total", "Requests that were answered or failed, without those cut off by the end of a connection.", f.requests[i].Load(), labels)
		count(emit, "request_failures_total", "Requests that were refused or not answered completely.", f.failures[i].Load(), labels)
	}
	c.mu.Lock()
	behind, ok := c.clock.get()
	c.mu.Unlock()
	if ok {
		gauge(emit, "clock_offset_seconds", "How far the clock of the station is behind.", behind.Seconds(), nil)
	}
	c.doctor.Collect(emit)
	if c.tls != nil {
		c.tls.Collect(emit)
	}
	for _, l := range c.link.Load().Links() {
		collectLink(emit, &l, []connector.Label{{Name: "peer", Value: l.Addr}})
	}
}

// collectLink emits the figures of the connection to one address.
func collectLink(emit func(connector.Metric), l *iec104.LinkInfo, labels []connector.Label) {
	up, started := 0.0, 0.0
	if l.State != iec104.LinkDown {
		up = 1
	}
	if l.State == iec104.LinkStarted {
		started = 1
	}
	gauge(emit, "link_up", "Whether there is a connection to the address.", up, labels)
	gauge(emit, "link_started", "Whether it has data transfer started.", started, labels)
	gauge(emit, "link_owed_apdus", "I frames received and not acknowledged, of those whose values are kept.", float64(l.Conn.Owed), labels)
	gauge(emit, "link_outstanding_apdus", "I frames sent and not acknowledged.", float64(l.Conn.Outstanding), labels)
	for _, f := range []struct {
		direction, format string
		value             uint64
	}{
		{"received", "I", l.Conn.ReceivedI}, {"received", "S", l.Conn.ReceivedS}, {"received", "U", l.Conn.ReceivedU},
		{"sent", "I", l.Conn.SentI}, {"sent", "S", l.Conn.SentS}, {"sent", "U", l.Conn.SentU},
	} {
		count(emit, "link_apdus_total", "Frames of the connection by direction and format.", f.value,
			append(labels[:1:1], connector.Label{Name: "direction", Value: f.direction}, connector.Label{Name: "format", Value: f.format}))
	}
	count(emit, "link_received_octets_total", "Octets received on the connection.", l.Conn.ReceivedOctets, labels)
	count(emit, "link_sent_octets_total", "Octets sent on the connection.", l.Conn.SentOctets, labels)
	count(emit, "link_tolerated_total", "Deviations from the standard accepted.", l.Conn.Tolerated, labels)
	count(emit, "link_discarded_total", "Malformed ASDUs and unknown types dropped.", l.Conn.Discarded, labels)
	count(emit, "link_ignored_total", "Frames and ASDUs without meaning in their state.", l.Conn.Ignored, labels)
}

func gauge(emit func(connector.Metric), name, help string, value float64, labels []connector.Label) {
	emit(connector.Metric{Name: "iec104_client_" + name, Help: help, Value: value, Labels: labels})
}

func count(emit func(connector.Metric), name, help string, value uint64, labels []connector.Label) {
	emit(connector.Metric{Name: "iec104_client_" + name, Help: help, Counter: true, Value: float64(value), Labels: labels})
}
