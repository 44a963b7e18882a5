package commandlog

import (
	"slices"

	"busbar/internal/connector"
	"busbar/internal/point"
)

// interruption is why an order that was under way has failed.
const interruption = "busbar ended before the order did, outcome unknown"

// history is what the files tell of the newest orders.
type history struct {
	orders []*connector.CommandRecord // in order of their first line
	byID   map[string]*connector.CommandRecord
	room   int // of orders, before the oldest are left out
}

func newHistory() *history {
	return &history{byID: make(map[string]*connector.CommandRecord), room: 2 * connector.RecordLength}
}

// take takes the next record of a file.
func (h *history) take(r *connector.CommandRecord) {
	if known := h.byID[r.Order.ID]; known != nil {
		*known = *r
		return
	}
	h.orders = append(h.orders, r)
	h.byID[r.Order.ID] = r
	if len(h.orders) > h.room {
		h.forget()
		h.room = max(h.room, 2*len(h.orders))
	}
}

// forget leaves out the oldest orders that have ended, until there are as many
// as the manager keeps.
func (h *history) forget() {
	surplus := len(h.orders) - connector.RecordLength
	h.orders = slices.DeleteFunc(h.orders, func(r *connector.CommandRecord) bool {
		if surplus <= 0 || !r.Ended() {
			return false
		}
		surplus--
		delete(h.byID, r.Order.ID)
		return true
	})
}

// interrupt ends the orders that were under way, and returns their records.
func (h *history) interrupt() (interrupted []*connector.CommandRecord) {
	for _, r := range h.orders {
		if r.Ended() {
			continue
		}
		r.Unknown = true
		if r.Confirmation.Stage == 0 {
			r.Confirmation = point.Result{Stage: point.Confirmed, Reason: interruption}
		} else {
			r.Termination = point.Result{Stage: point.Terminated, Reason: interruption}
		}
		interrupted = append(interrupted, r)
	}
	return interrupted
}

// records returns the records, oldest first.
func (h *history) records() []connector.CommandRecord {
	list := make([]connector.CommandRecord, len(h.orders))
	for i, r := range h.orders {
		list[i] = *r
	}
	return list
}
