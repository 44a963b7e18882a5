package auth

import (
	"testing"
)

func TestRolesPermit(t *testing.T) {
	t.Parallel()
	all := []Role{Viewer, Operator, Engineer, Admin}
	for _, c := range []struct {
		name string
		set  Roles
		may  []bool // viewer, operator, engineer, admin
	}{
		{"nobody may nothing", 0, []bool{false, false, false, false}},
		{"a viewer sees", RolesOf(Viewer), []bool{true, false, false, false}},
		{"an operator sees and operates", RolesOf(Operator), []bool{true, true, false, false}},
		{"an engineer sees and changes the plant, and does not operate", RolesOf(Engineer), []bool{true, false, true, false}},
		{"two roles", RolesOf(Operator, Engineer), []bool{true, true, true, false}},
		{"an admin may everything", RolesOf(Admin), []bool{true, true, true, true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for i, r := range all {
				if got := (Principal{Roles: c.set}).May(r); got != c.may[i] {
					t.Errorf("%v: %v, want %v", r, got, c.may[i])
				}
				if (Principal{Roles: c.set, MustChange: true}).May(r) {
					t.Errorf("%v: permitted before the password was changed", r)
				}
			}
		})
	}
}

func TestPrincipalSeesItsSubtrees(t *testing.T) {
	t.Parallel()
	limited := Principal{Subtrees: []string{"ons4711", "ons4712/t1"}}
	for id, want := range map[string]bool{
		"ons4711": true, "ons4711/t1/oil": true, "ons47110/t1": false, "ons4712/t1": true, "ons4712/t10": false, "ons4712/q0": false, "": false,
	} {
		if got := limited.Sees(id); got != want {
			t.Errorf("%q: %v, want %v", id, got, want)
		}
	}
	if !(Principal{}).Sees("anything") {
		t.Error("a principal without limits does not see everything")
	}
}
