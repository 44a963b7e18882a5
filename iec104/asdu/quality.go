package asdu

// Quality is a set of quality descriptor bits; zero is good. The bits have the
// places of the quality descriptor QDS and QDP; the two bits of a binary
// counter reading take places that those leave free. Bits for which a type has
// no place are not sent.
type Quality uint8

// The bits of Quality.
const (
	OV Quality = 1 << 0 // overflow: the value is beyond its range and saturated
	CY Quality = 1 << 1 // carry: the counter overflowed in the period
	CA Quality = 1 << 2 // the counter was adjusted since the last reading
	EI Quality = 1 << 3 // the elapsed time is not usable
	BL Quality = 1 << 4 // blocked: transmission blocked, value frozen
	SB Quality = 1 << 5 // substituted: entered by an operator
	NT Quality = 1 << 6 // not topical: the last update failed or is old
	IV Quality = 1 << 7 // invalid: the value is not to be used
)

// The bits that each descriptor has.
const (
	maskState = BL | SB | NT | IV // in SIQ and DIQ
	maskQDS   = maskState | OV
	maskQDP   = maskState | EI
)

// qualityWords are in the order in which they are printed.
var qualityWords = [...]struct {
	bit  Quality
	word string
}{
	{IV, "invalid"},
	{NT, "not-topical"},
	{SB, "substituted"},
	{BL, "blocked"},
	{OV, "overflow"},
	{EI, "elapsed-time-invalid"},
	{CY, "carry"},
	{CA, "adjusted"},
}
