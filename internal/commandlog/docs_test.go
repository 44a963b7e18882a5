package commandlog

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"busbar/internal/point"
)

func TestLinesAreDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/commands.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(text)
	for _, typ := range []reflect.Type{reflect.TypeFor[line](), reflect.TypeFor[requester]()} {
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			if !strings.Contains(doc, "`"+name+"`") {
				t.Errorf("member %s is not in docs/commands.md", name)
			}
		}
	}
	for _, stage := range []string{received, confirmed, terminated} {
		if !strings.Contains(doc, "`"+stage+"` (") {
			t.Errorf("stage %s is not in docs/commands.md", stage)
		}
	}
	examples := 0
	for l := range strings.Lines(doc) {
		if !strings.HasPrefix(l, `{"time":`) {
			continue
		}
		examples++
		r, err := decode([]byte(l))
		if err != nil {
			t.Errorf("example %s: %v", l, err)
			continue
		}
		_, at, _ := strings.Cut(l, `"time":"`)
		var now stamp
		if err := now.UnmarshalText([]byte(at[:strings.IndexByte(at, '"')])); err != nil {
			t.Fatal(err)
		}
		if again, err := encode(&r, point.Instant(now).Time()); err != nil || string(again) != l {
			t.Errorf("example\n%s\nis written as\n%s%v", l, again, err)
		}
	}
	if examples != 3 {
		t.Errorf("%d examples in docs/commands.md, want 3", examples)
	}
}
