package api

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"strings"
)

// Page is the part of a list that is asked for. Inputs of lists embed it.
type Page struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Most items of the answer"`
	Cursor string `query:"cursor" maxLength:"1024" doc:"Where the list goes on: next of the answer before, with the same filter and order"`
}

// list is a part of a list.
type list[T any] struct {
	Items []T    `json:"items" nullable:"false"`
	Next  string `json:"next,omitempty" doc:"Cursor of the following part; absent: this is the last one"`
}

// newList returns a part of a list. rows may hold one row more than the limit, which
// tells that the list goes on; key returns what the row before the following part is found by.
func newList[T any](p Page, view string, rows []T, key func(T) string) list[T] {
	l := list[T]{Items: rows}
	if l.Items == nil {
		l.Items = []T{}
	}
	if len(rows) > p.Limit {
		l.Items = rows[:p.Limit]
		l.Next = encodeCursor(view, key(l.Items[p.Limit-1]))
	}
	return l
}

// after returns the key that the part begins after, empty for the first part.
// view names the list, its filter and its order: a cursor is good for the same view only.
func (p Page) after(view string) (string, error) {
	if p.Cursor == "" {
		return "", nil
	}
	key, ok := decodeCursor(view, p.Cursor)
	if !ok {
		return "", invalid("the cursor is not one of this list", Fault{
			Location: "query.cursor", Message: "want the member next of the answer before, with the same filter and order", Value: p.Cursor,
		})
	}
	return key, nil
}

// viewOf joins what makes a list the same: its name, its filters and its order.
func viewOf(parts ...string) string { return strings.Join(parts, "\x00") }

const cursorVersion = 1

// encodeCursor makes a cursor: a version, a sum over view and key, and the key.
func encodeCursor(view, key string) string {
	b := binary.BigEndian.AppendUint32([]byte{cursorVersion}, cursorSum(view, key))
	return base64.RawURLEncoding.EncodeToString(append(b, key...))
}

func decodeCursor(view, cursor string) (key string, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(b) < 5 || b[0] != cursorVersion {
		return "", false
	}
	key = string(b[5:])
	return key, binary.BigEndian.Uint32(b[1:]) == cursorSum(view, key)
}

func cursorSum(view, key string) uint32 { return crc32.ChecksumIEEE([]byte(view + "\x00\x00" + key)) }
