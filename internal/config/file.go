package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// file is a file of settings, taken apart.
type file struct {
	name   string
	values map[string]value // by the name of the setting
	errs   []error
}

type value struct {
	text  string
	place string // file:line:column
}

// parse takes a file apart. Settings may be nested, as in "log: {level: debug}",
// or named with dots.
func parse(name string, data []byte) *file {
	f := &file{name: name, values: make(map[string]value)}
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		f.errs = append(f.errs, fmt.Errorf("%s: %w", name, err))
		return f
	}
	if len(root.Content) == 0 {
		return f // empty
	}
	if top := root.Content[0]; top.Kind == yaml.MappingNode {
		f.take("", top)
	} else if !isNull(top) {
		f.fault(top, "is no map, want settings such as data: /var/lib/busbar")
	}
	return f
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func (f *file) take(prefix string, n *yaml.Node) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, v := n.Content[i], n.Content[i+1]
		name := prefix + key.Value
		known := func(s setting) bool { return s.name == name }
		inside := func(s setting) bool { return strings.HasPrefix(s.name, name+".") }
		_, twice := f.values[name]
		switch {
		case slices.ContainsFunc(settings(), inside) && v.Kind == yaml.MappingNode:
			f.take(name+".", v)
		case !slices.ContainsFunc(settings(), known):
			f.fault(key, fmt.Sprintf("%s is not a setting, want one of %s", name, strings.Join(names(), ", ")))
		case v.Kind != yaml.ScalarNode || isNull(v):
			f.fault(v, name+" is no text, want one value")
		case twice:
			f.fault(key, name+" is there twice, want it once")
		default:
			f.values[name] = value{text: v.Value, place: f.place(v)}
		}
	}
}

func names() []string {
	var list []string
	for _, s := range settings() {
		list = append(list, s.name)
	}
	return list
}

func (f *file) place(n *yaml.Node) string { return fmt.Sprintf("%s:%d:%d", f.name, n.Line, n.Column) }

func (f *file) fault(n *yaml.Node, text string) {
	f.errs = append(f.errs, errors.New(f.place(n)+": "+text))
}
