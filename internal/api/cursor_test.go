package api

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// pageRow is a pageRow of a list of the tests.
type pageRow struct{ id string }

func TestListIsReadPartByPart(t *testing.T) {
	t.Parallel()
	var all []pageRow
	for i := range 25 {
		all = append(all, pageRow{fmt.Sprintf("point/%02d", i)})
	}
	var got []string
	p := Page{Limit: 10}
	for part := 0; ; part++ {
		if part > 3 {
			t.Fatal("the list does not end")
		}
		after, err := p.after("points")
		if err != nil {
			t.Fatal(err)
		}
		var rows []pageRow
		for _, r := range all {
			if r.id > after && len(rows) <= p.Limit {
				rows = append(rows, r)
			}
		}
		l := newList(p, "points", rows, func(r pageRow) string { return r.id })
		for _, r := range l.Items {
			got = append(got, r.id)
		}
		if p.Cursor = l.Next; p.Cursor == "" {
			break
		}
	}
	if len(got) != 25 || got[0] != "point/00" || got[24] != "point/24" {
		t.Errorf("list %q, want 25 rows", got)
	}
	if l := newList(Page{Limit: 1}, "points", nil, func(r pageRow) string { return r.id }); l.Items == nil || l.Next != "" {
		t.Errorf("empty list %+v, want items that are not nil and no cursor", l)
	}
}

func TestCursorIsGoodForItsListOnly(t *testing.T) {
	t.Parallel()
	cursor := encodeCursor(viewOf("points", "q=a"), "point/1")
	for name, c := range map[string]struct{ view, cursor string }{
		"another filter":    {viewOf("points", "q=b"), cursor},
		"another list":      {viewOf("commands", "q=a"), cursor},
		"changed":           {viewOf("points", "q=a"), "B" + cursor[1:]},
		"cut":               {viewOf("points", "q=a"), cursor[:4]},
		"no base64":         {viewOf("points", "q=a"), "§"},
		"trailing bits set": {viewOf("points", "q=a"), encodeCursor("v", "ab")[:9] + "9"},
	} {
		if _, err := (Page{Cursor: c.cursor}).after(c.view); statusOf(err) != 422 {
			t.Errorf("%s: %v, want it to be refused", name, err)
		}
	}
	if key, err := (Page{Cursor: cursor}).after(viewOf("points", "q=a")); err != nil || key != "point/1" {
		t.Errorf("key %q, %v, want point/1", key, err)
	}
}

func FuzzCursor(f *testing.F) {
	f.Add("points", "", "")
	f.Add("points", "a/b", encodeCursor("points", "a/b"))
	f.Add("points", "a/b", "AQ")
	f.Fuzz(func(t *testing.T, view, key, cursor string) {
		if got, ok := decodeCursor(view, encodeCursor(view, key)); !ok || got != key {
			t.Fatalf("cursor of %q: %q, %v", key, got, ok)
		}
		got, ok := decodeCursor(view, cursor)
		if ok && encodeCursor(view, got) != cursor {
			t.Fatalf("cursor %q is taken and is not the one of %q", cursor, got)
		}
	})
}

func TestOrder(t *testing.T) {
	t.Parallel()
	o, err := parseOrder("-name", "id", "name")
	if err != nil || o.String() != "-name" {
		t.Fatalf("order %v, %v, want -name", o, err)
	}
	rows := []pageRow{{"b1"}, {"a1"}, {"a2"}}
	sorted(o, rows, func(r pageRow) string { return r.id[:1] }, func(r pageRow) string { return r.id })
	if got := fmt.Sprint(rows); got != "[{b1} {a2} {a1}]" {
		t.Errorf("rows %s, want descending by name and id", got)
	}
	if o, err := parseOrder("", "id", "name"); err != nil || o.String() != "id" {
		t.Errorf("default order %v, %v, want id", o, err)
	}
	if _, err := parseOrder("colour", "id", "name"); statusOf(err) != 422 {
		t.Errorf("order by an unknown member: %v, want it to be refused", err)
	}
}

func TestPreferredContentType(t *testing.T) {
	t.Parallel()
	offered := []string{"application/json", "application/yaml"}
	for accept, want := range map[string]string{
		"": "application/json", "*/*": "application/json", "application/*": "application/json",
		"application/yaml": "application/yaml", "Application/YAML; charset=utf-8": "application/yaml",
		"application/json;q=0.5, application/yaml": "application/yaml", "text/html, */*;q=0.1": "application/json",
		"application/json;q=0, */*": "application/yaml", "text/html": "", "application/json;q=2": "", "garbage": "",
		"*/*;q=0.1, application/json;q=0": "application/yaml",
	} {
		if got := prefer([]string{accept}, offered); got != want {
			t.Errorf("Accept %q: %q, want %q", accept, got, want)
		}
	}
}

func FuzzAccept(f *testing.F) {
	for _, s := range []string{"", "*/*", "text/html;q=0.3,*/*;q=x", ",;,", "a/b;q=1e400"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, accept string) {
		got := prefer([]string{accept}, []string{"application/json"})
		if got != "" && got != "application/json" || strings.TrimSpace(accept) == "" && got == "" || !utf8.ValidString(got) {
			t.Fatalf("%q: %q", accept, got)
		}
	})
}
