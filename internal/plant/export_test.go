package plant

// DecodeInParts is [Decode] with points in parts of the given size, in octets; 0
// is the tree of the whole file.
func DecodeInParts(name, text string, kinds Kinds, o Options, size int) (*Plant, Problems) {
	f := newFile(name, text, kinds, o)
	f.partSize = size
	return f.decode()
}

// DecodeLarge is [Decode] of a file that is too large for the tree of the whole file.
func DecodeLarge(name, text string, kinds Kinds) (*Plant, Problems) {
	f := newFile(name, text, kinds, Options{})
	f.maxWhole, f.partSize = 0, 1000
	return f.decode()
}

// PartWith parses a part of JSON into a tree of at most so many nodes.
func PartWith(most int, text string) Problems {
	_, problems := jsonPart(&arena{most: most}, part{text: text, line: 1, col: 1})
	return problems
}
