package iec104

import (
	"net/netip"
	"sync"
	"time"
)

// Causes of log lines beside the reasons.
const (
	connAccepted = reasons + iota
	acceptFailed
	notEncodable
	fileFailed
)

// quieter allows one log line per cause, address of a peer and minute.
type quieter struct {
	mu    sync.Mutex
	lines map[quietKey]quietLine
}

type quietKey struct {
	cause Reason
	peer  netip.Addr // not valid: all that have none, or that came too many
}

type quietLine struct {
	at      time.Time
	skipped int // since then
}

const (
	quietTime = time.Minute
	// maxQuiet bounds the lines that are remembered; further peers share one per cause.
	maxQuiet = 1024
)

// due reports whether a line may be logged now, and how many were left out
// since the one before.
func (q *quieter) due(cause Reason, peer netip.Addr) (skipped int, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	key := quietKey{cause, peer}
	line, known := q.lines[key]
	if !known && len(q.lines) >= maxQuiet {
		q.forget(now)
	}
	if !known && len(q.lines) >= maxQuiet {
		key.peer = netip.Addr{}
		line, known = q.lines[key]
	}
	if known && now.Sub(line.at) < quietTime {
		line.skipped++
		q.lines[key] = line
		return 0, false
	}
	if q.lines == nil {
		q.lines = make(map[quietKey]quietLine)
	}
	q.lines[key] = quietLine{at: now}
	return line.skipped, true
}

// forget gives up the lines that may be logged again.
func (q *quieter) forget(now time.Time) {
	for key, line := range q.lines {
		if now.Sub(line.at) >= quietTime {
			delete(q.lines, key)
		}
	}
}
