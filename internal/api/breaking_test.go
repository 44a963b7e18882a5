package api

import (
	"fmt"
	"slices"
	"strings"
)

// comparison compares two versions of an OpenAPI document. It knows what this API
// uses of OpenAPI: no callbacks, no links, references to schemas only.
type comparison struct {
	before, after object // the documents
	faults        []string
	under         map[string]bool // pairs of schemas that are being compared, and in which direction
}

// object is a JSON object.
type object = map[string]any

// breaking returns how clients of the document before can break with the one after.
func breaking(before, after object) []string {
	c := &comparison{before: before, after: after, under: map[string]bool{}}
	paths := child(after, "paths")
	for path, item := range child(before, "paths") {
		for method, o := range item.(object) {
			where := strings.ToUpper(method) + " " + path
			now, ok := child(paths, path)[method].(object)
			if !ok {
				c.fault(where, "is no longer there")
				continue
			}
			c.operation(where, o.(object), now)
		}
	}
	slices.Sort(c.faults)
	return slices.Compact(c.faults)
}

func (c *comparison) fault(where, format string, args ...any) {
	c.faults = append(c.faults, where+" "+fmt.Sprintf(format, args...))
}

func (c *comparison) operation(where string, before, after object) {
	if a, b := before["operationId"], after["operationId"]; a != b {
		c.fault(where, "has the id %v, it was %v", b, a)
	}
	for _, x := range []string{"x-busbar-role", "x-busbar-scope"} {
		if a, b := before[x], after[x]; a != b && b != "public" && b != "viewer" && b != "points" && b != "self" {
			c.fault(where, "has %s %v, it was %v", x, b, a)
		}
	}
	c.parameters(where, named(before["parameters"]), named(after["parameters"]))
	c.body(where, child(before, "requestBody"), child(after, "requestBody"))
	for status, answer := range child(before, "responses") {
		if status >= "300" {
			continue
		}
		at := where + " answer " + status
		now, ok := child(after, "responses")[status].(object)
		if !ok {
			c.fault(at, "is no longer there")
			continue
		}
		for kind, content := range child(answer.(object), "content") {
			media, ok := child(now, "content")[kind].(object)
			if !ok {
				c.fault(at, "is no longer %s", kind)
				continue
			}
			c.schema(at, child(content.(object), "schema"), child(media, "schema"), answers)
		}
	}
}

func (c *comparison) parameters(where string, before, after map[string]object) {
	for name, p := range before {
		now, ok := after[name]
		if !ok {
			c.fault(where, "no longer takes %s", name) // unknown ones are refused
			continue
		}
		if now["required"] == true && p["required"] != true {
			c.fault(where, "needs %s", name)
		}
		c.schema(where+" "+name, child(p, "schema"), child(now, "schema"), asks)
	}
	for name, p := range after {
		if _, ok := before[name]; !ok && p["required"] == true {
			c.fault(where, "needs %s", name)
		}
	}
}

func (c *comparison) body(where string, before, after object) {
	where += " body"
	if after["required"] == true && before["required"] != true {
		c.fault(where, "is needed")
	}
	for kind, content := range child(before, "content") {
		media, ok := child(after, "content")[kind].(object)
		if !ok {
			c.fault(where, "may no longer be %s", kind)
			continue
		}
		c.schema(where, child(content.(object), "schema"), child(media, "schema"), asks)
	}
}

// direction is who writes what a schema describes.
type direction string

const (
	asks    direction = "asks"    // the client: what was taken must still be taken
	answers direction = "answers" // the server: what was promised must still come
)

func (c *comparison) schema(where string, before, after object, d direction) {
	key := fmt.Sprint(before["$ref"], after["$ref"], d)
	if before["$ref"] != nil || after["$ref"] != nil {
		if c.under[key] {
			return
		}
		c.under[key] = true
		defer delete(c.under, key)
	}
	before, after = resolve(c.before, before), resolve(c.after, after)
	if len(before) == 0 && d == answers || len(after) == 0 && d == asks {
		return // anything
	}
	if a, b := fmt.Sprint(before["type"], before["format"]), fmt.Sprint(after["type"], after["format"]); a != b {
		c.fault(where, "is %s, it was %s", b, a)
		return
	}
	c.values(where, before, after, d)
	if items := child(before, "items"); items != nil {
		c.schema(where+"[]", items, child(after, "items"), d)
	}
	c.members(where, before, after, d)
	c.choices(where, before, after, d)
}

// values compares what restricts a value.
func (c *comparison) values(where string, before, after object, d direction) {
	if d == answers {
		return // new values are no break: clients are told to expect them
	}
	if wanted, ok := after["enum"].([]any); ok {
		had, limited := before["enum"].([]any)
		if !limited {
			c.fault(where, "is limited to %v", wanted)
		}
		for _, value := range had {
			if !slices.Contains(wanted, value) {
				c.fault(where, "may no longer be %v", value)
			}
		}
	}
	for _, limit := range []struct {
		name  string
		lower bool // a lower one is narrower
	}{{"maximum", true}, {"maxLength", true}, {"maxItems", true}, {"minimum", false}, {"minLength", false}, {"minItems", false}} {
		now, limited := after[limit.name].(float64)
		was, had := before[limit.name].(float64)
		if limited && (!had || limit.lower && now < was || !limit.lower && now > was) {
			c.fault(where, "has %s %v, it was %v", limit.name, now, before[limit.name])
		}
	}
	if after["pattern"] != nil && after["pattern"] != before["pattern"] {
		c.fault(where, "has the pattern %v, it was %v", after["pattern"], before["pattern"])
	}
}

// members compares the members of objects.
func (c *comparison) members(where string, before, after object, d direction) {
	was, is := child(before, "properties"), child(after, "properties")
	for name, member := range was {
		now, ok := is[name].(object)
		if !ok {
			c.fault(where, "no longer has %s", name) // unknown ones are refused
			continue
		}
		c.schema(where+"."+name, member.(object), now, d)
	}
	for name := range is {
		needed, had := contains(after["required"], name), contains(before["required"], name)
		switch {
		case d == asks && needed && !had:
			c.fault(where, "needs %s", name)
		case d == answers && had && !needed:
			c.fault(where, "may come without %s", name)
		}
	}
}

// choices compares the schemas of which one applies, by title or by reference.
func (c *comparison) choices(where string, before, after object, d direction) {
	name := func(s object) string { return fmt.Sprint(s["title"], s["$ref"]) }
	list, _ := before["oneOf"].([]any)
	now, _ := after["oneOf"].([]any)
	for _, one := range list {
		i := slices.IndexFunc(now, func(other any) bool { return name(other.(object)) == name(one.(object)) })
		if i < 0 {
			c.fault(where, "is no longer %s", name(one.(object)))
			continue
		}
		c.schema(where+" "+name(one.(object)), one.(object), now[i].(object), d)
	}
}

func child(o object, name string) object {
	member, _ := o[name].(object)
	return member
}

func contains(list any, name string) bool {
	names, _ := list.([]any)
	return slices.Contains(names, any(name))
}

// named returns parameters by place and name.
func named(list any) map[string]object {
	byName := map[string]object{}
	all, _ := list.([]any)
	for _, p := range all {
		byName[fmt.Sprint(p.(object)["in"], ".", p.(object)["name"])] = p.(object)
	}
	return byName
}

// resolve returns the schema that s refers to.
func resolve(doc, s object) object {
	if ref, ok := s["$ref"].(string); ok {
		return child(child(child(doc, "components"), "schemas"), strings.TrimPrefix(ref, "#/components/schemas/"))
	}
	return s
}
