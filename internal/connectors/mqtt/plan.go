package mqtt

import "strings"

// subscription is what the broker is asked for with one filter.
type subscription struct {
	qos byte
	id  uint32 // subscription identifier, 0: none
}

// planner decides which filters are subscribed to. A broker may deliver one
// copy of a message per subscription that matches, so the filters that others
// cover are left out. Those that overlap only in part get identifiers, by which
// copies are told from messages, if the broker has them.
type planner struct {
	identifiers bool // of the broker
	ids         map[string]uint32
}

// plan returns what to subscribe to for the wanted filters and their QoS. The
// filters that the broker refused are left out, so that others which they cover
// are asked for themselves.
func (p *planner) plan(wanted map[string]byte, refused map[string]string) map[string]subscription {
	var all filters
	for filter := range wanted {
		if _, ok := refused[filter]; !ok && !isShared(filter) {
			all.add(filter)
		}
	}
	var kept filters
	subs := make(map[string]subscription)
	for filter, qos := range wanted {
		if _, ok := refused[filter]; ok {
			continue
		}
		if isShared(filter) {
			subs[filter] = subscription{qos: qos} // it neither covers others nor is covered
			continue
		}
		for by, ok := all.covering(filter); ok; by, ok = all.covering(filter) {
			filter = by
		}
		kept.add(filter)
		subs[filter] = subscription{qos: max(qos, wanted[filter], subs[filter].qos)}
	}
	if !p.identifiers {
		return subs
	}
	for filter, sub := range subs {
		// What has no wildcard and overlaps is covered.
		if strings.ContainsAny(filter, "+#") && !isShared(filter) && kept.overlaps(filter) {
			sub.id = p.id(filter)
			subs[filter] = sub
		}
	}
	return subs
}

// id returns the identifier of a filter, which stays the same.
func (p *planner) id(filter string) uint32 {
	id, ok := p.ids[filter]
	if !ok {
		if p.ids == nil {
			p.ids = make(map[string]uint32)
		}
		id = uint32(len(p.ids) + 1)
		p.ids[filter] = id
	}
	return id
}
