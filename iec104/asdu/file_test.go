package asdu_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/iec104/asdu"
)

func TestFileViews(t *testing.T) {
	t.Parallel()
	parse := func(v any, ok bool) any {
		if !ok {
			return "not parsed"
		}
		return v
	}
	tests := []struct {
		name, hex string
		parse     func([]byte) any
		want      interface{ Append([]byte) []byte }
	}{
		{"file ready", "02 01 70 11 01 85", func(b []byte) any { v, ok := asdu.ParseFileReady(b); return parse(v, ok) },
			asdu.FileReady{Name: 0x0102, Length: 70000, Qualifier: 5, Negative: true}},
		{"section ready", "02 01 03 70 11 01 81", func(b []byte) any { v, ok := asdu.ParseSectionReady(b); return parse(v, ok) },
			asdu.SectionReady{Name: 0x0102, Section: 3, Length: 70000, Qualifier: 1, NotReady: true}},
		{"call or acknowledge", "02 01 03 24", func(b []byte) any { v, ok := asdu.ParseFileAction(b); return parse(v, ok) },
			asdu.FileAction{Name: 0x0102, Section: 3, Action: 4, Error: 2}},
		{"last section", "02 01 03 04 ff", func(b []byte) any { v, ok := asdu.ParseLastSection(b); return parse(v, ok) },
			asdu.LastSection{Name: 0x0102, Section: 3, Qualifier: 4, Checksum: 255}},
		{"segment", "02 01 03 02 aa bb", func(b []byte) any { v, ok := asdu.ParseSegment(b); return parse(v, ok) },
			asdu.Segment{Name: 0x0102, Section: 3, Content: []byte{0xAA, 0xBB}}},
		{"directory entry", "02 01 70 11 01 a7", func(b []byte) any { v, ok := asdu.ParseDirectoryEntry(b); return parse(v, ok) },
			asdu.DirectoryEntry{Name: 0x0102, Length: 70000, Status: 7, Last: true, Transferred: true}},
		{"log query", "03 00 00 00 00 80 4e 07 1a f3 69 2d 8d 4e 07 1a", func(b []byte) any { v, ok := asdu.ParseLogQuery(b); return parse(v, ok) },
			asdu.LogQuery{
				Name: 3, From: asdu.Clock{Year: 26, Month: 7, Day: 14, Weekday: 2, Summer: true}.Time(), To: timeV043,
			}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := octets(t, tt.hex)
			if diff := cmp.Diff(tt.parse(b), any(tt.want)); diff != "" {
				t.Errorf("parsed (-got +want):\n%s", diff)
			}
			if got := tt.want.Append([]byte{1}); !bytes.Equal(got[1:], b) {
				t.Errorf("appended %x, want %x", got[1:], b)
			}
			for n := range b {
				if got := tt.parse(b[:n]); got != "not parsed" {
					t.Errorf("%d octets are parsed: %+v", n, got)
				}
			}
			if got := tt.parse(append(bytes.Clone(b), 0)); got != "not parsed" {
				t.Errorf("%d octets are parsed: %+v", len(b)+1, got)
			}
		})
	}
}

func TestSegmentIsCutAt255(t *testing.T) {
	t.Parallel()
	b := asdu.Segment{Content: make([]byte, 300)}.Append(nil)
	if f, ok := asdu.ParseSegment(b); !ok || len(f.Content) != 255 {
		t.Errorf("%d octets, %v, want 255", len(f.Content), ok)
	}
}
