package apci

// Modulus is the number of sequence numbers: 32767 is followed by 0.
const Modulus = 1 << 15

// Seq is a send or receive sequence number, 0 … 32767.
type Seq uint16

// seqOf takes a sequence number from two octets of the control field, where it
// stands above the lowest bit.
func seqOf(lo, hi byte) Seq { return Seq(lo)>>1 | Seq(hi)<<7 }

// Next returns the number that follows s.
func (s Seq) Next() Seq { return (s + 1) % Modulus }

// Add returns the number n steps after s, before it for a negative n.
func (s Seq) Add(n int) Seq { return Seq(uint(int(s)+n) % Modulus) }

// Distance returns how many steps it takes from s forward to t, 0 … 32767.
func (s Seq) Distance(t Seq) int { return int((t - s) % Modulus) }

// Acknowledges reports whether s is a valid N(R) for a station that waits for
// the acknowledgement of ack and will send vs next: it lies in ack … vs. Equal
// to ack it acknowledges nothing new.
func (s Seq) Acknowledges(ack, vs Seq) bool { return ack.Distance(s) <= ack.Distance(vs) }
