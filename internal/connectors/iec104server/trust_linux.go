package iec104server

import (
	"fmt"
	"syscall"
)

// timeError is what adjtimex returns while the clock is not synchronised.
const timeError = 5

// knowsKernel tells that there is a kernel to ask.
const knowsKernel = true

// kernelClock reports whether the kernel takes the clock for synchronised, which
// ntpd, chronyd, timesyncd and ptp daemons tell it.
func kernelClock() (synchronised bool, err error) {
	var t syscall.Timex // nothing is to be changed
	state, err := syscall.Adjtimex(&t)
	if err != nil {
		return false, fmt.Errorf("asking the kernel: adjtimex: %w", err)
	}
	return state != timeError, nil
}
