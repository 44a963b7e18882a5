package connector

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"syscall"
)

// Listen opens a TCP listener on host:port. Its error says in the operator's
// words why the address cannot be listened on.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, explainListen(address, err)
	}
	return l, nil
}

func explainListen(address string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("listen on %s: port already in use: %w", address, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("listen on %s: permission denied: %w", address, err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("listen on %s: this machine does not have the address: %w", address, err)
	default:
		return fmt.Errorf("listen on %s: %w", address, err)
	}
}
