package app

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestLogKeepsItsLastLines(t *testing.T) {
	t.Parallel()
	log := NewLog(io.Discard, "text", "info")
	defer log.Close()
	for i := range tailLines + 10 {
		log.Info("line", "number", i)
	}
	log.Debug("not logged")
	log.Warn(strings.Repeat("x", 2*tailLine))
	var out strings.Builder
	if err := log.WriteTail(&out); err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != tailLines {
		t.Fatalf("%d lines, want %d", len(lines), tailLines)
	}
	for i, line := range lines[:tailLines-1] {
		if want := fmt.Sprintf("number=%d\n", i+11); !strings.HasSuffix(line, want) {
			t.Fatalf("line %d is %q, want it to end with %q", i, line, want)
		}
	}
	if last := lines[tailLines-1]; !strings.HasSuffix(last, "x …") || len(last) > tailLine+10 {
		t.Errorf("last line has %d octets and ends with %q, want it cut", len(last), last[len(last)-10:])
	}
}

func TestLogTellsItsLevel(t *testing.T) {
	t.Parallel()
	log := NewLog(io.Discard, "text", "info")
	defer log.Close()
	for _, level := range []string{"trace", "debug", "info", "warn", "error"} {
		log.SetLevel(level)
		if got := log.Level(); got != level {
			t.Errorf("level %q, want %q", got, level)
		}
	}
}
