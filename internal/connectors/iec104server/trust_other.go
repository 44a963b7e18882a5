//go:build !linux

package iec104server

import "errors"

// knowsKernel tells that there is no kernel to ask.
const knowsKernel = false

// kernelClock fails: only Linux tells.
func kernelClock() (synchronised bool, err error) {
	return false, errors.New("the kernel tells on Linux only")
}
