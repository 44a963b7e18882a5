package e2e

import (
	"fmt"
	"testing"

	"busbar/test/rig"
)

func TestGarbageClosesThatConnectionAlone(t *testing.T) {
	t.Parallel()
	ingest, listen := rig.FreeAddr(t), rig.FreeAddr(t)
	busbar := rig.Run(t, referencePlant(fmt.Sprintf("{kind: mqtt-broker, listen: %s}", ingest), listen))
	publisher := rig.NewPublisher(t, ingest)
	others := []*rig.Master{rig.StartMaster(t, listen), rig.StartMaster(t, listen), rig.StartMaster(t, listen)}

	const sequence = "\x68\x0e\x06\x00\x00\x00\x64\x01\x06\x00\xe1\x00\x00\x00\x00\x14" // N(S) 3 as the first
	for i, tt := range []struct {
		name, octets string
		started      bool
	}{
		{"another protocol", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", false},
		{"TLS client hello", "\x16\x03\x01\x00\xf4\x01\x00\x00\xf0\x03\x03", false},
		{"zeros", string(make([]byte, 300)), true},
		{"length 3", "\x68\x03\x07\x00\x00", true},
		{"length 255", "\x68\xff\x00\x00\x00\x00", true},
		{"junk behind an APDU", "\x68\x04\x43\x00\x00\x00\xde\xad", true},
		{"sequence number out of order", sequence, true},
		{"acknowledges what was never sent", "\x68\x04\x01\x00\x00\x10", true},
		{"ASDU cut short", "\x68\x0a\x00\x00\x00\x00\x64\x01\x06\x00\xe1\x00", true},
		{"I format before STARTDT", "\x68\x0e\x00\x00\x00\x00\x64\x01\x06\x00\xe1\x00\x00\x00\x00\x14", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bad := rig.ConnectMaster(t, listen)
			if tt.started {
				bad.StartDT()
			}
			bad.Write([]byte(tt.octets))
			bad.AwaitEnd()

			n := make([]int, len(others))
			for j, m := range others {
				n[j] = m.Received()
			}
			value := float32(100 + i)
			publisher.Publish(referenceTopic, fmt.Sprintf(`{"data":{"temperature":%v}}`, value))
			for j, m := range others {
				m.Test()
				if o := m.AwaitAfter(n[j], "the event", spontaneous(225, 100)); o.Float() != value {
					t.Errorf("another station got %v, want %v", o.Float(), value)
				}
			}
		})
	}
	if busbar.Metric(failureMetric) != 0 {
		t.Error("garbage made the connector restart")
	}
}
