package connector

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSecretKeysAreThoseOfTypeSecret(t *testing.T) {
	type inner struct {
		Key  Secret `json:"key"`
		Name string `json:"name"`
	}
	type inlined struct {
		Token Secret `json:"token"`
	}
	type settings struct {
		inlined
		Password Secret            `json:"password"`
		Users    map[string]Secret `json:"users"`
		Peers    []inner           `json:"peers"`
		TLS      *inner            `json:"tls"`
		Plain    string            `json:"plain"`
		Hidden   Secret            // has no key
	}
	kind := Define("k", Spec[settings, None, None]{New: func(settings, Env) (Connector, error) { return nil, nil }})
	r, err := NewRegistry(kind)
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{{"token"}, {"password"}, {"users", AnyKey}, {"peers", AnyKey, "key"}, {"tls", "key"}}
	if diff := cmp.Diff(want, r.SecretKeys("k")); diff != "" {
		t.Errorf("secrets (-want +got):\n%s", diff)
	}
	if got := r.SecretKeys("other"); got != nil {
		t.Errorf("secrets of a kind that is not there: %v, want none", got)
	}
}

func TestFileKeysAreThoseWithTheTag(t *testing.T) {
	type inner struct {
		Cert  string   `json:"cert" file:"true"`
		Lists []string `json:"lists" file:"true"`
		Name  string   `json:"name"`
	}
	type settings struct {
		Dir string `json:"dir" file:"true"`
		TLS inner  `json:"tls"`
	}
	r, err := NewRegistry(Define("k", Spec[settings, None, None]{New: func(settings, Env) (Connector, error) { return nil, nil }}))
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{{"dir"}, {"tls", "cert"}, {"tls", "lists", AnyKey}}
	if diff := cmp.Diff(want, r.FileKeys("k")); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}
