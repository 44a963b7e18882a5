package plant

import (
	"hash/maphash"
	"strings"
)

// interner gives equal strings the same memory, most of the time: in a plant
// file the same few keys, names and paths occur over and over. It keeps a fixed
// number of strings and forgets the rest.
type interner struct {
	seed  maphash.Seed
	slots [1024]string
}

// internerFor returns an interner for a text; nil, which keeps nothing, for one that is so short
// that there is nothing to gain.
func internerFor(text string) *interner {
	const short = 4 << 10 // octets
	if len(text) < short {
		return nil
	}
	return newInterner()
}

func newInterner() *interner { return &interner{seed: maphash.MakeSeed()} }

// take returns a string equal to s that does not share the memory of s.
func (in *interner) take(s string) string {
	if in == nil {
		return strings.Clone(s)
	}
	slot := &in.slots[maphash.String(in.seed, s)%uint64(len(in.slots))]
	if *slot != s {
		*slot = strings.Clone(s)
	}
	return *slot
}
