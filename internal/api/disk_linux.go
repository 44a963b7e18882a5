package api

import "syscall"

// diskOf returns the file system that a directory is on; nil if it is not known.
func diskOf(dir string) *Disk {
	var s syscall.Statfs_t
	if dir == "" || syscall.Statfs(dir, &s) != nil {
		return nil
	}
	unit := uint64(s.Bsize)
	return &Disk{Size: s.Blocks * unit, Free: s.Bavail * unit}
}
