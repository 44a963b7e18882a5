package plant_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/plant"
)

type base struct {
	Name string `json:"name" min:"2" max:"4"`
}

type all struct {
	embedded
	Flag   bool             `json:"flag"`
	Small  int8             `json:"small"`
	Big    uint64           `json:"big"`
	Ratio  float32          `json:"ratio" min:"0" max:"1"`
	Number float64          `json:"number"`
	Wait   time.Duration    `json:"wait" min:"1s"`
	Free   time.Duration    `json:"free"`
	Mode   string           `json:"mode" enum:"fast,slow"`
	Secret plant.Secret     `json:"secret"`
	Inner  *base            `json:"inner"`
	List   []base           `json:"list"`
	Modes  []string         `json:"modes" enum:"fast,slow" min:"1"`
	Counts map[string]uint8 `json:"counts" max:"2"`
	Raw    *plant.Node      `json:"raw"`
	Soon   plant.Later      `json:"soon"`
	Must   string           `json:"must" required:"true" doc:"something that must be"`
	_      int              // not exported: not a key
}

type embedded struct {
	Inlined int `json:"inlined" max:"9"`
}

// settingsOf decodes the settings of a connector of a kind with these settings
// and returns them with the problems, without their positions.
func settingsOf[T any](t *testing.T, defaults T, yaml string) (T, []string) {
	t.Helper()
	var got T
	decode := decodeOver(t, defaults)
	kinds := fakeKinds{"x": {settings: func(n *plant.Node) (any, []plant.FieldProblem) {
		v, faults := decode(n)
		got = *v.(*T)
		return v, faults
	}}}
	_, problems := plant.Decode("f", []byte("version: 1\nconnectors: {c: {kind: x, "+yaml+"}}"), kinds, plant.Options{})
	var texts []string
	for _, p := range problems {
		texts = append(texts, strings.TrimPrefix(p.Path, "connectors.c.")+": "+p.Text)
	}
	return got, texts
}

func TestDecoderFillsEveryType(t *testing.T) {
	t.Parallel()
	inner := &base{Name: "dd"}
	got, problems := settingsOf(t, all{Mode: "slow", Inner: inner, Number: 7, Modes: []string{"slow"}},
		`flag: true, small: -128, big: 9223372036854775807, ratio: 0.5, wait: 1m30s, free: 250ms, secret: 007, inner: {name: abc},
		 list: [{name: äöü}, {}], modes: [fast, slow], counts: {a.b: 255}, must: 1.10, inlined: 9`)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	want := all{
		Flag: true, Small: -128, Big: 1<<63 - 1, Ratio: 0.5, Number: 7, Wait: 90 * time.Second, Free: 250 * time.Millisecond,
		Mode: "slow", Secret: "007", Inner: &base{Name: "abc"}, List: []base{{Name: "äöü"}, {}}, Modes: []string{"fast", "slow"},
		Counts: map[string]uint8{"a.b": 255}, Must: "1.10", embedded: embedded{Inlined: 9},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(all{}, embedded{}, base{})); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	if inner.Name != "dd" {
		t.Error("the default behind a pointer was changed")
	}
}

func TestDecoderReportsEveryFault(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, yaml, want string }{
		{"boolean in quotes", `flag: "true"`, `flag: is "true", want true or false`},
		{"integer too large for its type", `small: 128`, `small: is 128, want an integer from -128 to 127`},
		{"integer in hexadecimal", `small: 0x10`, `small: is 0x10, want an integer from -128 to 127`},
		{"integer with fraction", `small: 1.0`, `small: is 1.0, want an integer from -128 to 127`},
		{"negative where unsigned", `big: -1`, `big: is -1, want an integer of 0 or more`},
		{"number out of bounds", `ratio: 1.5`, `ratio: is 1.5, want a number from 0 to 1`},
		{"number that is infinite", `number: 1e999`, `number: is 1e999, want a number`},
		{"not a number", `number: .nan`, `number: is .nan, want a number`},
		{"duration below its least", `wait: 999ms`, `wait: is 999ms, want a duration of 1s or more`},
		{"duration without unit", `free: 5`, `free: is 5, want a duration such as 15s, 10m or 250ms`},
		{"negative duration", `free: -5s`, `free: is -5s, want a duration such as 15s, 10m or 250ms`},
		{"word not in the list", `mode: fats`, `mode: is fats, want one of fast, slow; did you mean fast?`},
		{"nothing", `mode: ~`, `mode: is empty, want one of fast, slow`},
		{"text too short", `inner: {name: a}`, `inner.name: is a, want text of 2 to 4 characters`},
		{"text too long in a list", `list: [{}, {name: aaaaa}]`, `list[1].name: is aaaaa, want text of 2 to 4 characters`},
		{"list too short", `modes: []`, `modes: has 0 items, want 1 or more items`},
		{"word in a list", `modes: [fast, on]`, `modes[1]: is on, want one of fast, slow`},
		{"map too large", `counts: {a: 1, b: 2, c: 3}`, `counts: has 3 keys, want 0 to 2 keys`},
		{"value in a map", `counts: {a.b: 256}`, `counts."a.b": is 256, want an integer from 0 to 255`},
		{"map for text", `secret: {a: b}`, `secret: is a map, want text`},
		{"scalar for map", `inner: x`, `inner: is x, want a map`},
		{"key of a later version", `soon: x`, `soon: not supported by this version`},
		{"field without a tag", `internal: 1`, `internal: unknown key, want one of big, counts, enabled, flag, free, inlined, inner, kind, list, mode, modes, must, number, ratio, raw, secret, small, wait`},
		{"long text is cut", `mode: ` + strings.Repeat("x", 100), `mode: is ` + strings.Repeat("x", 60) + `…, want one of fast, slow`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, problems := settingsOf(t, all{}, tt.yaml+", must: x")
			if diff := cmp.Diff([]string{tt.want}, problems); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("missing key", func(t *testing.T) {
		t.Parallel()
		_, problems := settingsOf(t, all{}, "flag: true")
		if diff := cmp.Diff([]string{"must: is missing, want something that must be"}, problems); diff != "" {
			t.Errorf("problems (-want +got):\n%s", diff)
		}
	})
}

func TestRawNodeIsHandedOn(t *testing.T) {
	t.Parallel()
	got, problems := settingsOf(t, all{}, "must: x, raw: {a: [1]}")
	if len(problems) > 0 || got.Raw == nil || got.Raw.Get("a") == nil || got.Raw.Get("b") != nil {
		t.Errorf("raw node %v, problems %v", got.Raw, problems)
	}
}

func TestUnusableStructsAreRefused(t *testing.T) {
	t.Parallel()
	type circle struct {
		Next []*circle `json:"next"`
	}
	tests := []struct {
		name string
		err  error
	}{
		{"no struct", newError[int]()},
		{"channel", newError[struct {
			C chan int `json:"c"`
		}]()},
		{"circle", newError[circle]()},
		{"bound is no number", newError[struct {
			C int `json:"c" min:"x"`
		}]()},
		{"bounds are swapped", newError[struct {
			C int `json:"c" min:"2" max:"1"`
		}]()},
		{"key twice", newError[struct {
			embedded
			Other int `json:"inlined"`
		}]()},
		{"map with other keys", newError[struct {
			C map[int]int `json:"c"`
		}]()},
	}
	for _, tt := range tests {
		if tt.err == nil {
			t.Errorf("%s: there is a decoder, want an error", tt.name)
		}
	}
}

func newError[T any]() error {
	_, err := plant.NewDecoder[T]()
	return err
}

func TestDecodeStructRefusesWhatIsNoPointer(t *testing.T) {
	t.Parallel()
	for _, into := range []any{all{}, (*all)(nil), new(int)} {
		if faults := plant.DecodeStruct(&plant.Node{Kind: plant.Map}, into); len(faults) == 0 {
			t.Errorf("DecodeStruct into %T: no fault", into)
		}
	}
	var v embedded
	n := &plant.Node{Kind: plant.Map, Fields: []plant.Field{{Key: "inlined", Value: &plant.Node{Kind: plant.Scalar, Text: "5"}}}}
	if faults := plant.DecodeStruct(n, &v); len(faults) > 0 || v.Inlined != 5 {
		t.Errorf("DecodeStruct = %v, %+v", faults, v)
	}
}

func TestSecretIsNotShown(t *testing.T) {
	t.Parallel()
	type config struct {
		Password plant.Secret
	}
	s := config{"topsecret"}
	text, err := s.Password.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{
		fmt.Sprint(s), fmt.Sprintf("%+v %#v %q %s", s, s, s.Password, s.Password), string(text), s.Password.LogValue().String(),
	} {
		if strings.Contains(shown, "topsecret") || !strings.Contains(shown, "***") {
			t.Errorf("secret shown as %s", shown)
		}
	}
	if string(s.Password) != "topsecret" || plant.Secret("").String() != "" {
		t.Error("the text of a secret is not its text")
	}
}
