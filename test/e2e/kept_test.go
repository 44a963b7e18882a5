package e2e

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"busbar/test/rig"
)

// kept is a plant whose points carry the numbers of streams: number n of stream s
// goes to one of three points in turn, a measured value, a status and a
// counter, with a source time of its own.
type kept struct {
	streams int
	wide    int       // further points that each third number of stream 0 changes as well
	begin   time.Time // source time of number 0; each number is 1 ms later
}

func newKept(streams int) kept {
	return kept{streams: streams, begin: time.Now().Add(-time.Hour).Truncate(time.Millisecond)}
}

// keptTypes are the targets of a stream, one of each class of events.
var keptTypes = [...]struct{ point, target string }{{"int", "M_ME_TF_1"}, {"bits", "M_BO_TB_1"}, {"counter", "M_IT_TB_1"}}

// plant returns the plant file; source is the connector "sensors", station are
// settings of the connector "scada" besides its address.
func (k kept) plant(source, listen, station string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "version: 1\nconnectors:\n  sensors: %s\n  scada: {kind: iec104-server, listen: %q%s}\npoints:\n", source, listen, station)
	for s := range k.streams {
		for i, typ := range keptTypes {
			fmt.Fprintf(&b, "  p/%d/%d: {type: %s, hold: 300s, from: {connector: sensors, topic: kept/%d/%d, value: v, time: t}, "+
				"to: [{connector: scada, ca: 1, ioa: %d, as: %s}]}\n", s, i, typ.point, s, i, s*len(keptTypes)+i+1, typ.target)
		}
	}
	for i := range k.wide {
		fmt.Fprintf(&b, "  w/%d: {type: int, hold: 300s, from: {connector: sensors, topic: kept/0/0, value: v, time: t}, "+
			"to: [{connector: scada, ca: 2, ioa: %d, as: M_ME_TF_1}]}\n", i, i+1)
	}
	return b.String()
}

// lastTopic is the one that is subscribed to last.
func (k kept) lastTopic() string { return fmt.Sprintf("kept/%d/%d", k.streams-1, len(keptTypes)-1) }

// message returns the messages of a stream.
func (k kept) message(stream int) rig.Message {
	return func(n int) (topic, payload string) {
		return fmt.Sprintf("kept/%d/%d", stream, n%len(keptTypes)), fmt.Sprintf(`{"v":%d,"t":%d}`, n, k.time(n).UnixMilli())
	}
}

func (k kept) time(n int) time.Time { return k.begin.Add(time.Duration(n) * time.Millisecond).UTC() }

// entry returns what an event of the plant must be.
func (k kept) entry(o rig.Object) (rig.Entry, bool) {
	if o.CA != 1 || o.Cause != 3 || o.Type > 40 {
		return rig.Entry{}, false
	}
	n := o.Int()
	if o.Type == 36 {
		n = int(o.Float())
	}
	return rig.Entry{Stream: int(o.IOA-1) / len(keptTypes), Number: n, Time: k.time(n)}, true
}

// start starts the streams of the plant to the broker at addr.
func (k kept) start(t *testing.T, addr string) []*rig.Stream {
	t.Helper()
	var streams []*rig.Stream
	for s := range k.streams {
		streams = append(streams, rig.StartStream(t, addr, k.message(s)))
	}
	return streams
}

// rounds returns how often faults are repeated: once, or as often as `make soak` wants.
func rounds(t *testing.T) int {
	t.Helper()
	s := os.Getenv("BUSBAR_SOAK_KILLS")
	if s == "" {
		return 1
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		t.Fatalf("BUSBAR_SOAK_KILLS is %q, want a positive number", s)
	}
	return n
}
