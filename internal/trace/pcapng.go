package trace

import (
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// ErrBusy reports that capture files are being made for others.
var ErrBusy = errors.New("trace: other capture files are being made")

// dump is a capture file that is being written.
type dump struct {
	out        *pcapgo.NgWriter // nil before the first interface
	interfaces map[string]int   // by connector
	talks      map[talk]*stream
	buffer     gopacket.SerializeBuffer
}

// talk names a connection.
type talk struct {
	connector, link string
	conn            uint64
	local, peer     string
}

// stream is one connection in the file.
type stream struct {
	local, peer end
	told        bool // the comment was written
}

// end is one side of a connection.
type end struct {
	ip   net.IP
	port layers.TCPPort
	mac  net.HardwareAddr
	seq  uint32 // of the next octet
}

// frame writes a frame.
func (d *dump) frame(w io.Writer, f *frame) error {
	at, err := d.at(w, f.link.Connector)
	if err != nil {
		return err
	}
	s := d.stream(f)
	from, to := &s.peer, &s.local
	if f.sent {
		from, to = to, from
	}
	b, err := d.packet(from, to, f.octets)
	if err != nil {
		return err
	}
	from.seq += uint32(len(f.octets))
	var comments []string
	if !s.told {
		s.told = true
		comments = append(comments, "link "+f.link.ID)
		if c := f.link.Certificate; c != "" {
			comments = append(comments, "TLS, shown as inside of it; certificate of the other side: "+c)
		}
	}
	if f.fault != nil {
		comments = append(comments, f.fault.Error())
	}
	info := gopacket.CaptureInfo{Timestamp: f.at, CaptureLength: len(b), Length: len(b), InterfaceIndex: at}
	return d.out.WritePacketWithOptions(info, b, pcapgo.NgPacketOptions{Comments: comments})
}

// at returns the interface of a connector.
func (d *dump) at(w io.Writer, connector string) (int, error) {
	if at, ok := d.interfaces[connector]; ok {
		return at, nil
	}
	i := pcapgo.NgInterface{
		Name: connector, Description: "connector " + connector + " of Busbar", OS: runtime.GOOS, LinkType: layers.LinkTypeEthernet,
		TimestampResolution: 9, SnapLength: 0,
	}
	at, err := len(d.interfaces), error(nil)
	if d.out == nil {
		d.out, err = pcapgo.NewNgWriterInterface(w, i, pcapgo.NgWriterOptions{
			SectionInfo: pcapgo.NgSectionInfo{Hardware: runtime.GOARCH, OS: runtime.GOOS, Application: "Busbar"},
		})
	} else {
		at, err = d.out.AddInterface(i)
	}
	d.interfaces[connector] = at
	return at, err
}

// end completes the file, which has an interface also without frames.
func (d *dump) end(w io.Writer) error {
	if d.out == nil {
		if _, err := d.at(w, "none"); err != nil {
			return err
		}
	}
	return d.out.Flush()
}

// stream returns the connection of a frame.
func (d *dump) stream(f *frame) *stream {
	l := f.link
	key := talk{l.Connector, l.ID, l.Conn, fmt.Sprint(l.Local), fmt.Sprint(l.Peer)}
	s := d.talks[key]
	if s == nil {
		s = &stream{local: endOf(l.Local, 1), peer: endOf(l.Peer, 2)}
		if s.local.ip.To4() == nil || s.peer.ip.To4() == nil {
			s.local.ip, s.peer.ip = s.local.ip.To16(), s.peer.ip.To16()
		} else {
			s.local.ip, s.peer.ip = s.local.ip.To4(), s.peer.ip.To4()
		}
		d.talks[key] = s
	}
	return s
}

// endOf returns the end with an address; one that is not of TCP is made up.
func endOf(a net.Addr, number byte) end {
	e := end{ip: net.IPv4(192, 0, 2, number), port: 2404, mac: net.HardwareAddr{2, 0, 0, 0, 0, number}, seq: 1}
	if tcp, ok := a.(*net.TCPAddr); ok && len(tcp.IP) > 0 {
		e.ip, e.port = tcp.IP, layers.TCPPort(tcp.Port)
	}
	return e
}

// window is what the made-up TCP announces.
const window = 65535

// packet returns an Ethernet frame with octets from one end to the other.
func (d *dump) packet(from, to *end, octets []byte) ([]byte, error) {
	if d.buffer == nil {
		d.buffer = gopacket.NewSerializeBuffer()
	}
	ethernet := &layers.Ethernet{SrcMAC: from.mac, DstMAC: to.mac, EthernetType: layers.EthernetTypeIPv4}
	tcp := &layers.TCP{SrcPort: from.port, DstPort: to.port, Seq: from.seq, Ack: to.seq, ACK: true, PSH: true, Window: window}
	var ip gopacket.SerializableLayer
	var network gopacket.NetworkLayer
	if len(from.ip) == net.IPv4len {
		v4 := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP, SrcIP: from.ip, DstIP: to.ip, Flags: layers.IPv4DontFragment}
		ip, network = v4, v4
	} else {
		v6 := &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolTCP, SrcIP: from.ip, DstIP: to.ip}
		ip, network = v6, v6
		ethernet.EthernetType = layers.EthernetTypeIPv6
	}
	if err := tcp.SetNetworkLayerForChecksum(network); err != nil {
		return nil, err
	}
	err := gopacket.SerializeLayers(d.buffer, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, ethernet, ip, tcp, gopacket.Payload(octets))
	return d.buffer.Bytes(), err
}
