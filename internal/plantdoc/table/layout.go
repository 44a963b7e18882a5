// Package table shows objects of a plant as tables, one row for each, and reads such tables: CSV
// and XLSX as spreadsheet programs write them. The columns are the keys of the plant file as
// paths, such as to[0].ca.
package table

import (
	"maps"
	"slices"
	"strings"

	"busbar/internal/plant"
	"busbar/internal/plantdoc"
)

// Columns beside those of the keys.
const (
	idColumn     = "id"
	deleteColumn = "delete"
)

// Layout knows the columns that tables of a section may have. It may be used by several goroutines.
type Layout struct {
	Section plantdoc.Section
	root    *branch
	aliases map[string]string // short name -> path
}

// NewLayout returns the layout of tables of a section, whose entries fit one of the schemas.
func NewLayout(section plantdoc.Section, schemas ...plant.Schema) *Layout {
	l := &Layout{Section: section, root: &branch{}, aliases: pointAliases()}
	if section == plantdoc.Commands {
		l.aliases = commandAliases()
	}
	for _, s := range schemas {
		l.root.add(s)
	}
	return l
}

// pointAliases are short names for the common case of one source and one target.
func pointAliases() map[string]string {
	return map[string]string{
		"source": "from.connector", "topic": "from.topic", "value": "from.value", "time": "from.time",
		"server": "to[0].connector", "ca": "to[0].ca", "ioa": "to[0].ioa", "as": "to[0].as",
	}
}

// commandAliases are short names for the common case of one requester.
func commandAliases() map[string]string {
	return map[string]string{
		"server": "from[0].connector", "ca": "from[0].ca", "ioa": "from[0].ioa", "as": "from[0].as", "mode": "from[0].mode",
		"executor": "to.connector", "topic": "to.topic", "payload": "to.payload",
	}
}

// form is how a cell is read.
type form uint8

const (
	anyForm  form = iota // a number, true, false, a list, a map, or else text
	textForm             // always text
	boolForm             // true or false
	listForm             // a list of anything but maps
	mapForm              // a map with any keys
)

// branch is a place in the entries of a section: a map with keys, a list of maps, or a cell.
type branch struct {
	keys  map[string]*branch // of a map
	order []string
	item  *branch // of a list of maps
	form  form
}

// add widens the branch by what fits a schema.
func (b *branch) add(s plant.Schema) {
	for _, word := range []string{"anyOf", "oneOf"} {
		if list, ok := s[word].([]plant.Schema); ok {
			for _, one := range list {
				b.add(one)
			}
			return
		}
	}
	if properties, ok := s["properties"].(plant.Schema); ok {
		order, _ := s["x-order"].([]string)
		for _, key := range order {
			b.key(key).add(properties[key].(plant.Schema))
		}
		return
	}
	if items, ok := s["items"].(plant.Schema); ok {
		item := &branch{}
		if b.item != nil {
			item = b.item
		}
		if item.add(items); item.keys != nil {
			b.item = item
			return
		}
	}
	if f := formOf(s); b.form == anyForm {
		b.form = f
	}
}

func (b *branch) key(key string) *branch {
	below, ok := b.keys[key]
	if !ok {
		if b.keys == nil {
			b.keys = make(map[string]*branch)
		}
		below = &branch{}
		b.keys[key] = below
		b.order = append(b.order, key)
	}
	return below
}

// address reports whether the cells of the column are addresses, which have no decimals: a comma in one is
// a fault, and not the dot of a structured address.
func (c column) address() bool {
	return strings.HasSuffix(c.path, ".ca") || strings.HasSuffix(c.path, ".ioa")
}

func formOf(s plant.Schema) form {
	types, _ := s["type"].([]string)
	switch {
	case s["type"] == "array":
		return listForm
	case s["additionalProperties"] != nil && s["additionalProperties"] != false:
		return mapForm
	case s["type"] == "boolean":
		return boolForm
	case s["type"] == "string" || slices.Contains(types, "string") && slices.Contains(types, "boolean"):
		return textForm
	default:
		return anyForm
	}
}

// column is one column of a table.
type column struct {
	path  string // canonical, such as to[0].ca; id; delete
	steps []step
	form  form
}

// step leads from a map or list to what is in it.
type step struct {
	key  string
	item int // index in a list, if not negative
}

// column returns the column with a name: a path, a short name, or either of them in other case.
func (l *Layout) column(name string) (column, bool) {
	name = strings.TrimSpace(name)
	if c, ok := l.named(name); ok {
		return c, true
	}
	if path, ok := l.aliases[strings.ToLower(name)]; ok {
		return l.named(path)
	}
	return l.named(l.recase(name))
}

// named returns the column with the given path.
func (l *Layout) named(path string) (column, bool) {
	if path == idColumn || path == deleteColumn {
		return column{path: path, form: textForm}, true
	}
	c := column{path: path, steps: steps(path)}
	b := l.root
	for _, s := range c.steps {
		switch {
		case b == nil:
		case s.item >= 0:
			b = b.item
		default:
			b = b.keys[s.key]
		}
	}
	if b == nil || len(c.steps) == 0 || b.keys != nil {
		return column{}, false
	}
	c.form = b.form
	if b.item != nil {
		c.form = listForm // an empty list
	}
	return c, true
}

// recase returns the path of the column whose name is the given one but for capitals; a
// list without index is its first item.
func (l *Layout) recase(name string) string {
	path, b := "", l.root
	for _, s := range steps(name) {
		if b.item != nil && s.item < 0 {
			path, b = plant.Item(path, 0), b.item
		}
		if s.item >= 0 {
			if b.item == nil {
				return ""
			}
			path, b = plant.Item(path, s.item), b.item
			continue
		}
		at := slices.IndexFunc(b.order, func(key string) bool { return strings.EqualFold(key, s.key) })
		if at < 0 {
			if strings.EqualFold(name, idColumn) || strings.EqualFold(name, deleteColumn) {
				return strings.ToLower(name)
			}
			return ""
		}
		path, b = plant.Key(path, b.order[at]), b.keys[b.order[at]]
	}
	return path
}

// names returns the names of the columns that a table may have, for one that it has not.
func (l *Layout) names() []string {
	names := append([]string{idColumn, deleteColumn}, slices.Sorted(maps.Keys(l.aliases))...)
	return l.root.names(names, "")
}

func (b *branch) names(names []string, path string) []string {
	switch {
	case b.item != nil:
		return b.item.names(names, plant.Item(path, 0))
	case b.keys == nil:
		return append(names, path)
	}
	for _, key := range b.order {
		names = b.keys[key].names(names, plant.Key(path, key))
	}
	return names
}

// maxItems is how many items of a list a table may have columns for.
const maxItems = 64

// steps splits a path; nil if it is none.
func steps(path string) []step {
	var list []step
	for part := range strings.SplitSeq(path, ".") {
		key, rest, indexed := strings.Cut(part, "[")
		if key == "" {
			return nil
		}
		list = append(list, step{key, -1})
		if !indexed {
			continue
		}
		digits, ok := strings.CutSuffix(rest, "]")
		n := 0
		for _, c := range []byte(digits) {
			if c < '0' || c > '9' || n >= maxItems {
				return nil
			}
			n = n*10 + int(c-'0')
		}
		if !ok || digits == "" || n >= maxItems || digits[0] == '0' && digits != "0" {
			return nil
		}
		list = append(list, step{"", n})
	}
	return list
}

// unknown is the message about a column that is not known.
func (l *Layout) unknown(name string) string {
	names := l.names()
	within := ""
	for _, path := range names {
		if strings.HasSuffix(path, "."+name) && (within == "" || len(path) < len(within)) {
			within = path
		}
	}
	if within != "" {
		return "unknown column; did you mean " + within + "?"
	}
	if s := plant.Suggest(name, names); s != "" {
		return "unknown column" + s
	}
	return "unknown column, want a key of the plant file as path, such as " + strings.Join(names[:min(len(names), 20)], ", ")
}
