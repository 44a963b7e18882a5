package point

import "strings"

// Quality is a set of quality descriptor bits; zero is good. The bits have the
// places of the quality descriptor of IEC 60870-5-101, with the two bits of a
// binary counter reading in places the descriptor leaves free.
type Quality uint8

// The bits of Quality.
const (
	Overflow       Quality = 1 << 0 // OV: the value is beyond its range
	Carry          Quality = 1 << 1 // CY: the counter overflowed in the period
	Adjusted       Quality = 1 << 2 // CA: the counter was adjusted since last read
	ElapsedInvalid Quality = 1 << 3 // EI: the elapsed time is not usable
	Blocked        Quality = 1 << 4 // BL: frozen by the operator
	Substituted    Quality = 1 << 5 // SB: entered by the operator
	NotTopical     Quality = 1 << 6 // NT: the last update failed or is old
	Invalid        Quality = 1 << 7 // IV: the value is not to be used
)

// qualityWords are in the order in which they are printed.
var qualityWords = [...]struct {
	bit  Quality
	word string
}{
	{Invalid, "invalid"},
	{NotTopical, "not-topical"},
	{Substituted, "substituted"},
	{Blocked, "blocked"},
	{Overflow, "overflow"},
	{ElapsedInvalid, "elapsed-time-invalid"},
	{Carry, "carry"},
	{Adjusted, "adjusted"},
}

// Good reports whether no bit is set.
func (q Quality) Good() bool { return q == 0 }

// Words returns the words of the bits that are set; good is an empty slice.
func (q Quality) Words() []string {
	words := []string{}
	for _, w := range qualityWords {
		if q&w.bit != 0 {
			words = append(words, w.word)
		}
	}
	return words
}

// String returns the words joined by commas, or "good".
func (q Quality) String() string {
	if q == 0 {
		return "good"
	}
	return strings.Join(q.Words(), ",")
}

// ParseQuality returns the bit with the given word. "good" is the empty set.
func ParseQuality(word string) (Quality, bool) {
	if word == "good" {
		return 0, true
	}
	for _, w := range qualityWords {
		if w.word == word {
			return w.bit, true
		}
	}
	return 0, false
}
