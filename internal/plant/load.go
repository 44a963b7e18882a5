package plant

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Limits of a plant file.
const (
	maxYAML      = 64 << 20  // octets; its syntax tree takes about 20 times as much memory for a moment
	maxJSON      = 512 << 20 // octets
	maxDepth     = 64        // levels of lists and maps
	maxExpansion = 4_000_000 // nodes that aliases stand for, all together
)

// Options say how a plant is decoded. The zero value is of use.
type Options struct {
	Secrets Secrets
}

// Load reads a plant file: JSON if its name ends in .json, otherwise YAML. It
// returns the plant, or every problem in order of position; a file that
// cannot be read is one problem without a position.
//
// YAML may have up to 64 MiB, JSON up to 512 MiB; both may be nested 64 levels
// deep. A file that refers to secrets must not be writable by everybody.
func Load(path string, kinds Kinds, o Options) (*Plant, Problems) {
	data, mode, err := readFile(path)
	if err != nil {
		return nil, Problems{{File: path, Text: unreadable(err)}}
	}
	d := newDecoding(path, kinds, o)
	d.exposed = mode.Perm()&0o002 != 0
	return d.decode(data)
}

// unreadable is the text of a problem without the path, which is in front of it.
func unreadable(err error) string {
	var of *fs.PathError
	if errors.As(err, &of) {
		return "cannot be read: " + of.Err.Error()
	}
	return err.Error()
}

// Decode is [Load] of a file that was read already; name stands for it in problems.
func Decode(name string, data []byte, kinds Kinds, o Options) (*Plant, Problems) {
	return newDecoding(name, kinds, o).decode(data)
}

func isJSON(name string) bool { return strings.EqualFold(filepath.Ext(name), ".json") }

func sizeLimit(name string) int64 {
	if isJSON(name) {
		return maxJSON
	}
	return maxYAML
}

func readFile(path string) (data []byte, mode fs.FileMode, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close() // only read
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	limit := sizeLimit(path)
	if info.Size() > limit {
		return nil, 0, tooLarge(limit)
	}
	data, err = io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, 0, err
	}
	return data, info.Mode(), nil
}

func tooLarge(limit int64) error {
	return fmt.Errorf("is larger than the limit of its format, want at most %d MiB", limit>>20)
}

// tree parses the file and reports whether there is a tree worth looking at.
func (d *decoding) tree(data []byte) (*Node, bool) {
	if limit := sizeLimit(d.name); int64(len(data)) > limit {
		d.problems = Problems{{Text: tooLarge(limit).Error()}}
		return nil, false
	}
	parse := yamlTree
	if isJSON(d.name) {
		parse = jsonTree
	}
	root, problems := parse(data)
	d.problems = problems
	return root, root != nil
}
