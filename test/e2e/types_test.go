package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"busbar/test/capture"
	"busbar/test/rig"
)

// typeCase is a point with a target of an untagged type at the address of its
// number, and of the type with time tag 1000 above.
type typeCase struct {
	point            string // type, and keys of the point
	untagged, tagged int    // types; tagged 0: none
	target           string // keys of both targets
	steps            []typeStep
}

// typeStep is one message and what it must become.
type typeStep struct {
	v, q    string // members of the payload, v in JSON
	want    string // value on the wire, as in reading
	quality string
}

var typeCases = []typeCase{
	{point: "type: single", untagged: 1, tagged: 30, steps: []typeStep{
		{"true", "ok", "true", ""}, {"false", "old", "false", "not-topical"}, {"true", "bad", "true", "invalid"}, {"false", "sub", "false", "substituted"}, {"true", "blk", "true", "blocked"}}},
	{point: "type: double", untagged: 3, tagged: 31, steps: []typeStep{
		{`"off"`, "ok", "off", ""}, {`"on"`, "ok", "on", ""}, {`"intermediate"`, "old", "intermediate", "not-topical"}, {`"indeterminate"`, "bad", "indeterminate", "invalid"}}},
	{point: "type: step", untagged: 5, tagged: 32, steps: []typeStep{
		{"-64", "ok", "-64", ""}, {"63", "sub", "63", "substituted"}, {"-1", "ok", "-1", ""}, {"64", "ok", "63", "overflow"}}},
	{point: "type: bits", untagged: 7, tagged: 33, steps: []typeStep{
		{"1", "ok", "1", ""}, {"4294967295", "ok", "4294967295", ""}, {"305419896", "blk", "305419896", "blocked"}}},
	{point: "type: float\n    range: {low: -100, high: 100}", untagged: 9, tagged: 34, steps: []typeStep{
		{"0", "ok", "0", ""}, {"-100", "ok", "-32768", ""}, {"50", "old", "16384", "not-topical"}, {"-101", "ok", "-32768", "overflow"}}},
	{point: "type: float", untagged: 11, tagged: 35, target: "scale: 10, offset: 1", steps: []typeStep{
		{"12.34", "ok", "124", ""}, {"-3276.9", "ok", "-32768", ""}, {"-400000", "ok", "-32768", "overflow"}, {"0", "bad", "1", "invalid"}}},
	{point: "type: float", untagged: 13, tagged: 36, steps: []typeStep{
		{"23.5", "ok", "23.5", ""}, {"-0.1", "sub", "-0.1", "substituted"}, {"1e39", "ok", "3.4028235e+38", "overflow"}, {"1e-40", "ok", "1e-40", ""}, {"12.3", "ovf", "12.3", "overflow"}}},
	{point: "type: counter", untagged: 15, tagged: 37, target: "counter: {group: 1}", steps: []typeStep{
		{"1204000", "ok", "1204000", ""}, {"2147483648", "ok", "-2147483648", ""}, {"7", "bad", "7", "invalid"}}},
	{point: "type: float", untagged: 21, steps: []typeStep{
		{"0.5", "ok", "16384", ""}, {"-1", "ok", "-32768", ""}, {"0.999969482421875", "ok", "32767", ""}}},
}

const qualityMap = `{value: q, map: {ok: [], old: [not-topical], bad: [invalid], sub: [substituted], blk: [blocked], ovf: [overflow]}}`

func typesPlant(broker, listen string, cases []typeCase) string {
	var b strings.Builder
	fmt.Fprintf(&b, "version: 1\nconnectors:\n  sensors: {kind: mqtt, url: \"mqtt://%s\"}\n", broker)
	fmt.Fprintf(&b, "  scada: {kind: iec104-server, listen: \"%s\"}\npoints:\n", listen)
	for i, c := range cases {
		more := ""
		if c.target != "" {
			more = ", " + c.target
		}
		fmt.Fprintf(&b, "  p%d:\n    %s\n    from: {connector: sensors, topic: types/%d, value: v, time: t, quality: %s}\n    to:\n", i, c.point, i, qualityMap)
		fmt.Fprintf(&b, "      - {connector: scada, ca: 515, ioa: %d, as: %d%s}\n", i+1, c.untagged, more)
		if c.tagged != 0 {
			fmt.Fprintf(&b, "      - {connector: scada, ca: 515, ioa: %d, as: %d%s}\n", i+1001, c.tagged, more)
		}
	}
	return b.String()
}

// stepTime is the source's time of a step: around the change to summer time and
// the end of a minute, where clocks go wrong.
func stepTime(i, step int) time.Time {
	return time.Date(2026, 3, 29, 0, 59, 59, 999_000_000, time.UTC).Add(time.Duration(i*100+step) * time.Millisecond)
}

func TestTsharkDecodesEveryType(t *testing.T) {
	t.Parallel()
	broker, listen := rig.StartBroker(t), rig.FreeAddr(t)
	rig.Run(t, typesPlant(broker.Addr(), listen, typeCases))
	for i := range typeCases {
		broker.AwaitSubscription(0, fmt.Sprintf("types/%d", i))
	}
	proxy := capture.Start(t, listen)

	n := 0
	for _, c := range typeCases {
		n += len(c.steps) * c.targets()
	}
	events := monitor(t, proxy, n, func() {
		publisher := rig.NewPublisher(t, broker.Addr())
		for i, c := range typeCases {
			for s, step := range c.steps {
				publisher.Publish(fmt.Sprintf("types/%d", i), fmt.Sprintf(`{"v":%s,"q":%q,"t":%q}`, step.v, step.q, stepTime(i, s).Format(time.RFC3339Nano)))
			}
		}
	})
	checkEvents(t, typeCases, jsonReadings(t, events))

	interrogated := master(t, 0, proxy.Addr(), "--ca", "515", "--json", "gi")
	counted := master(t, 0, proxy.Addr(), "--ca", "515", "--json", "counters")
	var read strings.Builder
	for i, c := range typeCases {
		for _, ioa := range c.addresses(i) {
			if c.untagged != 15 {
				read.WriteString(master(t, 0, proxy.Addr(), "--ca", "515", "--ioa", fmt.Sprint(ioa), "--json", "read"))
			}
		}
	}
	checkAnswers(t, typeCases, jsonReadings(t, interrogated+counted+read.String()))

	decoded := proxy.Decode(t)
	decoded.NoMarks(t)
	said := jsonReadings(t, events+interrogated+counted+read.String())
	if diff := cmp.Diff(tsharkReadings(t, decoded), said); diff != "" {
		t.Errorf("tshark -, master --json +:\n%s", diff)
	}
	types := map[int]bool{}
	for _, r := range said {
		types[r.Type] = true
	}
	for _, typ := range []int{1, 3, 5, 7, 9, 11, 13, 15, 21, 30, 31, 32, 33, 34, 35, 36, 37} {
		if !types[typ] {
			t.Errorf("type %d was never sent", typ)
		}
	}
}

func (c typeCase) targets() int {
	if c.tagged == 0 {
		return 1
	}
	return 2
}

func (c typeCase) addresses(i int) []int { return []int{i + 1, i + 1001}[:c.targets()] }

// checkEvents compares events with the steps, for each target in order.
func checkEvents(t *testing.T, cases []typeCase, got []reading) {
	t.Helper()
	byAddress := map[int][]reading{}
	for _, r := range got {
		byAddress[r.IOA] = append(byAddress[r.IOA], r)
	}
	for i, c := range cases {
		for k, ioa := range c.addresses(i) {
			var want []reading
			for s, step := range c.steps {
				r := reading{Type: c.untagged, CA: 515, IOA: ioa, Cause: 3, Value: step.want, Quality: step.quality}
				if k == 1 {
					r.Type, r.Time = c.tagged, stepTime(i, s).Format("2006-01-02T15:04:05.000Z")
				}
				want = append(want, r)
			}
			if diff := cmp.Diff(want, byAddress[ioa], cmpopts.IgnoreFields(reading{}, "Sequence")); diff != "" {
				t.Errorf("events of IOA %d: want -, got +:\n%s", ioa, diff)
			}
		}
	}
}

// checkAnswers compares the answers to interrogations and reads with the last
// step of each point.
func checkAnswers(t *testing.T, cases []typeCase, got []reading) {
	t.Helper()
	var want []reading
	for i, c := range cases {
		last := c.steps[len(c.steps)-1]
		for _, ioa := range c.addresses(i) {
			r := reading{Type: c.untagged, CA: 515, IOA: ioa, Cause: 20, Value: last.want, Quality: last.quality}
			if c.untagged == 15 {
				r.Cause = 37
				want = append(want, r)
				continue
			}
			want = append(want, r)
			r.Cause = 5
			want = append(want, r)
		}
	}
	order := func(a, b reading) int {
		if a.IOA != b.IOA {
			return a.IOA - b.IOA
		}
		return a.Cause - b.Cause
	}
	slices.SortFunc(want, order)
	got = slices.Clone(got)
	slices.SortFunc(got, order)
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(reading{}, "Sequence")); diff != "" {
		t.Errorf("answers: want -, got +:\n%s", diff)
	}
}
