package iec104

import (
	"strings"
	"testing"

	"busbar/iec104/asdu"
)

// TestParameters plays the parameters of a controlled station.
func TestParameters(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name         string
		sent, answer string
		told         []string
	}{
		{"loaded, not in operation: mirrored with POP", "6e 01 06 05 01 00 f4 01 00 48 01 01", "6e 01 07 05 01 00 f4 01 00 48 01 81",
			[]string{"load P_ME_NA_1 1 500 328 0x01"}},
		{"short float", "70 01 06 00 01 00 f4 01 00 00 00 a0 c0 03", "70 01 07 00 01 00 f4 01 00 00 00 a0 c0 83",
			[]string{"load P_ME_NC_1 1 500 3231711232 0x03"}},
		{"refused", "6e 01 06 00 01 00 f4 01 00 00 00 01", "6e 01 47 00 01 00 f4 01 00 00 00 01", []string{"load P_ME_NA_1 1 500 0 0x01"}},
		{"unknown address", "6e 01 06 00 01 00 f5 01 00 48 01 01", "6e 01 6f 00 01 00 f5 01 00 48 01 01", []string{"load P_ME_NA_1 1 501 328 0x01"}},
		{"unknown type", "6f 01 06 00 01 00 f4 01 00 0a 00 02", "6f 01 6c 00 01 00 f4 01 00 0a 00 02", nil},
		{"unknown cause", "6e 01 08 00 01 00 f4 01 00 48 01 01", "6e 01 6d 00 01 00 f4 01 00 48 01 01", nil},
		{"unknown common address", "6e 01 06 00 ff ff f4 01 00 48 01 01", "6e 01 6e 00 ff ff f4 01 00 48 01 01", nil},
		{"test bit: nothing is loaded", "6e 01 86 00 01 00 f4 01 00 48 01 01", "6e 01 c7 00 01 00 f4 01 00 48 01 01", nil},
		{"two objects: none is loaded", "6e 02 06 00 01 00 f4 01 00 48 01 01 f4 01 00 48 01 02", "6e 02 47 00 01 00 f4 01 00 48 01 01 f4 01 00 48 01 02", nil},
		{"all activated", "71 01 06 00 01 00 00 00 00 01", "71 01 07 00 01 00 00 00 00 01", []string{"activate 1 0 1 false"}},
		{"one activated", "71 01 06 00 01 00 f4 01 00 02", "71 01 07 00 01 00 f4 01 00 02", []string{"activate 1 500 2 false"}},
		{"cyclic transmission started", "71 01 06 00 01 00 f4 01 00 03", "71 01 07 00 01 00 f4 01 00 03", []string{"activate 1 500 3 false"}},
		{"cyclic transmission stopped", "71 01 08 00 01 00 f4 01 00 03", "71 01 09 00 01 00 f4 01 00 03", []string{"activate 1 500 3 true"}},
		{"activation of an unknown address", "71 01 06 00 01 00 f5 01 00 02", "71 01 6f 00 01 00 f5 01 00 02", []string{"activate 1 501 2 false"}},
		{"all, with an address", "71 01 06 00 01 00 f4 01 00 01", "71 01 6f 00 01 00 f4 01 00 01", nil},
		{"one, without an address", "71 01 06 00 01 00 00 00 00 02", "71 01 6f 00 01 00 00 00 00 02", nil},
		{"unknown qualifier", "71 01 06 00 01 00 f4 01 00 04", "71 01 47 00 01 00 f4 01 00 04", nil},
	}
	for _, row := range rows {
		inBubble(t, row.name, func(t *testing.T) {
			st := newTestStation()
			st.parameters = map[uint32]Parameter{500: {}}
			p := connect(t, newTestServer(t, st, ServerConfig{}))
			p.start()
			p.tell(row.sent)
			p.expectASDU(row.answer)
			p.expectSilence()
			st.expectRecord(t, append([]string{"started true"}, row.told...)...)
		})
	}
	inBubble(t, "reported in the answer to an interrogation", func(t *testing.T) {
		st := newTestStation()
		st.points[1] = []Item{single(100, 1), {Type: asdu.P_ME_NC_1, Object: asdu.Object{IOA: 700, Value: 0x42c70000, Qualifier: 0xc4}}}
		p := connect(t, newTestServer(t, st, ServerConfig{}))
		p.start()
		p.tell(giAct)
		p.expectASDU(giCon, "01 01 14 00 01 00 64 00 00 01", "70 01 14 00 01 00 bc 02 00 00 00 c7 42 c4", giEnd)
	})
	inBubble(t, "a station without parameters: unknown types", func(t *testing.T) {
		p := connect(t, newTestServer(t, newTestStation(), ServerConfig{}))
		p.start()
		for _, row := range rows[:2] {
			p.tell(row.sent)
			p.expectASDU(strings.Replace(row.sent, " 06 0", " 6c 0", 1))
		}
	})
}

// TestParametersBothWays loads and activates from client to server.
func TestParametersBothWays(t *testing.T) {
	t.Parallel()
	inBubble(t, "loaded and activated", func(t *testing.T) {
		f := newFilePair(t, Params{}, ServerConfig{})
		f.st.parameters = map[uint32]Parameter{700: {}}
		got, err := f.c.SetParameter(t.Context(), Parameter{CA: 1, IOA: 700, Type: asdu.P_ME_NC_1, Value: 0x3f800000, Qualifier: 1})
		if err != nil || got.Object.Qualifier != 0x81 || got.Object.Value != 0x3f800000 {
			t.Fatalf("SetParameter = %+v, %v", got, err)
		}
		if err := f.c.ActivateParameter(t.Context(), 1, 0, 1); err != nil {
			t.Fatal(err)
		}
		if err := f.c.DeactivateParameter(t.Context(), 1, 700, 3); err != nil {
			t.Fatal(err)
		}
	})
}
