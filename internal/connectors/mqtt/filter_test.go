package mqtt

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCheckTopic(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"a", "/", "a//b", "+", "#", "a/+/b", "$SYS/#", "ä/ö", "$share", strings.Repeat("a", maxTopic)} {
		if text := checkTopic(good); text != "" {
			t.Errorf("%.20q: %s", good, text)
		}
	}
	tests := []struct{ topic, want string }{
		{"", "is empty"},
		{"a\x00b", "NUL"},
		{"a\xff", "UTF-8"},
		{"$share/g/a", "shared subscription"},
		{"$queue/a", "shared subscription"},
		{strings.Repeat("a", maxTopic+1), "longer than"},
	}
	for _, tt := range tests {
		if text := checkTopic(tt.topic); !strings.Contains(text, tt.want) {
			t.Errorf("%.20q: %q, want a text with %q", tt.topic, text, tt.want)
		}
	}
}

// matches is the definition of the standard, level by level.
func matches(filter, topic string) bool {
	f, l := strings.Split(filter, "/"), strings.Split(topic, "/")
	if strings.HasPrefix(topic, "$") && (f[0] == "+" || f[0] == "#") {
		return false
	}
	for i := range f {
		if f[i] == "#" {
			return len(l) >= i
		}
		if i >= len(l) || f[i] != "+" && f[i] != l[i] {
			return false
		}
	}
	return len(f) == len(l)
}

func TestMatchesIsTheDefinitionOfTheStandard(t *testing.T) {
	t.Parallel()
	tests := []struct {
		filter, topic string
		want          bool
	}{
		{"sport/tennis/player1/#", "sport/tennis/player1", true},
		{"sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true},
		{"sport/#", "sport", true},
		{"sport/+", "sport", false},
		{"sport/+", "sport/", true},
		{"+/+", "/finance", true},
		{"/+", "/finance", true},
		{"+", "/finance", false},
		{"#", "$SYS/monitor/Clients", false},
		{"+/monitor/Clients", "$SYS/monitor/Clients", false},
		{"$SYS/#", "$SYS/monitor/Clients", true},
		{"$SYS/monitor/+", "$SYS/monitor/Clients", true},
	}
	for _, tt := range tests {
		if got := matches(tt.filter, tt.topic); got != tt.want {
			t.Errorf("matches(%q, %q) = %v, want %v", tt.filter, tt.topic, got, tt.want)
		}
	}
}

// topics are all topics of up to three levels over a small alphabet that has
// a level which none of the filters below names.
func topics() []string {
	names := []string{"a", "b", "", "$x", "other"}
	var all []string
	for _, n := range names {
		all = append(all, n)
		for _, m := range names {
			all = append(all, n+"/"+m)
			for _, k := range names {
				all = append(all, n+"/"+m+"/"+k)
			}
		}
	}
	return all
}

func randomFilter(r *rand.Rand) string {
	names := []string{"a", "b", "", "$x", "+"}
	levels := make([]string, 1+r.IntN(3))
	for i := range levels {
		levels[i] = names[r.IntN(len(names))]
	}
	if r.IntN(3) == 0 {
		levels[len(levels)-1] = "#"
	}
	return strings.Join(levels, "/")
}

func TestCoveringAndOverlapsAgreeWithMatching(t *testing.T) {
	t.Parallel()
	all, r := topics(), rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		f, g := randomFilter(r), randomFilter(r)
		if f == g {
			continue
		}
		covers, overlaps := true, false
		for _, topic := range all {
			if matches(f, topic) {
				covers = covers && matches(g, topic)
				overlaps = overlaps || matches(g, topic)
			}
		}
		// # and +/# match the same topics; that # covers +/# is enough.
		if g == "+/#" && f == "#" {
			covers = false
		}
		overlaps = overlaps && strings.ContainsAny(g, "+#")
		var set filters
		set.add(f)
		set.add(g)
		by, ok := set.covering(f)
		if ok != covers || ok && by != g {
			t.Fatalf("%q is covered by %q: %v (%q), want %v", f, g, ok, by, covers)
		}
		if got := set.overlaps(f); got != overlaps {
			t.Fatalf("%q overlaps %q: %v, want %v", f, g, got, overlaps)
		}
	}
}

func TestPlanMatchesEachTopicOnce(t *testing.T) {
	t.Parallel()
	all, r := topics(), rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		wanted := make(map[string]byte)
		for range 1 + r.IntN(6) {
			wanted[randomFilter(r)] = byte(r.IntN(3))
		}
		p := planner{identifiers: true}
		plan := p.plan(wanted, nil)
		for _, topic := range all {
			var qos, got byte
			wants, subs, marked := 0, 0, 0
			for f, q := range wanted {
				if matches(f, topic) {
					wants, qos = wants+1, max(qos, q)
				}
			}
			for f, s := range plan {
				if matches(f, topic) {
					subs, got = subs+1, max(got, s.qos)
					if s.id != 0 {
						marked++
					}
				}
			}
			if (wants > 0) != (subs > 0) || got < qos {
				t.Fatalf("%q of %v: %d subscriptions with QoS %d in %v, want some with %d", topic, wanted, subs, got, plan, qos)
			}
			if subs > 1 && marked != subs {
				t.Fatalf("%q of %v: several subscriptions without identifiers in %v", topic, wanted, plan)
			}
		}
	}
}

func TestPlan(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		wanted  map[string]byte
		refused map[string]string
		want    map[string]subscription
	}{
		{"a filter that another covers is left out, with the higher QoS",
			map[string]byte{"a/#": 0, "a/b": 2, "a": 1}, nil,
			map[string]subscription{"a/#": {qos: 2}}},
		{"what a refused filter covers is asked for itself",
			map[string]byte{"a/#": 0, "a/b": 2}, map[string]string{"a/#": "no"},
			map[string]subscription{"a/b": {qos: 2}}},
		{"system topics are not covered by wildcards at the beginning",
			map[string]byte{"#": 0, "$SYS/x": 0}, nil,
			map[string]subscription{"#": {}, "$SYS/x": {}}},
		{"coverage goes through several steps",
			map[string]byte{"#": 0, "+/#": 0, "+/b": 1}, nil,
			map[string]subscription{"#": {qos: 1}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := planner{identifiers: true}
			if diff := cmp.Diff(tt.want, p.plan(tt.wanted, tt.refused), cmp.AllowUnexported(subscription{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestIdentifiersStay(t *testing.T) {
	t.Parallel()
	p := planner{identifiers: true}
	first := p.plan(map[string]byte{"a/+": 0, "+/b": 0}, nil)
	second := p.plan(map[string]byte{"a/+": 0, "+/b": 0, "+/c": 0}, nil)
	if first["a/+"].id == 0 || first["a/+"] != second["a/+"] || first["+/b"] != second["+/b"] {
		t.Errorf("identifiers %v, then %v", first, second)
	}
	p.identifiers = false
	if plan := p.plan(map[string]byte{"a/+": 0, "+/b": 0}, nil); plan["a/+"].id != 0 {
		t.Errorf("%v: identifiers though the broker has none", plan)
	}
}

func TestCopies(t *testing.T) {
	t.Parallel()
	type in struct {
		topic, payload string
		id             uint32
		copied         bool
	}
	tests := []struct {
		name string
		in   []in
	}{
		{"one copy per subscription", []in{{"t", "1", 1, false}, {"t", "1", 2, true}, {"t", "1", 3, true}}},
		{"the same again is a message", []in{{"t", "1", 1, false}, {"t", "1", 1, false}, {"t", "1", 2, true}}},
		{"copies in another order", []in{{"t", "1", 1, false}, {"t", "1", 2, true}, {"t", "1", 2, false}, {"t", "1", 1, true}}},
		{"a value that comes back", []in{{"t", "1", 1, false}, {"t", "2", 1, false}, {"t", "1", 2, false}}},
		{"another payload", []in{{"t", "1", 1, false}, {"t", "2", 2, false}}},
		{"another topic", []in{{"t", "1", 1, false}, {"u", "1", 2, false}}},
		{"topic and payload are not run together", []in{{"t", "u1", 1, false}, {"tu", "1", 2, false}}},
		{"messages of others between", []in{{"t", "1", 1, false}, {"u", "1", 1, false}, {"t", "1", 2, true}, {"u", "1", 2, true}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newCopies()
			for i, m := range tt.in {
				if got := c.isCopy(m.topic, []byte(m.payload), m.id); got != m.copied {
					t.Errorf("message %d is a copy: %v, want %v", i, got, m.copied)
				}
			}
		})
	}
}
