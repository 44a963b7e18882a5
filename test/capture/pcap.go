package capture

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// serverPort is the port of the server in a capture file, whatever it was, so
// that every tool takes it for IEC 60870-5-104.
const serverPort = 2404

// TCP flags.
const (
	fin = 0x01
	syn = 0x02
	rst = 0x04
	psh = 0x08
	ack = 0x10
)

// mss is the largest payload of one frame of a capture file.
const mss = 1460

// WriteFile writes what has passed until now to a capture file in a temporary
// directory of the test and returns its name.
func (p *Proxy) WriteFile(tb testing.TB) string {
	tb.Helper()
	name := filepath.Join(tb.TempDir(), "link.pcap")
	f, err := os.Create(name)
	if err != nil {
		tb.Fatalf("capture file: %v", err)
	}
	defer f.Close()
	if err := WritePCAP(f, p.Segments()); err != nil {
		tb.Fatalf("capture file: %v", err)
	}
	return name
}

// WritePCAP writes segments as a classic capture file with nanoseconds:
// Ethernet, IPv4 127.0.0.1, TCP with the sequence numbers and checksums that
// the octets give.
func WritePCAP(w io.Writer, segments []Segment) error {
	b := bufio.NewWriter(w)
	header := binary.LittleEndian.AppendUint32(nil, 0xa1b23c4d) // nanoseconds
	header = binary.LittleEndian.AppendUint16(header, 2)        // version 2.4
	header = binary.LittleEndian.AppendUint16(header, 4)
	header = append(header, 0, 0, 0, 0, 0, 0, 0, 0)          // UTC, accuracy
	header = binary.LittleEndian.AppendUint32(header, 65535) // longest frame
	header = binary.LittleEndian.AppendUint32(header, 1)     // Ethernet
	b.Write(header)
	conns := map[int]*stream{}
	for _, s := range segments {
		c := conns[s.Conn]
		if c == nil {
			c = &stream{port: uint16(s.Port)}
			conns[s.Conn] = c
		}
		for _, frame := range c.frames(s) {
			record := binary.LittleEndian.AppendUint32(nil, uint32(s.Time.Unix()))
			record = binary.LittleEndian.AppendUint32(record, uint32(s.Time.Nanosecond()))
			record = binary.LittleEndian.AppendUint32(record, uint32(len(frame)))
			record = binary.LittleEndian.AppendUint32(record, uint32(len(frame)))
			b.Write(record)
			b.Write(frame)
		}
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("write capture: %w", err)
	}
	return nil
}

// stream is the state of one TCP connection in the file. Index 0 is the
// client's side, 1 the server's.
type stream struct {
	port  uint16
	next  [2]uint32 // sequence number
	ended bool      // after RST nothing follows
}

// frames returns the frames of one segment.
func (c *stream) frames(s Segment) [][]byte {
	from := 0
	if s.ToClient {
		from = 1
	}
	if c.ended {
		return nil
	}
	switch s.Kind {
	case Open:
		return [][]byte{c.frame(0, syn, nil), c.frame(1, syn|ack, nil), c.frame(0, ack, nil)}
	case Close:
		return [][]byte{c.frame(from, fin|ack, nil), c.frame(1-from, ack, nil)}
	case Reset:
		c.ended = true
		return [][]byte{c.frame(from, rst|ack, nil)}
	default:
		var frames [][]byte
		for part := range slices.Chunk(s.Octets, mss) {
			frames = append(frames, c.frame(from, psh|ack, part))
		}
		return frames
	}
}

// frame builds one frame and advances the sequence numbers.
func (c *stream) frame(from int, flags byte, payload []byte) []byte {
	ports := [2]uint16{c.port, serverPort}
	hosts := [2][4]byte{{127, 0, 0, 1}, {127, 0, 0, 1}}
	b := []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00} // Ethernet, IPv4
	if from == 1 {
		b[5], b[11] = 1, 2
	}
	ip := len(b)
	b = append(b, 0x45, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(40+len(payload)))
	b = append(b, 0, 0, 0x40, 0, 64, 6, 0, 0) // do not fragment, TTL 64, TCP
	b = append(b, hosts[from][:]...)
	b = append(b, hosts[1-from][:]...)
	binary.BigEndian.PutUint16(b[ip+10:], checksum(0, b[ip:]))

	tcp := len(b)
	b = binary.BigEndian.AppendUint16(b, ports[from])
	b = binary.BigEndian.AppendUint16(b, ports[1-from])
	b = binary.BigEndian.AppendUint32(b, c.next[from])
	acked := c.next[1-from]
	if flags&ack == 0 {
		acked = 0
	}
	b = binary.BigEndian.AppendUint32(b, acked)
	b = append(b, 5<<4, flags, 0xff, 0xff, 0, 0, 0, 0) // 20 octets, window 65535
	b = append(b, payload...)
	pseudo := uint32(6) + uint32(len(b)-tcp) + sum(b[ip+12:ip+20])
	binary.BigEndian.PutUint16(b[tcp+16:], checksum(pseudo, b[tcp:]))

	c.next[from] += uint32(len(payload))
	if flags&(syn|fin) != 0 {
		c.next[from]++
	}
	return b
}

// checksum is the Internet checksum of b after an initial sum.
func checksum(initial uint32, b []byte) uint16 {
	s := initial + sum(b)
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return ^uint16(s)
}

func sum(b []byte) uint32 {
	var s uint32
	for ; len(b) > 1; b = b[2:] {
		s += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	return s
}
