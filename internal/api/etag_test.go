package api

import (
	"errors"
	"net/http"
	"strings"
	"testing"
)

func TestConditionsOfWriting(t *testing.T) {
	t.Parallel()
	const tag = `"12-9f86d081884c7d65"`
	for _, c := range []struct {
		name string
		Conditions
		etag string // present one; empty: there is no object
		want int    // status; 0: may be written
	}{
		{"no condition, new", Conditions{}, "", 0},
		{"no condition, there", Conditions{}, tag, 0},
		{"as it is", Conditions{IfMatch: tag}, tag, 0},
		{"one of many", Conditions{IfMatch: `"a", W/"b" ,` + tag}, tag, 0},
		{"changed since", Conditions{IfMatch: `"11-9f86d081884c7d65"`}, tag, 412},
		{"weak tags do not match strongly", Conditions{IfMatch: "W/" + tag}, tag, 412},
		{"gone", Conditions{IfMatch: tag}, "", 412},
		{"must be there and is", Conditions{IfMatch: "*"}, tag, 0},
		{"must be there and is not", Conditions{IfMatch: "*"}, "", 412},
		{"must be new and is", Conditions{IfNoneMatch: "*"}, "", 0},
		{"must be new and is not", Conditions{IfNoneMatch: "*"}, tag, 412},
		{"must be another", Conditions{IfNoneMatch: tag}, tag, 412},
		{"without quotes", Conditions{IfMatch: "12-9f86d081884c7d65"}, tag, 422},
		{"without an end", Conditions{IfMatch: `"12`}, tag, 422},
		{"with a control character", Conditions{IfNoneMatch: "\"1\x7f2\""}, tag, 422},
		{"without a comma", Conditions{IfMatch: `"a" "b"`}, tag, 422},
		{"with a comma at the end", Conditions{IfMatch: `"a",`}, tag, 422},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := statusOf(c.writable(c.etag)); got != c.want {
				t.Errorf("status %d, want %d", got, c.want)
			}
		})
	}
}

func TestConditionsOfReading(t *testing.T) {
	t.Parallel()
	const tag = `"12-9f86d081884c7d65"`
	for _, c := range []struct {
		name string
		Conditions
		want int
	}{
		{"no condition", Conditions{}, 0},
		{"known already", Conditions{IfNoneMatch: tag}, 304},
		{"known already, compared weakly", Conditions{IfNoneMatch: "W/" + tag}, 304},
		{"any is known", Conditions{IfNoneMatch: "*"}, 304},
		{"another is known", Conditions{IfNoneMatch: `"11"`}, 0},
		{"wanted as it is", Conditions{IfMatch: tag}, 0},
		{"wanted as it was", Conditions{IfMatch: `"11"`}, 412},
		{"no tag", Conditions{IfNoneMatch: "x"}, 422},
		{"no tag to match", Conditions{IfMatch: "x"}, 422},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.readable(tag)
			if got := statusOf(err); got != c.want {
				t.Errorf("status %d, want %d", got, c.want)
			}
			var p *Problem
			if errors.As(err, &p) && p.Status != 422 && p.headers.Get("ETag") != tag {
				t.Errorf("headers %v, want the tag", p.headers)
			}
		})
	}
}

func statusOf(err error) int {
	var p *Problem
	if errors.As(err, &p) {
		return p.Status
	}
	return 0
}

func TestTagTellsRevisionAndContent(t *testing.T) {
	t.Parallel()
	// 9f86d081884c7d65… is the SHA-256 of "test" in the documents of the algorithm.
	if got, want := etagOf(12, []byte("test")), `"12-9f86d081884c7d65"`; got != want {
		t.Errorf("tag %s, want %s", got, want)
	}
}

func FuzzTags(f *testing.F) {
	for _, s := range []string{"*", `"a"`, `W/"a", "b"`, `"a`, `,`, `"a",`, "\"\x00\"", `W/`, `""`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseTags("If-Match", text)
		if err != nil {
			if statusOf(err) != http.StatusUnprocessableEntity {
				t.Fatalf("%q: %v, want a problem", text, err)
			}
			return
		}
		if got.any != (len(got.list) == 0) {
			t.Fatalf("%q: any %v with tags %q", text, got.any, got.list)
		}
		again, err := parseTags("If-Match", strings.Join(got.list, ","))
		if !got.any && (err != nil || strings.Join(again.list, ",") != strings.Join(got.list, ",")) {
			t.Fatalf("%q: tags %q, read again %q, %v", text, got.list, again.list, err)
		}
	})
}
