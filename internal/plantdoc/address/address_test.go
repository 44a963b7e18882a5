package address_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/plantdoc"
	"busbar/internal/plantdoc/address"
)

const plan = `version: 1
points:
  a: {to: [{connector: s, ca: 225, ioa: 100, as: M_ME_TF_1}, {connector: s, ca: 225, ioa: 0.0.101, as: 1}, {connector: m, topic: t}]}
  b: {to: [{connector: s, ca: "0.225", ioa: "0x65", as: M_SP_TB_1}]}
  c: {to: [{connector: s, ca: 225, ioa: 101}]}
  d: {to: [{connector: s, ca: 225, ioa: 200, as: M_ME_NC_1}, {connector: s, ca: 1, ioa: 1}, {connector: r, ca: 225, ioa: 100}]}
  e: {to: [{connector: s, ca: 0, ioa: 1}, {connector: s, ca: 1, ioa: 16777216}, {connector: s, ca: 1}]}
  f: {to: 1}
commands:
  a: {from: [{connector: s, ca: 225, ioa: 200, as: C_SE_NC_1}], to: {connector: s, ca: 225, ioa: 300}}
`

func uses(t *testing.T) []address.Use {
	t.Helper()
	objs, problems := plantdoc.Parse("p.yaml", []byte(plan))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return address.Uses(slices.Values(objs))
}

func TestReport(t *testing.T) {
	t.Parallel()
	const p = plantdoc.Points
	want := []address.Station{
		{Server: "r", CA: 225, Points: address.Usage{Count: 1, Ranges: []address.Range{{100, 100}}}},
		{Server: "s", CA: 1, Points: address.Usage{Count: 1, Ranges: []address.Range{{1, 1}}}},
		{
			Server: "s", CA: 225,
			Points: address.Usage{
				Count: 5, Ranges: []address.Range{{100, 101}, {200, 200}}, Gaps: []address.Range{{102, 199}},
				Duplicates: []address.Duplicate{{101, []address.Use{
					{"s", 225, 101, address.Single, p, "a", "to[1]"}, {"s", 225, 101, address.Single, p, "b", "to[0]"}, {"s", 225, 101, address.Other, p, "c", "to[0]"},
				}}},
			},
			Commands: address.Usage{Count: 1, Ranges: []address.Range{{200, 200}}},
		},
	}
	if diff := cmp.Diff(want, address.Report(uses(t))); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

func TestNext(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		wanted address.Wanted
		want   []uint32
		fails  bool
	}{
		"lowest":                {address.Wanted{Server: "s", CA: 225}, []uint32{1}, false},
		"from":                  {address.Wanted{Server: "s", CA: 225, From: 99, Count: 3}, []uint32{99, 102, 103}, false},
		"step":                  {address.Wanted{Server: "s", CA: 225, From: 100, Count: 2, Step: 50}, []uint32{150, 250}, false},
		"behind the class":      {address.Wanted{Server: "s", CA: 225, Class: address.Single}, []uint32{102}, false},
		"commands are taken":    {address.Wanted{Server: "s", CA: 225, Class: address.Measured, Step: 10}, []uint32{210}, false},
		"class without any":     {address.Wanted{Server: "s", CA: 225, Class: address.Counter}, []uint32{1}, false},
		"other station":         {address.Wanted{Server: "s", CA: 2, From: 100}, []uint32{100}, false},
		"last":                  {address.Wanted{Server: "s", CA: 225, From: 16777215}, []uint32{16777215}, false},
		"more than there are":   {address.Wanted{Server: "s", CA: 225, From: 16777215, Count: 2}, nil, true},
		"a step that goes over": {address.Wanted{Server: "s", CA: 225, From: 16777215, Count: 2, Step: 1<<32 - 1}, nil, true},
	} {
		got, err := address.Next(uses(t), tt.wanted)
		if diff := cmp.Diff(tt.want, got); diff != "" || (err != nil) != tt.fails {
			t.Errorf("%s (-want +got):\n%s%v", name, diff, err)
		}
	}
}

func TestNotations(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]uint32{"100": 100, "0.0.100": 100, "0x000064": 100, "0X64": 100, "255.255.255": 16777215, "16777216": 0, "0": 0, "": 0, "0.100": 0, "1.2.300": 0, "-1": 0, "0x": 0} {
		if got, ok := address.ParseIOA(text); got != want && ok || ok != (want != 0) {
			t.Errorf("object address %q is %d, %v, want %d", text, got, ok, want)
		}
	}
	for text, want := range map[string]uint16{"225": 225, "0.225": 225, "0xE1": 225, "65535": 0, "0.0.1": 0, "255.254": 65534} {
		if got, ok := address.ParseCA(text); got != want && ok || ok != (want != 0) {
			t.Errorf("common address %q is %d, %v, want %d", text, got, ok, want)
		}
	}
	if a, b, c := address.StructuredCA(481), address.StructuredIOA(65636), address.HexIOA(100); a != "1.225" || b != "1.0.100" || c != "0x000064" {
		t.Error(a, b, c)
	}
}
