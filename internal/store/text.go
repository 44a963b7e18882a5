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
	if len(list) == 0 {
		return nil, nil
	}
	return list, nil
}

// newID returns a UUID of version 7: random, but later ones sort after earlier
// ones, as it begins with the time, to a part of 4096 of a millisecond.
func newID() (string, error) {
	var id [16]byte
	if _, err := rand.Read(id[8:]); err != nil {
		return "", err
	}
	t := time.Now()
	part := uint64(t.Nanosecond()%1e6) << 12 / 1e6
	binary.BigEndian.PutUint64(id[:8], uint64(t.UnixMilli())<<16|7<<12|part)
	id[8] = id[8]&0x3f | 0x80
	text := hex.EncodeToString(id[:])
	return strings.Join([]string{text[:8], text[8:12], text[12:16], text[16:20], text[20:]}, "-"), nil
}
