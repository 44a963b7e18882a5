package plant

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

const docs = "../../docs/plant.md"

// TestEveryKeyIsDocumented looks for each generic key in the reference.
func TestEveryKeyIsDocumented(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, keyed := range []any{fileKeys{}, connectorKeys{}, pointKeys{}, systemKeys{}, sourceKeys{}, targetKeys{}, commandKeys{}, requestKeys{}, executionKeys{}} {
		for f := range reflect.TypeOf(keyed).Fields() {
			keys = append(keys, f.Tag.Get("json"))
		}
	}
	for _, g := range []generic{connectorGeneric(), sourceGeneric(), targetGeneric(), requestGeneric(), executionGeneric()} {
		keys = append(append(keys, g.keys...), g.later...)
	}
	for _, key := range keys {
		if !strings.Contains(string(data), "`"+key+"`") {
			t.Errorf("%s does not mention the key `%s`", docs, key)
		}
	}
}

// TestGenericKeysAreThoseThatAreDecoded compares the lists by which keys are
// split with the structs that they are decoded into.
func TestGenericKeysAreThoseThatAreDecoded(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		keys  []string
		keyed any
	}{
		{"connector", connectorGeneric().keys, connectorKeys{}},
		{"point", pointGeneric().keys, pointKeys{}},
		{"system point", systemGeneric().keys, systemKeys{}},
		{"source", sourceGeneric().keys, sourceKeys{}},
		{"target", targetGeneric().keys, targetKeys{}},
		{"request", requestGeneric().keys, requestKeys{}},
		{"execution", executionGeneric().keys, executionKeys{}},
	} {
		var want []string
		for f := range reflect.TypeOf(tt.keyed).Fields() {
			want = append(want, f.Tag.Get("json"))
		}
		if !reflect.DeepEqual(tt.keys, want) {
			t.Errorf("%s: keys %v, fields %v", tt.name, tt.keys, want)
		}
	}
}
