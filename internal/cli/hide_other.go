//go:build !linux

package cli

import (
	"errors"
	"os"
)

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func hideInput(*os.File) (restore func(), err error) {
	return nil, errors.ErrUnsupported
}
