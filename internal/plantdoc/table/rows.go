package table

import (
	"slices"

	"busbar/internal/plant"
	"busbar/internal/plantdoc"
)

// rows calls write for the names of the columns and then for each object, in order of id. What it gets is
// valid until it returns.
func (l *Layout) rows(objs []plantdoc.Object, write func(cells []leaf) error) error {
	objs = slices.DeleteFunc(slices.Clone(objs), func(o plantdoc.Object) bool { return o.Section != l.Section })
	columns, err := l.used(objs)
	if err != nil {
		return err
	}
	cells := make([]leaf, len(columns))
	at := make(map[string]int, len(columns))
	for i, path := range columns {
		at[path] = i
		cells[i] = leaf{text: path, form: textForm}
	}
	if err := write(cells); err != nil {
		return err
	}
	return l.each(objs, func(id string, leaves []leaf) error {
		clear(cells)
		cells[0] = leaf{text: guard(id, textForm), form: textForm}
		for _, leaf := range leaves {
			cells[at[leaf.path]] = leaf
		}
		return write(cells)
	})
}

// each calls do for what the cells of each object say. It stops at the first error.
func (l *Layout) each(objs []plantdoc.Object, do func(id string, leaves []leaf) error) error {
	var failed error
	problems := plant.Entries("plant.json", plantdoc.JSON(objs), func() {}, func(_ string, f *plant.Field) {
		if failed == nil {
			failed = do(f.Key, l.leaves(f.Value))
		}
	})
	if len(problems) > 0 {
		return problems
	}
	return failed
}

// used returns the paths of the columns that objects need, in the order of the
// documentation, that of the id first.
func (l *Layout) used(objs []plantdoc.Object) ([]string, error) {
	seen := make(map[string][]step)
	err := l.each(objs, func(_ string, leaves []leaf) error {
		for _, leaf := range leaves {
			if _, ok := seen[leaf.path]; !ok {
				seen[leaf.path] = leaf.steps
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	order := plantdoc.NewOrder()
	paths := sortedKeys(seen)
	slices.SortStableFunc(paths, func(a, b string) int { return compareSteps(order, seen[a], seen[b]) })
	return append([]string{idColumn}, paths...), nil
}

func compareSteps(order *plantdoc.Order, a, b []step) int {
	return slices.CompareFunc(a, b, func(a, b step) int {
		if a.item >= 0 || b.item >= 0 {
			return a.item - b.item
		}
		return order.Compare(a.key, b.key)
	})
}
