package linkprofile

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/connector"
	"busbar/internal/plant"
)

func TestEveryProfileIsComplete(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for i, p := range All() {
		if seen[p.Name] || strings.Trim(p.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			t.Errorf("%q occurs twice or is no name", p.Name)
		}
		seen[p.Name] = true
		if p.Title == "" || len(p.Basis) < 10 || p.Standing == 0 {
			t.Errorf("%s does not say what it is, what it is worth or what it rests on", p.Name)
		}
		if (p.Standing == Standard) != (i == 0) {
			t.Errorf("%s is %s at place %d", p.Name, p.Standing, i)
		}
		complete, err := p.Params.Complete()
		if err != nil || complete != p.Params {
			t.Errorf("%s: parameters %+v, %v; want them complete and right", p.Name, p.Params, err)
		}
		if 3*p.Params.W > 2*p.Params.K+2 {
			t.Errorf("%s: w %d is more than two thirds of k %d", p.Name, p.Params.W, p.Params.K)
		}
	}
}

func TestWhatDiffersFromTheStandardSaysWhatItRestsOn(t *testing.T) {
	t.Parallel()
	plain := standard()
	want := map[string]string{}
	for _, v := range plain.Values() {
		want[v.Key] = v.Value
	}
	for _, p := range All() {
		for _, v := range p.Values() {
			own := p.rests[v.Key] != ""
			if v.Value != want[v.Key] && !own {
				t.Errorf("%s: %s is %s, the standard has %s, and nothing says why", p.Name, v.Key, v.Value, want[v.Key])
			}
			if v.Basis == "" {
				t.Errorf("%s: %s rests on nothing", p.Name, v.Key)
			}
		}
		for key := range p.rests {
			if want[key] == "" {
				t.Errorf("%s gives a reason for %s, which is no value", p.Name, key)
			}
		}
	}
}

func TestStandardValues(t *testing.T) {
	t.Parallel()
	p, err := Find("standard")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, v := range p.Values() {
		got[v.Key] = v.Value
	}
	want := map[string]string{
		"k": "12", "w": "8", "t0": "30s", "t1": "15s", "t2": "10s", "t3": "20s", "maxAPDU": "253",
		"octets": "{cause: 2, ca: 2, ioa: 3}", "maxObjects": "127", "time": "utc", "summerTime": "true", "weekday": "true",
		"interrogation": "untagged", "endOfInitialisation": "true", "originator": "mirror", "unknownRequests": "cause",
		"termination": "command", "unknownQualifiers": "refuse", "lateCommands": "discard", "commandAge": "10s",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestUnknownProfileNamesThoseThatExist(t *testing.T) {
	t.Parallel()
	_, err := Find("scada")
	if err == nil || !strings.Contains(err.Error(), `"scada"`) || !strings.Contains(err.Error(), "standard, edition-2, psicontrol") {
		t.Errorf("the error is %v", err)
	}
	var n Name
	if err := n.UnmarshalNode(scalar("scada")); err == nil || n != "" {
		t.Errorf("decoded as %q, %v", n, err)
	}
	if err := n.UnmarshalNode(&connector.Node{Kind: plant.List}); err == nil {
		t.Error("a list was decoded")
	}
	if err := n.UnmarshalNode(scalar("highleit")); err != nil || n != "highleit" {
		t.Errorf("decoded as %q, %v", n, err)
	}
}

func TestProfileOfAConnector(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]time.Duration{"lib60870": 10 * time.Second, "standard": 30 * time.Second, "nonsense": 30 * time.Second} {
		if got := Of(keys(name)).Params.T0; got != want {
			t.Errorf("t0 of %s is %v, want %v", name, got, want)
		}
	}
	if got := Of(&connector.Node{Kind: plant.Map}); got.Name != "standard" {
		t.Errorf("without the key it is %s", got.Name)
	}
}

func scalar(text string) *connector.Node {
	return &connector.Node{Kind: plant.Scalar, Text: text}
}

func keys(profile string) *connector.Node {
	return &connector.Node{Kind: plant.Map, Fields: []plant.Field{{Key: "profile", Value: scalar(profile)}}}
}
