package api

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAddressPlan(t *testing.T) {
	t.Parallel()
	r := newPlantRig(t, "")
	r.want(201, "PUT", "/connectors/a", deviceA)
	r.rows(200, "POST", "/points/bulk", `[{"id":"p","type":"int","to":[{"connector":"a","ca":225,"ioa":100,"as":"M_ME_TF_1"},{"connector":"a","ca":225,"ioa":102},{"connector":"a","ca":1,"ioa":1}]},
		{"id":"q","type":"int","to":[{"connector":"a","ca":225,"ioa":102}]}]`)
	type report struct{ Stations []Station }
	got := decoded[report](t, r.want(200, "GET", "/addresses/report?server=a&ca=0.225", nil), 200)
	at := func(ioa int, structured, hex string) Address { return Address{ioa, structured, hex} }
	a100, a101, a102 := at(100, "0.0.100", "0x000064"), at(101, "0.0.101", "0x000065"), at(102, "0.0.102", "0x000066")
	none := AddressUsage{Ranges: []AddressRange{}, Gaps: []AddressRange{}, Duplicates: []AddressDuplicate{}}
	want := report{[]Station{{
		Server: "a", CA: 225, CAStructured: "0.225", Commands: none, Points: AddressUsage{
			Count: 3, Ranges: []AddressRange{{a100, a100, 1}, {a102, a102, 1}}, Gaps: []AddressRange{{a101, a101, 1}},
			Duplicates: []AddressDuplicate{{a102, []AddressUse{{"points", "p", "to[1]"}, {"points", "q", "to[0]"}}}},
		},
	}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if all := decoded[report](t, r.want(200, "GET", "/addresses/report", nil), 200); len(all.Stations) != 2 {
		t.Errorf("%d stations, want 2", len(all.Stations))
	}
	r.problem(r.want(422, "GET", "/addresses/report?ca=x", nil), 422, "invalid")

	type next struct{ Addresses []Address }
	free := decoded[next](t, r.want(200, "GET", "/addresses/next?server=a&ca=225&from=0.0.100&count=2", nil), 200)
	if diff := cmp.Diff([]Address{a101, at(103, "0.0.103", "0x000067")}, free.Addresses); diff != "" {
		t.Errorf("next (-want +got):\n%s", diff)
	}
	free = decoded[next](t, r.want(200, "GET", "/addresses/next?server=a&ca=225&as=36&step=50", nil), 200)
	if len(free.Addresses) != 1 || free.Addresses[0].IOA != 150 {
		t.Errorf("next of measured values %+v, want 150", free)
	}
	r.problem(r.want(409, "GET", "/addresses/next?server=a&ca=225&from=16777215&count=2", nil), 409, "conflict")
	r.problem(r.want(422, "GET", "/addresses/next?server=a&ca=225&from=x", nil), 422, "invalid")
	r.problem(r.want(422, "GET", "/addresses/next?server=a&ca=225&as=M_ME_XX_1", nil), 422, "invalid")
	r.problem(r.want(422, "GET", "/addresses/next?server=a&ca=x", nil), 422, "invalid")
}
