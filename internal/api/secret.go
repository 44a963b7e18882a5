package api

import (
	"strconv"
	"strings"
)

// secretWord reports whether a member with this name may hold a secret.
func secretWord(name string) bool {
	name = strings.ToLower(name)
	for _, word := range []string{"password", "passphrase", "secret", "token", "credential", "authorization", "cookie", "privatekey", "totp", "otp", "recovery"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return name == "key" || name == "code"
}

// secretLocation reports whether what lies at a location may be a secret.
func secretLocation(location string) bool {
	for part := range strings.FieldsFuncSeq(location, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		if secretWord(part) {
			return true
		}
	}
	return false
}

// size writes a number of octets for people.
func size(octets int64) string {
	switch {
	case octets >= 1<<20 && octets%(1<<20) == 0:
		return strconv.FormatInt(octets>>20, 10) + " MiB"
	case octets >= 1<<10 && octets%(1<<10) == 0:
		return strconv.FormatInt(octets>>10, 10) + " KiB"
	default:
		return strconv.FormatInt(octets, 10) + " octets"
	}
}

// withoutSecrets replaces the values of members that may be secrets, and passwords
// in URLs. References such as ${secret:name} stay.
func withoutSecrets(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			if text, ok := member.(string); ok && secretWord(name) && text != "" && !strings.HasPrefix(text, "${") {
				v[name] = "***"
				continue
			}
			v[name] = withoutSecrets(member)
		}
	case string:
		return withoutPassword(v)
	case []any:
		for i := range v {
			v[i] = withoutSecrets(v[i])
		}
	}
	return v
}
