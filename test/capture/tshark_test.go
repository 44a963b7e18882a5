package capture

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// vector is one of the APDUs of the protocol reference, made by an encoder
// that is not ours.
type vector struct {
	ID, Direction, Hex string
	APCI               struct {
		Format, Function string
		NS, NR           int
	}
	ASDU *struct {
		TypeID, Count, COT, OA, CA int
		SQ, PN, Test               bool
		Objects                    []struct{ IOA int }
	}
}

func vectors(t *testing.T) []vector {
	t.Helper()
	b, err := os.ReadFile("../../iec104/asdu/testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// want is what tshark has to say about v.
func (v vector) want() (APDU, []int) {
	a := APDU{
		ToClient: v.Direction != "control", Format: v.APCI.Format,
		NS: v.APCI.NS, NR: v.APCI.NR, Function: v.APCI.Function,
	}
	if v.ASDU == nil {
		return a, nil
	}
	a.ASDU = &ASDU{
		Type: v.ASDU.TypeID, N: v.ASDU.Count, Cause: v.ASDU.COT, OA: v.ASDU.OA, CA: v.ASDU.CA,
		SQ: v.ASDU.SQ, Negative: v.ASDU.PN, Test: v.ASDU.Test,
	}
	var addresses []int
	for _, o := range v.ASDU.Objects {
		addresses = append(addresses, o.IOA)
	}
	return a, addresses
}

func TestTsharkReadsEveryVectorThroughTheProxy(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]Fault{"undisturbed": {}, "in single octets": {Split: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, client, server := pair(t)
			p.Disturb(fault)
			all := vectors(t)
			for _, v := range all {
				octets, err := hex.DecodeString(v.Hex)
				if err != nil {
					t.Fatalf("%s: %v", v.ID, err)
				}
				from, to := client, server
				if v.Direction != "control" {
					from, to = server, client
				}
				send(t, from, octets)
				expect(t, to, octets)
			}
			decoded := p.Decode(t)
			decoded.NoMarks(t)
			if len(decoded.APDUs) != len(all) {
				t.Fatalf("tshark reads %d APDUs, want %d", len(decoded.APDUs), len(all))
			}
			for i, v := range all {
				compareHeader(t, v, decoded.APDUs[i])
			}
		})
	}
}

func compareHeader(t *testing.T, v vector, got APDU) {
	t.Helper()
	want, addresses := v.want()
	got.Frame, got.Time = 0, time.Time{}
	var read []int
	if got.ASDU != nil {
		for _, o := range got.ASDU.Objects {
			read = append(read, o.IOA)
		}
		header := *got.ASDU
		header.Objects = nil
		got.ASDU = &header
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: want -, tshark +:\n%s", v.ID, diff)
	}
	if len(read) == 1 && len(addresses) > 1 {
		addresses = addresses[:1] // tshark does not know the elements of this type
	}
	if diff := cmp.Diff(addresses, read); diff != "" {
		t.Errorf("%s: addresses: want -, tshark +:\n%s", v.ID, diff)
	}
}

func TestTsharkReadsFieldsOfAnObject(t *testing.T) {
	t.Parallel()
	p, client, server := pair(t)
	octets := []byte("\x68\x15\x00\x00\x00\x00\x1e\x01\x03\x00\x01\x00\x64\x00\x00\x00\xf3\x69\xad\x8d\x4e\x07\x1a")
	send(t, server, octets)
	expect(t, client, octets)
	sent := p.Decode(t).Sent(true)
	if len(sent) != 1 || len(sent[0].Objects) != 1 {
		t.Fatalf("tshark reads %+v, want one object", sent)
	}
	for name, want := range map[string]int{"siq.spi": 0, "cp56time.ms": 27123, "cp56time.iv": 1, "cp56time.su": 1, "cp56time.year": 26} {
		if got := sent[0].Objects[0].Int(t, name); got != want {
			t.Errorf("%s = %d, want %d", name, got, want)
		}
	}
}

func TestTsharkMarksWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, octets := range map[string]string{
		"ASDU shorter than its count": "\x68\x0e\x00\x00\x00\x00\x01\x05\x03\x00\x01\x00\x64\x00\x00\x01",
		"length 3":                    "\x68\x03\x07\x00\x00\x00",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, client, server := pair(t)
			send(t, server, []byte(octets))
			expect(t, client, []byte(octets))
			if marks := p.Decode(t).Marks; len(marks) == 0 {
				t.Error("tshark has no complaint, want one")
			}
		})
	}
}

func TestFileHasRightChecksums(t *testing.T) {
	t.Parallel()
	p, client, server := pair(t)
	startDT := []byte("\x68\x04\x07\x00\x00\x00")
	send(t, client, startDT)
	expect(t, server, startDT)
	name := p.WriteFile(t)
	DecodeFile(t, name).NoMarks(t)

	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.LastIndex(b, startDT)
	if at < 0 {
		t.Fatal("the octets are not in the file")
	}
	b[at+5] ^= 1
	broken := filepath.Join(t.TempDir(), "broken.pcap")
	if err := os.WriteFile(broken, b, 0o600); err != nil {
		t.Fatal(err)
	}
	marks := DecodeFile(t, broken).Marks
	if len(marks) == 0 || !strings.Contains(marks[0].Text, "checksum") {
		t.Errorf("a changed octet gives the marks %v, want a bad checksum", marks)
	}
}
