package api

import (
	"strings"
	"testing"
)

func TestOutboundConfiguration(t *testing.T) {
	t.Parallel()
	r := newPlantRig(t, "")
	r.seed()
	const body = `{"outboundConfiguration":[{"connectorId":"a","config":{"ca":256,"ioa":6553,"type":13,"db":0.5,"lowerLimit":1}}]}`
	if got := r.rows(200, "PUT", "/points/x%2Fb/outbound-configuration", body); got.Counts != (RowCounts{Changed: 1}) {
		t.Errorf("first time %+v", got)
	}
	text := r.want(200, "GET", "/points/x%2Fb", nil).Body.String()
	if !strings.Contains(text, `"limits":{"low":1},"name":"alpha","to":[{"as":"M_ME_NC_1","ca":256,"connector":"a","deadband":0.5,"ioa":6553}]`) {
		t.Errorf("point %s", text)
	}
	if got := r.rows(200, "PUT", "/points/x%2Fb/outbound-configuration", body); got.Counts != (RowCounts{Unchanged: 1}) {
		t.Errorf("second time %+v", got)
	}
	r.problem(r.want(404, "PUT", "/points/nobody/outbound-configuration", body), 404, "not-found")
	if w := r.do("PUT", "/points/x%2Fb/outbound-configuration", body, as("engineer:y")); w.Code != 404 {
		t.Errorf("who does not see the point: %d, want 404", w.Code)
	}
	p := r.problem(r.want(422, "PUT", "/points/x%2Fb/outbound-configuration", strings.Replace(body, "256", "65535", 1)), 422, "invalid")
	if len(p.Errors) != 1 || p.Errors[0].Location != "row 1, column outboundConfiguration[0].config.ca" {
		t.Errorf("faults %+v", p.Errors)
	}
	r.problem(r.want(422, "PUT", "/points/x%2Fb/outbound-configuration", "{"), 422, "invalid-plant")

	many := `[{"id":"x/b",` + body[1:] + `,{"id":"y/a",` + strings.Replace(body[1:], "6553", "1", 1) + `]`
	if got := r.rows(200, "PUT", "/points/outbound-configuration", many); got.Counts != (RowCounts{Changed: 1, Unchanged: 1}) {
		t.Errorf("many %+v", got)
	}
	p = r.problem(r.want(422, "PUT", "/points/outbound-configuration", `[{"id":"x/b","outboundConfiguration":[]},{"id":"x/b","outboundConfiguration":[]},{"id":"no","outboundConfiguration":[]},
		{"outboundConfiguration":[]},7,{"id":"y/a","outboundConfiguration":[{"connectorId":"a","config":{}}]}]`), 422, "invalid")
	var got []string
	for _, f := range p.Errors {
		got = append(got, f.Location+": "+f.Message)
	}
	want := `row 2, column id: occurs twice, first in item 1
row 3, column id: there is no point no
row 4, column id: is missing, want the id of a point
row 5: is no object, want one with id and outboundConfiguration
row 5, column id: is missing, want the id of a point
row 6, column outboundConfiguration[0].config.ca: is missing, want a number from 1 to 65534, or structured such as "0.225"
row 6, column outboundConfiguration[0].config.ioa: is missing, want a number from 1 to 16777215, or structured such as "0.0.100"
row 6, column outboundConfiguration[0].config.type: is missing, want a type identification such as 13 or M_ME_NC_1`
	if strings.Join(got, "\n") != want {
		t.Errorf("faults\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
	r.problem(r.want(422, "PUT", "/points/outbound-configuration", "{}"), 422, "invalid")
	managed := newPlantRig(t, "plant.yaml")
	managed.want(409, "PUT", "/points/x/outbound-configuration", body)
	managed.want(409, "PUT", "/points/outbound-configuration", "[]")
}
