package connector

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
)

func TestReasonsInTheWordsOfTheOperator(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{syscall.EADDRINUSE, "listen on :2404: port already in use"},
		{syscall.EACCES, "listen on :2404: permission denied"},
		{syscall.EADDRNOTAVAIL, "listen on :2404: this machine does not have the address"},
		{syscall.EMFILE, "listen on :2404: listen: too many open files"},
	} {
		err := explainListen(":2404", &net.OpError{Op: "listen", Err: tt.err})
		if !strings.HasPrefix(err.Error(), tt.want) || !errors.Is(err, tt.err) {
			t.Errorf("%v, want %q", err, tt.want)
		}
	}
}
