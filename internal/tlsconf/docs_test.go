package tlsconf

import (
	"reflect"
	"strings"
	"testing"

	"busbar/internal/connector"
)

func TestKeysReasonsAndFiguresAreDocumented(t *testing.T) {
	t.Parallel()
	text := string(read(t, "../../docs/tls.md"))
	settings := reflect.TypeFor[Settings]()
	for i := range settings.NumField() {
		key := settings.Field(i).Tag.Get("json")
		if !strings.Contains(text, "| `"+key+"`") && !strings.Contains(text, ", `"+key+"` |") {
			t.Errorf("key %s is not in the tables of docs/tls.md", key)
		}
	}
	for _, r := range Reasons() {
		if !strings.Contains(text, "| `"+r.String()+"`") && !strings.Contains(text, ", `"+r.String()+"` |") {
			t.Errorf("reason %s is not in the tables of docs/tls.md", r)
		}
	}
	a := newAuthority(t, "Plant CA")
	a.issue("server", nil)
	s := a.settings("server")
	s.CRL = []string{a.path("ca.crl")}
	e := endpoint(t, s, Server)
	must(t, e.Reload())
	e.figures.refuse(Expired)
	e.figures.end(Revoked)
	n := 0
	e.Collect(func(m connector.Metric) {
		n++
		if !strings.Contains(text, "| `busbar_"+m.Name+"` |") {
			t.Errorf("figure %s is not in docs/tls.md", m.Name)
		}
	})
	if n != 7 {
		t.Errorf("%d figures, want 7", n)
	}
}
