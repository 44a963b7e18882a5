package plant

// Entries reads the syntax of a plant file, JSON if the name ends in .json, otherwise YAML,
// and calls entry for what is in the maps connectors, points and commands, in that order and
// within a map in order of the file. The field is valid until entry returns. Entries calls
// restart, and then entry from the beginning again, where it has to read the file in another
// way. It returns what is wrong with the syntax and with the keys of the outermost map; then
// what entry got is void. Points are read in parts, as by [Decode]: an id that occurs in two
// of them comes twice.
func Entries(name string, data []byte, restart func(), entry func(section string, f *Field)) Problems {
	f := newFile(name, string(data), nil, Options{})
	problems := f.walk(func(d *decoding, o *outline) Problems {
		restart()
		return d.entries(o, entry)
	})
	for i := range problems {
		problems[i].File = name
	}
	problems.sort()
	return problems
}

// entries hands on the entries of all maps. It returns faults of syntax.
func (d *decoding) entries(o *outline, entry func(section string, f *Field)) Problems {
	if err := d.structs.plan(); err != nil {
		return Problems{{Text: err.Error()}}
	}
	if !d.outermost(o.root) {
		return nil
	}
	for _, section := range []string{"connectors", "points", "commands"} {
		f := o.root.field(section)
		if f == nil {
			continue
		}
		hand := func(f *Field) { entry(section, f) }
		if section != "points" || len(o.parts) == 0 {
			d.each(f, hand)
		} else if broken := o.each(hand); len(broken) > 0 {
			return broken
		}
	}
	return nil
}

// Tree returns the syntax tree of a document, JSON if the name ends in .json, otherwise
// YAML, or what is wrong with its syntax.
func Tree(name string, data []byte) (*Node, Problems) {
	f := newFile(name, string(data), nil, Options{})
	treeOf := yamlTree
	if f.isJSON() {
		treeOf = jsonTree
	}
	if len(f.text) > f.maxWhole {
		return nil, Problems{{File: name, Text: errTooLarge.Error()}}
	}
	root, problems := treeOf(f.text)
	for i := range problems {
		problems[i].File = name
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return root, nil
}

// IsNumber reports whether a scalar is a number of JSON and not in quotes. Whatever else is
// not in quotes is true, false, null or text.
func (n *Node) IsNumber() bool { return n.Kind == Scalar && !n.Quoted && isNumber(n.Text) }
