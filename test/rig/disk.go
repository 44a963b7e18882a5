package rig

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Disk is a small file system in memory that only the processes see that are started
// by Command, so that no privilege is needed to mount it.
type Disk struct {
	Dir string // where it is mounted

	tb     testing.TB
	holder *exec.Cmd // keeps the mount alive
	within string    // Dir as seen from the test
}

// NewDisk returns a disk of so many octets. It skips the test where the system does not let
// ordinary users have mounts of their own.
func NewDisk(tb testing.TB, size int) *Disk {
	tb.Helper()
	d := &Disk{tb: tb, Dir: tb.TempDir()}
	d.holder = exec.Command("unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
		`mount -t tmpfs -o "size=$1" tmpfs "$2" && echo mounted && exec cat`, "sh", fmt.Sprint(size), d.Dir)
	var refusal strings.Builder
	d.holder.Stderr = &refusal
	hold, err := d.holder.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := d.holder.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := d.holder.Start(); err != nil {
		tb.Skipf("no file system of a test's own: %v", err)
	}
	tb.Cleanup(func() {
		hold.Close()
		_ = d.holder.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		tb.Skipf("no file system of a test's own: %q, %v: %s", line, err, &refusal)
	}
	d.within = filepath.Join("/proc", fmt.Sprint(d.holder.Process.Pid), "root", d.Dir)
	return d
}

// Command returns the command line that runs another one where the disk is mounted.
func (d *Disk) Command(args ...string) []string {
	enter := []string{"nsenter", "--target", fmt.Sprint(d.holder.Process.Pid), "--user", "--mount", "--preserve-credentials"}
	return append(enter, args...)
}

// Fill writes a file until nothing more fits.
func (d *Disk) Fill() {
	d.tb.Helper()
	f, err := os.OpenFile(d.filler(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		d.tb.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 4096); ; {
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
			return
		} else if err != nil {
			d.tb.Fatal(err)
		}
	}
}

// Free removes what Fill has written.
func (d *Disk) Free() {
	d.tb.Helper()
	if err := os.Remove(d.filler()); err != nil {
		d.tb.Fatal(err)
	}
}

func (d *Disk) filler() string { return filepath.Join(d.within, "filler") }
