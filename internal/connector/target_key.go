package connector

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
)

// A target is known by a key that is the same in every process: in the high half
// its connector, in the low half its address there. It is never 0.

// keyOf returns the key of a target. end is of use where its kind has no addresses.
func keyOf(connector uint32, address uint64, end any) (uint64, error) {
	h := fnv.New32a()
	if end == nil {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], address)
		h.Write(b[:])
	} else if err := json.NewEncoder(h).Encode(end); err != nil {
		return 0, fmt.Errorf("no key for a target: %w", err)
	}
	return uint64(connector)<<32 | uint64(h.Sum32()), nil
}

// connectorKey returns the part of keys that tells the connector.
func connectorKey(id string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(id))
	return max(h.Sum32(), 1)
}

// sameConnector reports whether two keys are of targets of one connector.
func sameConnector(a, b uint64) bool { return a>>32 == b>>32 }
