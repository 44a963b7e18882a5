package outbound_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/plant"
	"busbar/internal/plantdoc"
	"busbar/internal/plantdoc/outbound"
)

// apply returns the point with a configuration, or the first problem.
func apply(t *testing.T, point, text string) string {
	t.Helper()
	n, problems := plant.Tree("c.json", []byte(text))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	c, faults := outbound.Parse(n)
	var out []byte
	if len(faults) == 0 {
		out, faults = c.Apply([]byte(point))
	}
	if len(faults) > 0 {
		return faults[0].Path + ": " + faults[0].Text
	}
	again, faults := c.Apply(out)
	if diff := cmp.Diff(string(out), string(again)); diff != "" || len(faults) > 0 {
		t.Errorf("the second time (-first +second):\n%s%v", diff, faults)
	}
	return string(out)
}

func TestApply(t *testing.T) {
	t.Parallel()
	const point = `{"limits":{"clamp":false,"low":1},"to":[{"connector":"a","topic":"t"},{"ca":1,"connector":"123","ioa":1},{"connector":"b"},{"ca":1,"connector":"123","ioa":2}],"type":"float","validity":"1m"}`
	for name, tt := range map[string]struct{ text, want string }{
		"as documented": {
			`{"outboundConfiguration":[{"connectorId":123,"config":{"ca":256,"ioa":65537,"type":13,"db":0}}]}`,
			`{"limits":{"clamp":false,"low":1},"to":[{"connector":"a","topic":"t"},{"as":"M_ME_NC_1","ca":256,"connector":"123","deadband":0,"ioa":65537},{"connector":"b"}],"type":"float","validity":"1m"}`,
		},
		"structured, limits, validity, several": {
			`{"outboundConfiguration":[{"connectorId":"c","config":{"ca":"1.0","ioa":"1.0.1","type":36,"db":0.5,"lowerLimit":-5,"upperLimit":1e2,"validityPeriod":600}},
				{"connectorId":"a","config":{"ca":1,"io":2,"type":"M_SP_TB_1","db":0,"lowerLimit":-5}}]}`,
			`{"limits":{"clamp":false,"high":100,"low":-5},"to":[{"as":"M_ME_TF_1","ca":256,"connector":"c","deadband":0.5,"ioa":65537},{"as":"M_SP_TB_1","ca":1,"connector":"a","ioa":2},{"ca":1,"connector":"123","ioa":1},{"connector":"b"},{"ca":1,"connector":"123","ioa":2}],"type":"float","validity":"10m0s"}`,
		},
		"none": {
			`{"outboundConfiguration":[{"connectorId":"123","config":null},{"connectorId":"a","config":null},{"connectorId":"b","config":null}]}`,
			`{"limits":{"clamp":false,"low":1},"type":"float","validity":"1m"}`,
		},
		"limits and validity removed": {
			`{"outboundConfiguration":[{"connectorId":"x","config":{"ca":1,"ioa":2,"type":1,"lowerLimit":null,"validityPeriod":0}}]}`,
			`{"to":[{"connector":"a","topic":"t"},{"ca":1,"connector":"123","ioa":1},{"connector":"b"},{"ca":1,"connector":"123","ioa":2},{"as":"M_SP_NA_1","ca":1,"connector":"x","ioa":2}],"type":"float"}`,
		},
		"nothing":       {`{"outboundConfiguration":[]}`, point},
		"no list":       {`{}`, `outboundConfiguration: is missing, want a list of entries with connectorId and config`},
		"unknown key":   {`{"outboundConfiguration":[{"connectorId":1,"config":{"ca":1,"ioa":1,"type":1,"dp":1}}]}`, "outboundConfiguration[0].config.dp: unknown key, want one of ca, db, deadband, io, ioa, lowerLimit, type, upperLimit, validityPeriod"},
		"wrong address": {`{"outboundConfiguration":[{"connectorId":1,"config":{"ca":65535,"ioa":1,"type":1}}]}`, `outboundConfiguration[0].config.ca: is 65535, want a number from 1 to 65534, or structured such as "0.225"`},
		"no address":    {`{"outboundConfiguration":[{"connectorId":1,"config":{"ca":1,"type":1}}]}`, `outboundConfiguration[0].config.ioa: is missing, want a number from 1 to 16777215, or structured such as "0.0.100"`},
		"wrong type":    {`{"outboundConfiguration":[{"connectorId":1,"config":{"ca":1,"ioa":1,"type":255}}]}`, "outboundConfiguration[0].config.type: is 255, want a type identification such as 13 or M_ME_NC_1"},
		"dead band of a status": {
			`{"outboundConfiguration":[{"connectorId":1,"config":{"ca":1,"ioa":1,"type":30,"db":1}}]}`, "outboundConfiguration[0].config.db: has no meaning for the type M_SP_TB_1, want 0 or none",
		},
		"negative validity": {`{"outboundConfiguration":[{"connectorId":1,"config":{"ca":1,"ioa":1,"type":1,"validityPeriod":-1}}]}`, "outboundConfiguration[0].config.validityPeriod: is -1, want 0 to 1000000000 seconds"},
		"limit as text":     {`{"outboundConfiguration":[{"connectorId":1,"config":{"ca":1,"ioa":1,"type":13,"upperLimit":"5"}}]}`, `outboundConfiguration[0].config.upperLimit: is "5", want a number or null`},
		"limits that differ": {
			`{"outboundConfiguration":[{"connectorId":1,"config":{"ca":1,"ioa":1,"type":13,"upperLimit":5}},{"connectorId":2,"config":{"ca":1,"ioa":1,"type":13,"upperLimit":6}}]}`,
			"outboundConfiguration[1].config.upperLimit: is not the same as in another entry: a point has one",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, apply(t, point, tt.text)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"outboundConfiguration":[{"connectorId":123,"config":{"ca":256,"ioa":65537,"type":13,"db":0,"lowerLimit":1,"validityPeriod":2}}]}`))
	f.Add([]byte(`{"outboundConfiguration":[{"connectorId":"a","config":null}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		n, problems := plant.Tree("c.json", data)
		if len(problems) > 0 {
			return
		}
		c, faults := outbound.Parse(n)
		if len(faults) > 0 {
			return
		}
		out, faults := c.Apply([]byte(`{"to":[{"connector":"a"}],"type":"float"}`))
		if len(faults) > 0 {
			return
		}
		if canonical, err := plantdoc.Canonical(out); err != nil || string(canonical) != string(out) {
			t.Fatalf("%s is not canonical: %v", out, err)
		}
	})
}
