package app

import (
	"io"
	"log/slog"

	"busbar/internal/connector"
)

// Log is the log of the process; its level can change while it is in use.
type Log struct {
	*slog.Logger
	level *slog.LevelVar
}

// NewLog returns a log that writes to w. format is "json" or "text", level one
// of "trace" (below debug), "debug", "info", "warn" and "error".
func NewLog(w io.Writer, format, level string) *Log {
	l := &Log{level: new(slog.LevelVar)}
	l.SetLevel(level)
	o := &slog.HandlerOptions{Level: l.level, ReplaceAttr: nameTrace}
	if format == "json" {
		l.Logger = slog.New(slog.NewJSONHandler(w, o))
	} else {
		l.Logger = slog.New(slog.NewTextHandler(w, o))
	}
	return l
}

// SetLevel changes the level.
func (l *Log) SetLevel(level string) { l.level.Set(levelOf(level)) }

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
