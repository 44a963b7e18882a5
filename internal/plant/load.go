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
	maxFile      = 512 << 20 // octets
	maxWholeYAML = 64 << 20  // octets, if it is not parsed in parts: the tree of the library is 20 times as large
	maxDepth     = 64        // levels of lists and maps
	maxNodes     = 8_000_000 // of a tree: a node takes 100 octets and more, and can be of 2 octets of text
	maxYAML      = 4_000_000 // commas and ends of lines of what the library of YAML parses at once
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
// A file may have up to 512 MiB and be nested 64 levels deep. YAML is limited to
// 64 MiB if its points are not a block map with each id at the beginning of a
// line, or if there are aliases in them. A file that refers to secrets must not
// be writable by everybody.
func Load(path string, kinds Kinds, o Options) (*Plant, Problems) {
	text, mode, err := readFile(path)
	if err != nil {
		return nil, Problems{{File: path, Text: unreadable(err)}}
	}
	f := newFile(path, text, kinds, o)
	f.exposed = mode.Perm()&0o002 != 0
	return f.decode()
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
	return newFile(name, string(data), kinds, o).decode()
}

func readFile(path string) (text string, mode fs.FileMode, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close() // only read
	info, err := f.Stat()
	if err != nil {
		return "", 0, err
	}
	if info.Size() > maxFile {
		return "", 0, errTooLarge
	}
	var b strings.Builder
	b.Grow(int(info.Size()))
	n, err := io.Copy(&b, io.LimitReader(f, maxFile+1))
	if err == nil && n > maxFile {
		err = errTooLarge
	}
	return b.String(), info.Mode(), err
}

var wantFewer = fmt.Sprintf("at most %d lists, maps and values", maxNodes)

var errTooLarge = fmt.Errorf("is larger than the limit, want at most %d MiB", maxFile>>20)

// file is a plant file that was read.
type file struct {
	name, text string
	exposed    bool // everybody may write it
	kinds      Kinds
	options    Options
	maxWhole   int // octets that it may have if it is not parsed in parts
	partSize   int // of the parts that points are parsed in, in octets; 0: they are not
}

func newFile(name, text string, kinds Kinds, o Options) *file {
	f := &file{name: name, text: text, kinds: kinds, options: o, maxWhole: maxWholeYAML, partSize: partSize}
	if f.isJSON() {
		f.maxWhole = maxFile
	}
	return f
}

func (f *file) isJSON() bool { return strings.EqualFold(filepath.Ext(f.name), ".json") }

// decode decodes the whole file.
func (f *file) decode() (*Plant, Problems) {
	var d *decoding
	problems := f.walk(func(next *decoding, o *outline) Problems {
		d = next
		return d.file(o)
	})
	if d == nil { // nothing was decoded
		d = newDecoding(f)
	}
	d.problems = problems
	return d.finish()
}

// walk calls work with the outline of the file, whose points are in parts. If that is
// not possible, or shows a fault of syntax, it does so with the tree of the whole file, which
// tells best what is wrong. It returns all problems that were found the last time.
func (f *file) walk(work func(*decoding, *outline) Problems) Problems {
	outlineOf, treeOf := yamlOutline, yamlTree
	if f.isJSON() {
		outlineOf, treeOf = jsonOutline, jsonTree
	}
	if len(f.text) > maxFile {
		return Problems{{Text: errTooLarge.Error()}}
	}
	whole := len(f.text) <= f.maxWhole
	if f.partSize > 0 {
		if o := outlineOf(f.text, f.partSize); o != nil {
			d := newDecoding(f)
			broken := work(d, o)
			if len(broken) == 0 || !whole {
				return append(d.problems, broken...)
			}
		}
	}
	if !whole {
		return Problems{{Text: fmt.Sprintf("is larger than %d MiB and its points cannot be read in parts, want each id in a line of its own "+
			"below the key points, at the same indentation, without tabs", f.maxWhole>>20)}}
	}
	root, problems := treeOf(f.text)
	if root == nil {
		return problems
	}
	d := newDecoding(f)
	d.problems = problems
	broken := work(d, &outline{root: root})
	return append(d.problems, broken...)
}
