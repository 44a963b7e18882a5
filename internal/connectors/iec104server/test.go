package iec104server

import (
	"context"
	"net"

	"busbar/internal/connector"
	"busbar/internal/tlsconf"
)

// test tries out whether the files are there and the address can be listened on, or
// the other side be reached.
func test(ctx context.Context, s Settings, t *connector.Test) {
	if s.TLS.Enabled() && !tlsconf.New(s.security(), s.use(), t.Log).TestFiles(t) {
		return
	}
	if s.Listen != "" {
		t.CanListen(ctx, s.Listen)
	}
	t.Each(ctx, s.Dial, func(ctx context.Context, addr string) {
		t.Step("TCP", func() (string, error) {
			if id := t.Dialled(ctx, addr); id != "" {
				return "connector " + id + " dials " + addr + " already, which is not disturbed", nil
			}
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
			if err != nil {
				return "", err
			}
			return conn.LocalAddr().String() + " to " + conn.RemoteAddr().String(), conn.Close()
		})
	})
}
