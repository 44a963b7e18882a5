package mqtt

import (
	"hash/maphash"
	"slices"
)

// window is how many messages back copies are looked for. Brokers send the
// copies of a message one after the other.
const window = 32

// copies finds the copies of messages that matched several subscriptions. A
// message is a copy if the last one of its topic had the same payload and came
// for other subscriptions only; if it came for the same one, it was sent again.
type copies struct {
	seed   maphash.Seed
	recent [window]arrival // a ring
	last   int             // index of the newest
}

type arrival struct {
	topic, payload uint64   // hashes
	ids            []uint32 // of the subscriptions that it came for
}

func newCopies() *copies { return &copies{seed: maphash.MakeSeed()} }

// isCopy notes a message that came for the subscription id and reports whether
// it is the copy of an earlier one.
func (c *copies) isCopy(topic string, payload []byte, id uint32) bool {
	t, p := maphash.String(c.seed, topic), maphash.Bytes(c.seed, payload)
	for i := range window {
		a := &c.recent[(c.last-i+window)%window]
		if a.topic != t || len(a.ids) == 0 {
			continue
		}
		if a.payload != p || slices.Contains(a.ids, id) {
			break
		}
		a.ids = append(a.ids, id)
		return true
	}
	c.last = (c.last + 1) % window
	a := &c.recent[c.last]
	a.topic, a.payload, a.ids = t, p, append(a.ids[:0], id)
	return false
}
