package mqttbroker

import (
	"context"

	"busbar/internal/connector"
	"busbar/internal/tlsconf"
)

// test tries out whether the files are there and the address can be listened on.
func test(ctx context.Context, s Settings, t *connector.Test) {
	if s.TLS.Enabled() && !tlsconf.New(s.TLS, clientUse(), t.Log).TestFiles(t) {
		return
	}
	t.CanListen(ctx, s.Listen)
}
