package plantdoc

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"busbar/internal/plant"
)

// YAML returns a plant file for people: the keys in the order of the documentation, each
// object as a block with its id in a line of its own, and what is in it in braces. [Parse]
// makes the same objects of it. It fails if a key is longer than 500 octets.
func YAML(objs []Object) ([]byte, error) {
	w := yamlWriter{order: NewOrder()}
	section := ""
	problems := plant.Entries("plant.json", JSON(objs), func() {
		w.out.Reset()
		w.out.WriteString("version: 1\n")
		section = ""
	}, func(in string, f *plant.Field) {
		if in != section {
			section = in
			w.out.WriteString(section + ":\n")
		}
		w.object(f)
	})
	if len(problems) > 0 {
		return nil, fmt.Errorf("writing YAML: %w", problems)
	}
	return w.out.Bytes(), w.err
}

// Inline returns a value as YAML in one line, with braces and brackets.
func Inline(n *plant.Node) string {
	w := yamlWriter{order: NewOrder()}
	w.value(n)
	return w.out.String()
}

type yamlWriter struct {
	out   bytes.Buffer
	order *Order
	err   error
}

// object writes one entry of a section.
func (w *yamlWriter) object(f *plant.Field) {
	w.out.WriteString("  ")
	w.key(f.Key)
	if f.Value.Kind != plant.Map || len(f.Value.Fields) == 0 {
		w.out.WriteByte(' ')
		w.value(f.Value)
		w.out.WriteByte('\n')
		return
	}
	w.out.WriteByte('\n')
	for _, field := range w.order.fields(f.Value) {
		w.out.WriteString("    ")
		w.key(field.Key)
		if isListOfMaps(field.Value) {
			for _, item := range field.Value.Items {
				w.out.WriteString("\n      - ")
				w.value(item)
			}
		} else {
			w.out.WriteByte(' ')
			w.value(field.Value)
		}
		w.out.WriteByte('\n')
	}
}

func isListOfMaps(n *plant.Node) bool {
	for _, item := range n.Items {
		if item.Kind != plant.Map {
			return false
		}
	}
	return n.Kind == plant.List && len(n.Items) > 0
}

// value writes a value in the rest of a line.
func (w *yamlWriter) value(n *plant.Node) {
	switch n.Kind {
	case plant.Map:
		w.out.WriteByte('{')
		for i, f := range w.order.fields(n) {
			if i > 0 {
				w.out.WriteString(", ")
			}
			w.key(f.Key)
			w.out.WriteByte(' ')
			w.value(f.Value)
		}
		w.out.WriteByte('}')
	case plant.List:
		w.out.WriteByte('[')
		for i, item := range n.Items {
			if i > 0 {
				w.out.WriteString(", ")
			}
			w.value(item)
		}
		w.out.WriteByte(']')
	default:
		if n.Quoted {
			w.text(n.Text)
		} else {
			w.out.WriteString(n.Text) // a number, true, false or null, the same as in JSON
		}
	}
}

// key writes a key and its colon.
func (w *yamlWriter) key(key string) {
	if len(key) > longestKey && w.err == nil {
		w.err = fmt.Errorf("a key of %d octets is too long for YAML: %.60s…", len(key), key)
	}
	w.text(key)
	w.out.WriteByte(':')
}

// longestKey is how long a key may be to be one without further marks, in octets; YAML wants
// it to end within 1024 characters.
const longestKey = 500

// text writes a text, in quotes where it could be taken for anything else.
func (w *yamlWriter) text(s string) {
	if isPlain(s) {
		w.out.WriteString(s)
		return
	}
	w.out.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			w.out.WriteByte('\\')
			w.out.WriteRune(r)
		case r == '\n':
			w.out.WriteString(`\n`)
		case r == '\t':
			w.out.WriteString(`\t`)
		case r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r == 0xfeff || r == 0xfffe || r == 0xffff:
			fmt.Fprintf(&w.out, `\u%04X`, r)
		default:
			w.out.WriteRune(r)
		}
	}
	w.out.WriteByte('"')
}

// isPlain reports whether a text can be without quotes wherever it is: a duration, or what
// begins with a letter or a slash and has nothing that YAML reads as something else.
func isPlain(s string) bool {
	const longest = 1000
	if s == "" || len(s) > longest || s[len(s)-1] == ' ' || s[len(s)-1] == ':' {
		return false
	}
	switch strings.ToLower(s) {
	case "true", "false", "null", "yes", "no", "y", "n":
		return false
	}
	if '0' <= s[0] && s[0] <= '9' {
		return strings.Trim(s, "0123456789hms.") == "" && strings.IndexByte("hms", s[len(s)-1]) >= 0
	}
	if first, _ := utf8.DecodeRuneInString(s); !isWord(first) && first != '/' {
		return false
	}
	for i, r := range s {
		if !isWord(r) && !strings.ContainsRune(" ./+-_%()=<>*$;", r) && (r != ':' || s[i+1] == ' ') {
			return false
		}
	}
	return true
}

func isWord(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("äöüÄÖÜßéèàçµΩ°", r)
}
