//go:build !linux

package journal

func (f diskFile) Sync() error { return f.File.Sync() }

// Allocate does nothing: the system has no portable call for it.
func (f diskFile) Allocate(int64) error { return nil }
