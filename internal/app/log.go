package app

import (
	"bytes"
	"context"
	"io"
	"log/slog"

	"busbar/internal/connector"
)

// Log is the log of the process; its level can change while it is in use.
// Logging never waits for who reads the log: lines that do not fit into a buffer
// of 1 MiB are left out, counted and told of, warnings and errors last.
type Log struct {
	*slog.Logger
	level  *slog.LevelVar
	writer *logWriter
}

// NewLog returns a log that writes to w. format is "json" or "text", level one
// of "trace" (below debug), "debug", "info", "warn" and "error". Close ends it.
func NewLog(w io.Writer, format, level string) *Log {
	l := &Log{level: new(slog.LevelVar)}
	l.SetLevel(level)
	handler := func(w io.Writer) slog.Handler { return newHandler(w, format, l.level) }
	l.writer = newLogWriter(w, func(lines uint64) []byte {
		var b bytes.Buffer
		slog.New(newHandler(&b, format, nil)).Warn("log lines left out, nobody took them in time", "lines", lines)
		return b.Bytes()
	})
	l.Logger = slog.New(byUrgency{
		usual:  handler(logInput{l.writer, logRoom / 4 * 3}),
		urgent: handler(logInput{l.writer, logRoom}),
	})
	return l
}

// Close returns when everything logged is written, or after 1 s. What is logged
// later is lost.
func (l *Log) Close() { l.writer.close() }

// Dropped returns how many lines were left out so far.
func (l *Log) Dropped() uint64 { return l.writer.dropped.Load() }

func newHandler(w io.Writer, format string, level slog.Leveler) slog.Handler {
	o := &slog.HandlerOptions{Level: level, ReplaceAttr: nameTrace}
	if format == "json" {
		return slog.NewJSONHandler(w, o)
	}
	return slog.NewTextHandler(w, o)
}

// byUrgency hands warnings and errors to a handler of their own, so that they
// find room where other lines do not.
type byUrgency struct{ usual, urgent slog.Handler }

// Enabled implements [slog.Handler].
func (h byUrgency) Enabled(ctx context.Context, level slog.Level) bool {
	return h.urgent.Enabled(ctx, level)
}

// Handle implements [slog.Handler].
func (h byUrgency) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn {
		return h.urgent.Handle(ctx, r)
	}
	return h.usual.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h byUrgency) WithAttrs(attrs []slog.Attr) slog.Handler {
	return byUrgency{h.usual.WithAttrs(attrs), h.urgent.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (h byUrgency) WithGroup(name string) slog.Handler {
	return byUrgency{h.usual.WithGroup(name), h.urgent.WithGroup(name)}
}

// SetLevel changes the level.
func (l *Log) SetLevel(level string) { l.level.Set(levelOf(level)) }

// Level returns the name of the level.
func (l *Log) Level() string {
	for _, name := range []string{"trace", "debug", "info", "warn"} {
		if l.level.Level() <= levelOf(name) {
			return name
		}
	}
	return "error"
}

func levelOf(name string) slog.Level {
	switch name {
	case "trace":
		return connector.LevelTrace
	case "debug":
		return slog.LevelDebug
	case "warn":
		return slog.LevelWarn
	case "error":
		return slog.LevelError
	default:
		return slog.LevelInfo
	}
}

// nameTrace prints the level below debug by its name.
func nameTrace(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.LevelKey && a.Value.Any() == connector.LevelTrace {
		a.Value = slog.StringValue("TRACE")
	}
	return a
}
