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
	return k.spec.secrets()
}

func (*erased[S, F, T]) secrets() [][]string { return secretsOf(reflect.TypeFor[S](), nil) }

// secretsOf returns the paths of secrets in t, which lies at path. Types do not contain
// themselves: their decoders refuse it.
func secretsOf(t reflect.Type, path []string) (found [][]string) {
	if t == reflect.TypeFor[Secret]() {
		return [][]string{append([]string{}, path...)}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return secretsOf(t.Elem(), path)
	case reflect.Slice, reflect.Array, reflect.Map:
		return secretsOf(t.Elem(), append(path, AnyKey))
	case reflect.Struct:
		for f := range t.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			switch {
			case f.Anonymous && name == "":
				found = append(found, secretsOf(f.Type, path)...)
			case name != "" && name != "-":
				found = append(found, secretsOf(f.Type, append(path, name))...)
			}
		}
	}
	return found
}
