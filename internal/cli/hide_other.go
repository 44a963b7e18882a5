//go:build !linux

package cli

import (
	"errors"
	"os"
)

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	null, errNull := os.Stat(os.DevNull)
	return err == nil && errNull == nil && info.Mode()&os.ModeCharDevice != 0 && !os.SameFile(info, null)
}

func hideInput(*os.File) (restore func(), err error) {
	return nil, errors.ErrUnsupported
}
