package iec104keys

import "testing"

func TestPrefixesOfIPv4MayBeWrittenAsIPv6(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"::ffff:10.0.0.5": "10.0.0.5/32", "::ffff:10.0.0.5/104": "10.0.0.0/8", "::ffff:10.0.0.5/96": "0.0.0.0/0",
		"fe80::1%eth0": "fe80::1/128", "::/0": "::/0", "10.9.8.7/16": "10.9.0.0/16",
	} {
		if got, err := parsePrefix(text); err != nil || got.String() != want {
			t.Errorf("%s: %v, %v, want %s", text, got, err, want)
		}
	}
}
