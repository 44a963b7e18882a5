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

func newInterner() *interner { return &interner{seed: maphash.MakeSeed()} }

// take returns a string equal to s that does not share the memory of s.
func (in *interner) take(s string) string {
	slot := &in.slots[maphash.String(in.seed, s)%uint64(len(in.slots))]
	if *slot != s {
		*slot = strings.Clone(s)
	}
	return *slot
}
