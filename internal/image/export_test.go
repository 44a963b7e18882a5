package image

// SetSection sets the size of the sections of checkpoints, so that the image changes
// between them.
func (e *Embedded) SetSection(octets int) { e.sectionSize = octets }

// Checkpoint writes a checkpoint now.
func (e *Embedded) Checkpoint() error { return e.checkpoint() }
