package api

import (
	"strings"
	"testing"
)

func TestMembersOccurOnce(t *testing.T) {
	t.Parallel()
	for text, twice := range map[string]string{
		`{"value":"off","value":"on"}`: "value", `{"a":[{"b":1},{"b":2}],"c":{"a":1}}`: "", `{"a":{"b":1,"\u0062":2}}`: "b",
		`[1,"a","a",{}]`: "", `"a"`: "", `{"a":"a","b":"a"}`: "", `{"a":[],"b":{},"a":1}`: "a", `[[{"x":[]}],{"x":1,"y":[2],"x":3}]`: "x",
	} {
		var v any
		err := unmarshalOnce([]byte(text), &v)
		if twice == "" && err != nil || twice != "" && (err == nil || !strings.Contains(err.Error(), `"`+twice+`" occurs twice`)) {
			t.Errorf("%s: error %v, want %q twice", text, err, twice)
		}
	}
	var v any
	if unmarshalOnce([]byte(`{"a":`), &v) == nil {
		t.Error("a text that ends early is taken")
	}
}
