package store

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// clean makes a text that came from outside fit for both databases: PostgreSQL
// takes neither octets that are no UTF-8 nor the character NUL.
func clean(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

// pack returns a list as it is kept.
func pack(list []string) string {
	if len(list) == 0 {
		return "[]"
	}
	text, err := json.Marshal(list)
	if err != nil {
		return "[]" // cannot be: strings always have a text
	}
	return string(text)
}

// unpackList returns a list that was kept.
func unpackList(text string) ([]string, error) {
	var list []string
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("%w: list %q: %w", ErrDamaged, text, err)
	}
	return list, nil
}

// newID returns a UUID of version 7: random, but later ones sort after earlier ones.
func newID() (string, error) {
	var id [16]byte
	if _, err := rand.Read(id[6:]); err != nil {
		return "", err
	}
	binary.BigEndian.PutUint64(id[:8], uint64(time.Now().UnixMilli())<<16|uint64(id[6])<<8|uint64(id[7]))
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	text := hex.EncodeToString(id[:])
	return strings.Join([]string{text[:8], text[8:12], text[12:16], text[16:20], text[20:]}, "-"), nil
}
