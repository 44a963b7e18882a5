package table

import (
	"slices"

	"busbar/internal/plant"
	"busbar/internal/plantdoc"
)

// leaf is what one cell says of an object.
type leaf struct {
	path  string
	steps []step
	form  form
	text  string // as the cell shows it
	json  []byte // canonical
}

// leaves returns what the cells of an object say, in no order.
func (l *Layout) leaves(n *plant.Node) []leaf {
	w := walker{}
	w.walk("", nil, l.root, n)
	return w.leaves
}

type walker struct{ leaves []leaf }

func (w *walker) walk(path string, at []step, b *branch, n *plant.Node) {
	switch {
	case b != nil && b.keys != nil && n.Kind == plant.Map && len(n.Fields) > 0:
		for _, f := range n.Fields {
			w.walk(plant.Key(path, f.Key), append(slices.Clip(at), step{f.Key, -1}), b.keys[f.Key], f.Value)
		}
	case b != nil && b.item != nil && n.Kind == plant.List && len(n.Items) > 0:
		for i, item := range n.Items {
			w.walk(plant.Item(path, i), append(slices.Clip(at), step{"", i}), b.item, item)
		}
	default:
		f := anyForm
		if b != nil {
			f = b.form
		}
		w.leaves = append(w.leaves, leaf{path: path, steps: at, form: f, text: cellText(n, f), json: plantdoc.AppendNode(nil, n)})
	}
}

// tree is an object under construction.
type tree struct {
	json  []byte // of a leaf
	keys  map[string]*tree
	items map[int]*tree
}

// put adds a leaf; false if something else is in its way.
func (t *tree) put(at []step, json []byte) bool {
	for _, s := range at {
		if t.json != nil {
			return false
		}
		next := &tree{}
		if s.item >= 0 {
			if old, ok := t.items[s.item]; ok {
				next = old
			} else {
				if t.items == nil {
					t.items = make(map[int]*tree)
				}
				t.items[s.item] = next
			}
		} else if old, ok := t.keys[s.key]; ok {
			next = old
		} else {
			if t.keys == nil {
				t.keys = make(map[string]*tree)
			}
			t.keys[s.key] = next
		}
		t = next
	}
	if t.json != nil || t.keys != nil || t.items != nil {
		return false
	}
	t.json = json
	return true
}

// append appends canonical JSON. Items of lists move up where some before them are absent.
func (t *tree) append(dst []byte) []byte {
	switch {
	case t.json != nil:
		return append(dst, t.json...)
	case t.items != nil:
		dst = append(dst, '[')
		for i, n := range sortedKeys(t.items) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = t.items[n].append(dst)
		}
		return append(dst, ']')
	default:
		dst = append(dst, '{')
		for i, key := range sortedKeys(t.keys) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(plantdoc.AppendText(dst, key), ':')
			dst = t.keys[key].append(dst)
		}
		return append(dst, '}')
	}
}

func sortedKeys[K int | string, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
