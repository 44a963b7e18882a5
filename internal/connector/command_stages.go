package connector

// CommandStage is what is known of an order at one stage of it: a line of the log of
// commands.
type CommandStage struct {
	Number uint64 // counts all stages from 1, from the start of the process on
	Record CommandRecord
}

// reach takes a stage of an order. The caller holds mu.
func (b *book) reach(r CommandRecord) {
	if len(b.stages) < RecordLength {
		b.stages = append(b.stages, r)
	} else {
		b.stages[b.stage%RecordLength] = r
	}
	b.stage++
	if b.more != nil {
		close(b.more)
		b.more = nil
	}
}

// after returns the stages after the one with a number.
func (b *book) after(number uint64) (stages []CommandStage, lost bool, more <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	oldest := b.stage - uint64(len(b.stages)) // the number before that of the oldest one
	if number < oldest || number > b.stage {
		lost, number = true, oldest
	}
	for ; number < b.stage; number++ {
		stages = append(stages, CommandStage{Number: number + 1, Record: b.stages[number%RecordLength]})
	}
	if b.more == nil {
		b.more = make(chan struct{})
	}
	return stages, lost, b.more
}

// CommandStages returns the stages that orders have reached after the one with the given number, oldest
// first. The newest 1000 are kept: if stages were lost, or the number is of a stage that is still
// to come, lost is set and all are returned that are kept. more is closed when there is a further one.
func (m *Manager) CommandStages(after uint64) (stages []CommandStage, lost bool, more <-chan struct{}) {
	return m.router.book.after(after)
}

// LastCommandStage returns the number of the newest stage, 0 if there is none yet.
func (m *Manager) LastCommandStage() uint64 {
	b := m.router.book
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stage
}
