package auth

import (
	_ "embed" // the list of common passwords
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// ShortestPassword is the least number of characters of a password.
	ShortestPassword = 12
	longestPassword  = 256
	// fewestCharacters is the least number of different characters.
	fewestCharacters = 5
)

//go:embed common.txt
var commonPasswords string

// checkPassword returns why a password may not be that of the user with the
// given name, or nil.
func checkPassword(password, user string) error {
	bad := func(format string, args ...any) error { return invalid("newPassword", CodePassword, format, args...) }
	n := utf8.RuneCountInString(password)
	lower := strings.ToLower(password)
	switch {
	case !utf8.ValidString(password):
		return bad("the password is not valid UTF-8")
	case n < ShortestPassword:
		return bad("the password has %d characters, want %d or more", n, ShortestPassword)
	case n > longestPassword:
		return bad("the password has %d characters, want %d or fewer", n, longestPassword)
	case len(user) >= 3 && strings.Contains(lower, strings.ToLower(user)):
		return bad("the password contains the name of the user")
	case differentCharacters(lower) < fewestCharacters:
		return bad("the password has fewer than %d different characters", fewestCharacters)
	case isCommon(lower):
		return bad("the password is among the most common ones")
	}
	return nil
}

func differentCharacters(s string) int {
	seen := make(map[rune]bool)
	for _, r := range s {
		seen[r] = true
	}
	return len(seen)
}

// isCommon reports whether a password in lower case, with or without digits and
// signs around it, or said twice, is in the list.
func isCommon(lower string) bool {
	bare := strings.TrimFunc(lower, func(r rune) bool { return !unicode.IsLetter(r) })
	half, twice := lower[:len(lower)/2], len(lower)%2 == 0 && lower[:len(lower)/2] == lower[len(lower)/2:]
	for word := range strings.Lines(commonPasswords) {
		word = strings.TrimSpace(word)
		if word != "" && (word == lower || word == bare || twice && word == half) {
			return true
		}
	}
	return false
}
