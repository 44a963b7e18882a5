package mqtt

import (
	"hash/maphash"
	"slices"
)

// window is how many messages back copies are looked for. Brokers send the
// copies of a message one after the other.
const window = 32

// copies finds the copies of messages that matched several subscriptions. A
// message is a copy if the last one with the same topic and payload came for
// other subscriptions only; if it came for the same one, it was sent again.
type copies struct {
	seed   maphash.Seed
	recent [window]arrival // a ring
	last   int             // index of the newest
}

type arrival struct {
	sum uint64
	ids []uint32 // of the subscriptions that it came for
}

func newCopies() *copies { return &copies{seed: maphash.MakeSeed()} }

// isCopy notes a message that came for the subscriptions ids and reports
// whether it is the copy of an earlier one.
func (c *copies) isCopy(topic, payload []byte, ids []uint32) bool {
	var h maphash.Hash
	h.SetSeed(c.seed)
	_, _ = h.Write(topic)
	_ = h.WriteByte(0)
	_, _ = h.Write(payload)
	sum := h.Sum64()
	for i := range window {
		a := &c.recent[(c.last-i+window)%window]
		if a.sum != sum || len(a.ids) == 0 {
			continue
		}
		if slices.ContainsFunc(ids, func(id uint32) bool { return slices.Contains(a.ids, id) }) {
			break
		}
		a.ids = append(a.ids, ids...)
		return true
	}
	c.last = (c.last + 1) % window
	a := &c.recent[c.last]
	a.sum, a.ids = sum, append(a.ids[:0], ids...)
	return false
}
