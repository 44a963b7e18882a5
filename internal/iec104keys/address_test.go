package iec104keys

import (
	"strings"
	"testing"
)

func FuzzAddress(f *testing.F) {
	for _, s := range []string{"1", "0.225", "0.0.100", "65535", "1.2.3.4", "", ".", "-1", "1e3", "99999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for octets := 2; octets <= 3; octets++ {
			v, ok := parseAddress(s, octets)
			if ok && strings.Contains(s, ".") && v >= 1<<(8*octets) {
				t.Errorf("%q is the address %d of %d octets", s, v, octets)
			}
		}
	})
}
