package iec104

// Counters are the figures of one connection, or the sum over the connections
// of a server.
type Counters struct {
	ReceivedI, ReceivedS, ReceivedU uint64 // frames
	SentI, SentS, SentU             uint64
	ReceivedOctets, SentOctets      uint64 // of whole frames, without TCP and TLS
	Writes                          uint64 // calls that wrote to the connection
	SentEvents                      uint64 // information objects of events and background data
	ConfirmedEvents                 uint64 // events that the peer has acknowledged
	SentItems                       uint64 // information objects in answers to requests
	Requests                        uint64 // ASDUs received in control direction
	Mirrored                        uint64 // refusals with cause 44 … 47 sent
	MirrorsSuppressed               uint64 // those not sent because of their rate limit
	Ignored                         uint64 // frames and ASDUs without meaning in their state, such as a confirmation of nothing
	Tolerated                       uint64 // deviations accepted: reserved bits, SQ=1 with one object
	Discarded                       uint64 // controlling station: malformed ASDUs and unknown types dropped
	Unencodable                     uint64 // objects of the application that no ASDU can hold, skipped
}

// Add adds d to c.
func (c *Counters) Add(d Counters) {
	c.ReceivedI += d.ReceivedI
	c.ReceivedS += d.ReceivedS
	c.ReceivedU += d.ReceivedU
	c.SentI += d.SentI
	c.SentS += d.SentS
	c.SentU += d.SentU
	c.ReceivedOctets += d.ReceivedOctets
	c.SentOctets += d.SentOctets
	c.Writes += d.Writes
	c.SentEvents += d.SentEvents
	c.ConfirmedEvents += d.ConfirmedEvents
	c.SentItems += d.SentItems
	c.Requests += d.Requests
	c.Mirrored += d.Mirrored
	c.MirrorsSuppressed += d.MirrorsSuppressed
	c.Ignored += d.Ignored
	c.Tolerated += d.Tolerated
	c.Discarded += d.Discarded
	c.Unencodable += d.Unencodable
}
