package journal

import "fmt"

// Damage is a place of a file where something was lost.
type Damage struct {
	File   string
	Offset int64 // octets
	Octets int64 // that were lost; 0 if the whole file is missing or useless
	// After and Before enclose the sequence numbers of the records that were
	// lost, both excluded. Zero where no records were lost or that is not known.
	After, Before uint64
	Reason        string
}

// Records returns how many records were lost at most, 0 if that is not known.
func (d Damage) Records() uint64 {
	if d.Before <= d.After {
		return 0
	}
	return d.Before - d.After - 1
}

// String says what was lost in the form file:offset: reason.
func (d Damage) String() string {
	return fmt.Sprintf("%s:%d: %s, %d octets", d.File, d.Offset, d.Reason, d.Octets)
}

// Recovery is what Open found, and what readers found since.
type Recovery struct {
	// Damage is what was durable and is lost. An operator should know.
	Damage []Damage
	// Torn is what a power cut or kill left of groups that were never acknowledged. It is
	// the normal end of a journal that was not closed.
	Torn []Damage
}

// Recovery returns what was found so far.
func (j *Journal) Recovery() Recovery {
	j.mu.Lock()
	defer j.mu.Unlock()
	return Recovery{
		Damage: append([]Damage(nil), j.recovery.Damage...),
		Torn:   append([]Damage(nil), j.recovery.Torn...),
	}
}

// damaged reports a damage, once for each place.
func (j *Journal) damaged(d Damage) {
	j.mu.Lock()
	for _, known := range j.recovery.Damage {
		if known.File == d.File && known.Offset == d.Offset {
			j.mu.Unlock()
			return
		}
	}
	j.recovery.Damage = append(j.recovery.Damage, d)
	j.mu.Unlock()
	j.log.Warn("journal damaged", "file", d.File, "offset", d.Offset, "octets", d.Octets,
		"after", d.After, "before", d.Before, "reason", d.Reason)
	if j.opts.Damaged != nil {
		j.opts.Damaged(d)
	}
}

// torn notes the rest of a group that was not acknowledged.
func (j *Journal) torn(d Damage) {
	j.mu.Lock()
	j.recovery.Torn = append(j.recovery.Torn, d)
	j.mu.Unlock()
	j.log.Info("journal was not closed, unacknowledged records dropped", "file", d.File, "offset", d.Offset, "octets", d.Octets)
}
