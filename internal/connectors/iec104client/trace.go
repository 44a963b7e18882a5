package iec104client

import (
	"context"
	"fmt"
	"log/slog"

	"busbar/iec104"
	"busbar/internal/connector"
)

// tracer logs every frame if the level is enabled; nil if it cannot be.
func tracer(log *slog.Logger) iec104.TraceFunc {
	ctx := context.Background()
	return func(conn uint64, sent bool, apdu []byte) {
		if !log.Enabled(ctx, connector.LevelTrace) {
			return
		}
		direction := "received"
		if sent {
			direction = "sent"
		}
		log.Log(ctx, connector.LevelTrace, "frame", "conn", conn, "direction", direction, "apdu", fmt.Sprintf("%x", apdu))
	}
}
