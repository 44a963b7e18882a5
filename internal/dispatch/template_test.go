package dispatch

import (
	"strings"
	"testing"
)

func TestTemplatesAreWrittenAsTheyShould(t *testing.T) {
	t.Parallel()
	fields := struct {
		Name  string
		Value any
		List  []string
	}{"a\"b", 1.5, []string{"x", "y"}}
	for text, want := range map[string]string{
		`{{.Name}}`:                             `a"b`,
		`{{json .Name}} {{json .List}}`:         `"a\"b" ["x","y"]`,
		`{{printf "%08.3f|%-5s|" .Value "ab"}}`: `0001.500|ab   |`,
		`{{print .Value "x"}}`:                  `1.5x`,
		`{{html "<"}}{{urlquery "a b"}}`:        `&lt;a+b`,
		`{{if eq .Value 1.5}}y{{else}}n{{end}}`: `y`,
		`{{index .List 1}}`:                     `y`,
	} {
		tmpl, err := NewTemplate(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := tmpl.Execute(fields, 1000); err != nil || string(got) != want {
			t.Errorf("%s yields %q, %v, want %q", text, got, err, want)
		}
	}
}

func TestTemplatesCannotGrowWithoutBound(t *testing.T) {
	t.Parallel()
	double := func(first, next string) string {
		text := first
		for range 40 {
			text += next
		}
		return text + `{{len $a}}`
	}
	for name, text := range map[string]string{
		"wide":                `{{len (printf "%01000000d" 1)}}`,
		"width of argument":   `{{len (printf "%*d" 1000000 1)}}`,
		"precision":           `{{len (printf "%.1000000f" 1.5)}}`,
		"printf doubled":      double(`{{$a := "0123456789"}}`, `{{$a = printf "%s%s" $a $a}}`),
		"print doubled":       double(`{{$a := "0123456789"}}`, `{{$a = print $a $a}}`),
		"html again":          double(`{{$a := "&&&&&&&&&&"}}`, `{{$a = html $a $a}}`),
		"query again":         double(`{{$a := "//////////"}}`, `{{$a = urlquery $a $a}}`),
		"json again":          double(`{{$a := "\"\"\"\"\"\"\"\"\"\""}}`, `{{$a = json $a}}`),
		"many wide formats":   `{{len (printf "` + strings.Repeat("%0999d", 200) + `" 1)}}`,
		"more than it may be": strings.Repeat("x", 2000),
	} {
		tmpl, err := NewTemplate(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, err := tmpl.Execute(struct{}{}, 1000); err == nil {
			t.Errorf("%s yields %d octets, want an error", name, len(got))
		} else if !strings.Contains(err.Error(), "KiB") && !strings.Contains(err.Error(), "too wide") {
			t.Errorf("%s: %v, want what is too long", name, err)
		}
	}
}
