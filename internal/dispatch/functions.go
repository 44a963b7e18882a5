package dispatch

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"text/template"
)

// maxPart is the most that a function of a template may yield, in octets, so that a
// text cannot be doubled again and again.
const maxPart = 64 << 10

var errPart = errors.New("yields more than 64 KiB")

// functions are the functions of a template: those of text/template, bounded, and json.
func functions() template.FuncMap {
	return template.FuncMap{
		"json":     asJSON,
		"print":    bounded(fmt.Sprint),
		"println":  bounded(fmt.Sprintln),
		"html":     bounded(template.HTMLEscaper),
		"js":       bounded(template.JSEscaper),
		"urlquery": bounded(template.URLQueryEscaper),
		"printf":   printf,
	}
}

// bounded is a function that takes and yields no more than maxPart.
func bounded(f func(...any) string) func(...any) (string, error) {
	return func(args ...any) (string, error) {
		size := 0
		for _, arg := range args {
			if s, ok := arg.(string); ok {
				size += len(s)
			}
			if size > maxPart {
				return "", errPart
			}
		}
		if s := f(args...); len(s) <= maxPart {
			return s, nil
		}
		return "", errPart
	}
}

// wide finds a width or precision of more than three digits, or one that is an argument.
var wide = regexp.MustCompile(`%[^a-zA-Z%]*(\d{4}|\*)`)

func printf(format string, args ...any) (string, error) {
	if len(format) > maxPart/64 || wide.MatchString(format) {
		return "", errors.New("has a format that is too long or too wide, want widths of up to 999")
	}
	return bounded(func(args ...any) string { return fmt.Sprintf(format, args...) })(args...)
}

func asJSON(v any) (string, error) {
	text, err := json.Marshal(v)
	if err == nil && len(text) > maxPart {
		err = errPart
	}
	return string(text), err
}
