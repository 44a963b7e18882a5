package api

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Conditions are the conditions of a request. Inputs that read or write one object embed them.
type Conditions struct {
	IfMatch     string `header:"If-Match" maxLength:"1024" doc:"Only if the object is still so (its ETag), or * if it exists"`
	IfNoneMatch string `header:"If-None-Match" maxLength:"1024" doc:"Reading: only if the object is no longer so (its ETag). Writing: * if it does not exist yet"`
}

// etagOf returns the entity tag of an object: the revision that changed it last and a hash of its content.
func etagOf(revision int64, body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + strconv.FormatInt(revision, 10) + "-" + hex.EncodeToString(sum[:8]) + `"`
}

// writable returns why an object must not be written; nil if it may. etag is its
// present tag, empty if it does not exist.
func (c Conditions) writable(etag string) error {
	if c.IfMatch != "" {
		tags, err := parseTags("If-Match", c.IfMatch)
		if err != nil {
			return err
		}
		if etag == "" || !tags.strongly(etag) {
			return preconditionFailed(etag)
		}
	}
	if c.IfNoneMatch != "" {
		tags, err := parseTags("If-None-Match", c.IfNoneMatch)
		if err != nil {
			return err
		}
		if etag != "" && tags.weakly(etag) {
			return preconditionFailed(etag)
		}
	}
	return nil
}

// readable returns 304 as an error if the client has the object with this tag already, and
// 412 if it wants another one; nil: it is answered.
func (c Conditions) readable(etag string) error {
	if c.IfMatch != "" {
		tags, err := parseTags("If-Match", c.IfMatch)
		if err != nil {
			return err
		}
		if !tags.strongly(etag) {
			return preconditionFailed(etag)
		}
	}
	if c.IfNoneMatch == "" {
		return nil
	}
	tags, err := parseTags("If-None-Match", c.IfNoneMatch)
	if err != nil || !tags.weakly(etag) {
		return err
	}
	p := problem(http.StatusNotModified, "not-modified", "")
	p.headers = http.Header{"Etag": {etag}}
	return p
}

func preconditionFailed(etag string) *Problem {
	detail := "somebody else has changed it since: it is " + etag + " now"
	if etag == "" {
		detail = "it does not exist"
	}
	p := problem(http.StatusPreconditionFailed, "precondition-failed", detail)
	if etag != "" {
		p.headers = http.Header{"Etag": {etag}}
	}
	return p
}

// tags are the entity tags of a condition.
type tags struct {
	any  bool
	list []string // with quotes, weak ones with W/
}

func (t tags) strongly(etag string) bool { return t.any || slices.Contains(t.list, etag) }

func (t tags) weakly(etag string) bool {
	return t.any || slices.ContainsFunc(t.list, func(tag string) bool {
		return strings.TrimPrefix(tag, "W/") == strings.TrimPrefix(etag, "W/")
	})
}

// parseTags reads "*" or a list of entity tags.
func parseTags(header, text string) (tags, error) {
	text = strings.Trim(text, " \t")
	if text == "*" {
		return tags{any: true}, nil
	}
	var t tags
	for rest := text; ; {
		tag, after, ok := cutTag(rest)
		if !ok {
			return tags{}, invalid("the condition cannot be read", Fault{
				Location: "header." + header, Message: `want * or entity tags such as "12-9f86d081884c7d65"`, Value: shown("", text),
			})
		}
		t.list = append(t.list, tag)
		rest = strings.TrimLeft(after, " \t")
		if rest == "" {
			return t, nil
		}
		if rest[0] != ',' {
			rest = "," // no tag: refused above
		}
		rest = strings.TrimLeft(rest[1:], " \t")
	}
}

// cutTag cuts an entity tag off the front of text.
func cutTag(text string) (tag, rest string, ok bool) {
	opaque := strings.TrimPrefix(text, "W/")
	if !strings.HasPrefix(opaque, `"`) {
		return "", "", false
	}
	end := strings.IndexByte(opaque[1:], '"')
	if end < 0 {
		return "", "", false
	}
	for _, c := range []byte(opaque[1 : end+1]) {
		if c < 0x21 || c == 0x7f {
			return "", "", false
		}
	}
	n := len(text) - len(opaque) + end + 2
	return text[:n], text[n:], true
}
