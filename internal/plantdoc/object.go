// Package plantdoc holds a plant as a document of objects in JSON, as it is stored, exchanged and
// changed: connectors, points and commands, each with its id and the keys of the plant file. What they
// mean is up to package plant.
package plantdoc

import (
	"bytes"
	"cmp"
	"strings"
)

// Section is one of the maps of a plant file.
type Section string

// The sections of a plant.
const (
	Connectors Section = "connectors"
	Points     Section = "points"
	Commands   Section = "commands"
)

// Sections returns all sections in the order in which a plant file has them.
func Sections() []Section { return []Section{Connectors, Points, Commands} }

// Object is one entry of a section.
type Object struct {
	Section Section
	ID      string
	// Body is the value of the entry, canonical JSON: compact, the keys of every map
	// ascending, numbers as they were written.
	Body []byte
}

// Change is what happens to one object.
type Change struct {
	Section Section
	ID      string
	Before  []byte // canonical JSON; nil: the object is new
	After   []byte // canonical JSON; nil: the object is removed
}

// None reports whether nothing happens.
func (c Change) None() bool { return bytes.Equal(c.Before, c.After) }

// Compare orders objects by section, as a plant file has them, and by id.
func Compare(a, b Object) int {
	return cmp.Or(cmp.Compare(a.Section.rank(), b.Section.rank()), strings.Compare(a.ID, b.ID))
}

func (s Section) rank() int {
	for i, section := range Sections() {
		if s == section {
			return i
		}
	}
	return len(Sections())
}
