package store

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"os"
	"testing"
)

// zipped returns data in gzip.
func zipped(data []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(data)
	_ = z.Close()
	return b.Bytes()
}

// readBackup reads a whole backup and returns how many rows it has.
func readBackup(data []byte) (rows int64, err error) {
	b, err := newBackupReader(bytes.NewReader(data))
	if err != nil {
		return 0, err
	}
	for {
		t, err := b.table()
		if t == nil || err != nil {
			return b.rows, err
		}
		for {
			row, err := b.next()
			if err != nil {
				return b.rows, err
			}
			if row == nil {
				break
			}
			if len(row) != len(t.Columns) {
				return b.rows, errors.New("a row has another width than its table")
			}
			for _, v := range row {
				switch v.(type) {
				case nil, bool, int64, float64, string, []byte:
				default:
					return b.rows, errors.New("a value is of no type that the databases take")
				}
			}
		}
	}
}

func FuzzBackup(f *testing.F) {
	for _, text := range []string{
		`{"busbarBackup":1,"schema":1}` + "\n" + `{"rows":0}` + "\n",
		`{"busbarBackup":1,"schema":1}` + "\n" + `{"table":"a","columns":["b","c"]}` + "\n" + `[1,{"octets":"AAE="}]` + "\n" + `[null,true]` + "\n" + `{"rows":2}` + "\n",
		`{"busbarBackup":1,"schema":1}` + "\n" + `{"table":"a","columns":[]}` + "\n" + `[]` + "\n" + `{"rows":1}` + "\n",
		`{"busbarBackup":1,"schema":1}` + "\n" + `{"table":"a","columns":["b"]}` + "\n" + `[1e400]` + "\n" + `{"rows":1}` + "\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		rows, err := readBackup(zipped(text))
		if err == nil && bytes.Count(text, []byte("\n")) < int(rows)+2 {
			t.Errorf("%d rows from %q", rows, text)
		}
		if err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNewer) {
			t.Errorf("%q gives %v, want %v", text, err, ErrDamaged)
		}
	})
}

func TestBackupOfAReleaseIsRead(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/schema1.backup")
	if err != nil {
		t.Fatal(err)
	}
	if rows, err := readBackup(data); err != nil || rows != 252 {
		t.Errorf("%d rows, %v, want 252", rows, err)
	}
}

func FuzzSnapshot(f *testing.F) {
	f.Add([]byte("\x06points\x01a\x02{}"))
	f.Add([]byte("\x06points\x01a\x7f{}"))
	f.Add(binary.AppendUvarint(nil, 1<<63))
	f.Fuzz(func(t *testing.T, raw []byte) {
		list, err := unpack(nil, zipped(raw))
		if err != nil {
			return
		}
		var again []byte
		for _, o := range list {
			for _, field := range []string{string(o.Section), o.ID, string(o.Body)} {
				again = append(binary.AppendUvarint(again, uint64(len(field))), field...)
			}
		}
		if second, err := unpack(nil, zipped(again)); err != nil || len(second) != len(list) {
			t.Errorf("%d objects, read again %d, %v", len(list), len(second), err)
		}
	})
}

func FuzzOpenSealed(f *testing.F) {
	var k keyring
	if err := k.init(bytes.Repeat([]byte{1}, KeySize), nil); err != nil {
		f.Fatal(err)
	}
	sealed, err := k.seal("place", "text")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add(sealed[:sealHead])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		text, err := k.open("place", data)
		if err == nil && text != "text" {
			t.Errorf("%x opens to %q", data, text)
		}
	})
}
