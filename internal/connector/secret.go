package connector

import (
	"reflect"
	"strings"

	"busbar/internal/plant"
)

// Secret is a password or key in the settings of a kind. Printing, logging and
// marshalling it give "***"; string(s) gives the text itself.
type Secret = plant.Secret

// AnyKey stands in a path of [Registry.SecretKeys] for every key of a map, and every item of a list.
const AnyKey = "*"

// SecretKeys returns the paths of the settings of a kind that hold a [Secret], such as
// "password" or "users", "*". They are in the order of the fields; nil if there is no such kind.
func (r *Registry) SecretKeys(kind string) [][]string {
	k, ok := r.kinds[kind]
	if !ok {
		return nil
	}
	return k.spec.keys(func(t reflect.Type, _ reflect.StructTag) bool { return t == reflect.TypeFor[Secret]() })
}

// FileKeys returns the paths of the settings of a kind that name files or directories of this
// machine, which have the tag `file:"true"`, as SecretKeys does.
func (r *Registry) FileKeys(kind string) [][]string {
	k, ok := r.kinds[kind]
	if !ok {
		return nil
	}
	return k.spec.keys(func(t reflect.Type, tag reflect.StructTag) bool {
		return t.Kind() == reflect.String && tag.Get("file") == "true"
	})
}

func (*erased[S, F, T]) keys(wanted func(reflect.Type, reflect.StructTag) bool) [][]string {
	return keysOf(reflect.TypeFor[S](), "", nil, wanted)
}

// keysOf returns the paths of what is wanted in t, which lies at path in a field with a tag. Types do
// not contain themselves: their decoders refuse it.
func keysOf(t reflect.Type, tag reflect.StructTag, path []string, wanted func(reflect.Type, reflect.StructTag) bool) (found [][]string) {
	if wanted(t, tag) {
		return [][]string{append([]string{}, path...)}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return keysOf(t.Elem(), tag, path, wanted)
	case reflect.Slice, reflect.Array, reflect.Map:
		return keysOf(t.Elem(), tag, append(path, AnyKey), wanted)
	case reflect.Struct:
		for f := range t.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			switch {
			case f.Anonymous && name == "":
				found = append(found, keysOf(f.Type, f.Tag, path, wanted)...)
			case name != "" && name != "-":
				found = append(found, keysOf(f.Type, f.Tag, append(path, name), wanted)...)
			}
		}
	}
	return found
}
