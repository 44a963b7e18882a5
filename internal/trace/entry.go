package trace

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"busbar/iec104/apci"
	"busbar/iec104/asdu"
)

// Entry is one frame, decoded.
type Entry struct {
	ID        string            `json:"id" doc:"ascends on a link"`
	Time      time.Time         `json:"time" doc:"when it arrived or was handed to the network, to the nanosecond"`
	Link      string            `json:"link"`
	Connector string            `json:"connector"`
	Conn      uint64            `json:"conn" doc:"number of the connection at its connector"`
	Peer      string            `json:"peer" doc:"address and port of the other side"`
	Direction string            `json:"direction" enum:"sent,received,lost" doc:"lost: frames of the link that were overwritten before they were read, see octetsLost"`
	APCI      *APCI             `json:"apci,omitempty"`
	ASDU      any               `json:"asdu,omitempty" doc:"as busbar decode prints it"`
	Names     map[string]string `json:"names,omitempty" doc:"points and commands, by object address"`
	Octets    string            `json:"octets,omitempty" doc:"hexadecimal"`
	Fault     string            `json:"fault,omitempty" doc:"what is wrong with the frame"`
	Lost      uint64            `json:"octetsLost,omitempty"`
}

// APCI is the control information of a frame.
type APCI struct {
	Format   string  `json:"format" enum:"I,S,U"`
	NS       *uint16 `json:"ns,omitempty" doc:"send sequence number of an I frame"`
	NR       *uint16 `json:"nr,omitempty" doc:"receive sequence number of an I or S frame"`
	Function string  `json:"function,omitempty" doc:"of a U frame, such as STARTDT act"`
}

// entry decodes a frame.
func (t *Tracer) entry(f *frame) Entry {
	l := f.link
	e := Entry{
		Time: f.at, Link: l.ID, Connector: l.Connector, Conn: l.Conn, Direction: "received", Octets: hex.EncodeToString(f.octets),
	}
	e.ID = fmt.Sprintf("%s:%d:%d.%d", l.ID, l.Conn, f.record, f.index)
	if l.Peer != nil {
		e.Peer = l.Peer.String()
	}
	if f.sent {
		e.Direction = "sent"
	}
	if f.fault != nil {
		e.Fault = f.fault.Error()
	}
	if f.whole {
		e.APCI = apciOf(&f.apci)
	}
	if f.data {
		e.ASDU = json.RawMessage(f.asdu.AppendJSON(nil, l.Zone))
		e.Names = t.namesOf(f)
	}
	return e
}

func apciOf(f *apci.Frame) *APCI {
	a := &APCI{Format: f.Format.String()}
	ns, nr := uint16(f.NS), uint16(f.NR)
	switch f.Format {
	case apci.FormatU:
		a.Function = f.Function.String()
	case apci.FormatI:
		a.NS, a.NR = &ns, &nr
	case apci.FormatS:
		a.NR = &nr
	}
	return a
}

// namesOf returns what stands at the addresses of the objects; nil if nothing is known.
func (t *Tracer) namesOf(f *frame) map[string]string {
	var buf [asdu.MaxLen]asdu.Object
	var all map[string]string
	names := t.names(f.link.Connector)
	for _, o := range f.objects(buf[:0]) {
		if id := f.name(names, o.IOA); id != "" && o.IOA != 0 {
			if all == nil {
				all = map[string]string{}
			}
			all[strconv.FormatUint(uint64(o.IOA), 10)] = id
		}
	}
	return all
}
