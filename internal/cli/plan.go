package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"busbar/internal/plantdoc"
)

// planLines is how many changes of a plan are shown unless all are asked for.
const planLines = 100

// printPlan prints what a plan changes: + new, ~ changed and in which keys, - removed. Values are not
// shown, as they may be secrets. most is how many changes are shown.
func printPlan(w io.Writer, changes []plantdoc.Change, most int) {
	for i, c := range changes {
		if i == most {
			fmt.Fprintf(w, "… and %d more, --all shows them\n", len(changes)-most)
			break
		}
		fmt.Fprintln(w, planLine(c))
	}
	var added, changed, removed int
	for _, c := range changes {
		switch {
		case c.Before == nil:
			added++
		case c.After == nil:
			removed++
		default:
			changed++
		}
	}
	fmt.Fprintf(w, "%d new, %d changed, %d removed\n", added, changed, removed)
}

func planLine(c plantdoc.Change) string {
	what := string(c.Section) + "." + c.ID
	switch {
	case c.Before == nil:
		return "+ " + what
	case c.After == nil:
		return "- " + what
	default:
		return "~ " + what + ": " + strings.Join(differingKeys(c.Before, c.After), ", ")
	}
}

// differingKeys returns the paths of the keys in which two JSON documents differ.
func differingKeys(before, after []byte) []string {
	a, errA := tree(before)
	b, errB := tree(after)
	if errA != nil || errB != nil {
		return []string{"all"}
	}
	return differing(nil, "", a, b)
}

func tree(text []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}

// differing appends the paths below path in which two trees differ.
func differing(list []string, path string, a, b any) []string {
	if ma, ok := a.(map[string]any); ok {
		if mb, ok := b.(map[string]any); ok {
			return differingMaps(list, path, ma, mb)
		}
	}
	la, isA := a.([]any)
	lb, isB := b.([]any)
	switch {
	case isA && isB && len(la) == len(lb):
		for i := range la {
			list = differing(list, path+"["+strconv.Itoa(i)+"]", la[i], lb[i])
		}
		return list
	case reflect.DeepEqual(a, b):
		return list
	default:
		return append(list, path)
	}
}

func differingMaps(list []string, path string, a, b map[string]any) []string {
	keys := slices.Collect(maps.Keys(a))
	for key := range b {
		if _, both := a[key]; !both {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		below := strings.TrimPrefix(path+"."+key, ".")
		va, inA := a[key]
		vb, inB := b[key]
		if inA != inB {
			list = append(list, below)
			continue
		}
		list = differing(list, below, va, vb)
	}
	return list
}
