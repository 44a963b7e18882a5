package iec104

import (
	"fmt"
	"testing"
)

// fileSizes are the sizes that every transfer is done with: none, one, a full segment,
// a full section, and many.
func fileSizes() []int { return []int{0, 1, 235, 236, 237, 65535, 65536, 1_000_000} }

func TestFilesBothWays(t *testing.T) {
	t.Parallel()
	for _, size := range fileSizes() {
		inBubble(t, fmt.Sprintf("%d octets", size), func(t *testing.T) {
			f := newFilePair(t, Params{}, ServerConfig{})
			f.files.files[file1] = content(size)
			f.read(file1)
			f.write(FileID{CA: 1, IOA: 30001, Name: 2}, content(size))
			f.read(FileID{CA: 1, IOA: 30001, Name: 2})
			f.idle()
		})
	}
}
