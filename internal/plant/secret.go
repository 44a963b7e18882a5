package plant

import (
	"log/slog"
)

// Secret is text that must not be seen: a password or a key. Printing, logging
// and marshalling it give "***"; string(s) gives the text itself.
type Secret string

const hidden = "***"

// String returns "***", or nothing for an empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString hides the text from the verb %#v.
func (s Secret) GoString() string { return s.String() }

// LogValue implements [slog.LogValuer].
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText implements [encoding.TextMarshaler].
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
