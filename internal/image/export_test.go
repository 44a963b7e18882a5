package image

// SetSection sets the size of the sections of checkpoints, so that the image changes
// between them.
func (e *Embedded) SetSection(octets int) { e.sectionSize = octets }

// Checkpoint writes a checkpoint now.
func (e *Embedded) Checkpoint() error { return e.checkpoint() }

// Abandon closes the image and writes nothing more of it.
func (e *Embedded) Abandon() {
	e.Memory.Close()
	close(e.stop)
	e.tasks.Wait()
	_ = e.keeper.journal.Close()
}

// Trim removes from the journal what nobody needs any more, now.
func (e *Embedded) Trim() { e.trim() }
