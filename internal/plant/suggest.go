package plant

import (
	"slices"
	"strings"
)

// unknownKey is the text of a key that is not among known.
func unknownKey(key string, known []string) string {
	text := "unknown key"
	if s := suggest(key, known); s != "" {
		return text + s
	}
	if len(known) == 0 {
		return text + ", want no further keys"
	}
	sorted := slices.Sorted(slices.Values(known))
	return text + ", want " + oneOf(sorted)
}

// suggest returns "; did you mean …?" with the word that is closest to s, or
// nothing if none is close.
func suggest(s string, words []string) string {
	best, least := "", len(s)/3
	for _, w := range words {
		if d := distance(strings.ToLower(s), strings.ToLower(w), least+1); d <= least && (best == "" || d < least) {
			best, least = w, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// distance returns how many characters must be inserted, removed, replaced or
// swapped with their neighbour to make b of a, counting no further than limit.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit || len(a) > 64 {
		return limit
	}
	older, old, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		older, old, row = old, row, older
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := old[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(change, old[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], older[j-2]+1)
			}
		}
	}
	return min(row[len(b)], limit)
}

// oneOf lists words for a problem.
func oneOf(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	return "one of " + strings.Join(words, ", ")
}

// Suggest returns "; did you mean …?" with the word that is closest to s, or nothing if
// none is close.
func Suggest(s string, words []string) string { return suggest(s, words) }
