package app

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"busbar/internal/connector"
)

func TestLogFormats(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, format, level, want string }{
		{"text", "text", "trace", "level=TRACE msg=frame n=1\n"},
		{"json", "json", "trace", `"level":"TRACE","msg":"frame","n":1}` + "\n"},
		{"trace is below debug", "text", "debug", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			l := NewLog(&out, tt.format, tt.level)
			l.Log(t.Context(), connector.LevelTrace, "frame", "n", 1)
			l.Close()
			if got := out.String(); !strings.HasSuffix(got, tt.want) || (got == "") != (tt.want == "") {
				t.Errorf("line %q, want %q", got, tt.want)
			}
		})
	}
}

// flood logs until lines are left out, and returns how many were.
func flood(l *Log) uint64 {
	text := strings.Repeat("x", 1000)
	for range 2 * logRoom / len(text) {
		l.Info("frame", "apdu", text)
	}
	return l.Dropped()
}

func TestLogThatNobodyReadsStopsNothing(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"text", "json"} {
		synctest.Test(t, func(t *testing.T) {
			reader, pipe := io.Pipe()
			l := NewLog(pipe, format, "info")
			l.Info("first")
			synctest.Wait() // it is being written
			dropped := flood(l)
			if dropped == 0 || dropped > 2*logRoom/1000 {
				t.Errorf("%d lines left out, want some", dropped)
			}
			l.With("connector", "scada").Error("urgent")
			var text string
			read := make(chan error, 1)
			go func() {
				b, err := io.ReadAll(reader)
				text = string(b)
				read <- err
			}()
			synctest.Wait()
			l.Info("last")
			l.Close()
			if err := pipe.Close(); err != nil {
				t.Fatal(err)
			}
			if err := <-read; err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
			note := fmt.Sprintf("lines=%d", dropped)
			if format == "json" {
				note = fmt.Sprintf(`"lines":%d}`, dropped)
			}
			n := len(lines)
			if n < 4 || !strings.Contains(lines[0], "first") || !strings.Contains(lines[n-3], "urgent") ||
				!strings.Contains(lines[n-2], note) || !strings.Contains(lines[n-1], "last") {
				t.Errorf("%d lines, the first %q, the last %.300q, want the urgent one, %q and the last", n, lines[0], lines[max(0, n-3):], note)
			}
			for _, line := range lines {
				if !strings.HasPrefix(line, "time=") && !strings.HasPrefix(line, `{"time":`) {
					t.Fatalf("line %.100q is not whole", line)
				}
			}
		})
	}
}

func TestEndDoesNotWaitForWhoDoesNotReadTheLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reader, pipe := io.Pipe()
		l := NewLog(pipe, "text", "info")
		l.Info("unread")
		begun := time.Now()
		l.Close()
		if d := time.Since(begun); d != logFlush {
			t.Errorf("ended after %v, want %v", d, logFlush)
		}
		if err := reader.Close(); err != nil { // lets the goroutine end
			t.Error(err)
		}
	})
}

// full fails to write until there is room.
type full struct {
	bytes.Buffer
	room bool
}

func (f *full) Write(p []byte) (int, error) {
	if !f.room {
		return 0, errors.New("no space left on device")
	}
	return f.Buffer.Write(p)
}

func TestLinesThatCannotBeWrittenAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out full
		l := NewLog(&out, "text", "info")
		for range 3 {
			l.Info("lost")
			synctest.Wait()
		}
		out.room = true
		l.Info("kept")
		l.Close()
		if got := out.String(); l.Dropped() != 3 || strings.Contains(got, "lost") || !strings.Contains(got, "kept") || !strings.Contains(got, "lines=3") {
			t.Errorf("%d lines counted, log %q, want 3 lost ones told of", l.Dropped(), got)
		}
	})
}
