package api

import (
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// negotiate returns why a route cannot take the body of a request or cannot
// answer in a content type that the client takes; nil if it can.
func negotiate(o *op, r *http.Request) *Problem {
	if len(o.accepts) > 0 && r.ContentLength != 0 && !slices.Contains(o.accepts, contentType(r)) {
		return problem(http.StatusUnsupportedMediaType, "unsupported-media-type", "the content type of the body is "+
			strconv.Quote(r.Header.Get("Content-Type"))+", want "+strings.Join(o.accepts, " or "))
	}
	if len(o.provides) > 0 && prefer(r.Header.Values("Accept"), o.provides) == "" {
		return problem(http.StatusNotAcceptable, "not-acceptable", "this answers with "+strings.Join(o.provides, " or "))
	}
	return nil
}

// contentType returns the content type of a body without its parameters.
func contentType(r *http.Request) string {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return kind
}

// prefer returns which of the offered content types a client likes best, the
// first of those it likes equally; empty if it takes none of them.
func prefer(accept, offered []string) string {
	header := strings.Join(accept, ",")
	if strings.TrimSpace(header) == "" {
		return offered[0]
	}
	best, bestQuality := "", 0.0
	for _, offer := range offered {
		if q := quality(header, offer); q > bestQuality {
			best, bestQuality = offer, q
		}
	}
	return best
}

// quality returns how much a client likes a content type, 0 to 1: the quality of
// the most specific range of its Accept header that holds the type.
func quality(accept, offer string) float64 {
	found, specific := 0.0, -1
	major, _, _ := strings.Cut(offer, "/")
	for part := range strings.SplitSeq(accept, ",") {
		name, parameters, _ := strings.Cut(part, ";")
		rank := slices.Index([]string{"*/*", major + "/*", offer}, strings.ToLower(strings.TrimSpace(name)))
		if rank <= specific {
			continue
		}
		found, specific = qualityValue(parameters), rank
	}
	return found
}

func qualityValue(parameters string) float64 {
	for p := range strings.SplitSeq(parameters, ";") {
		if text, ok := strings.CutPrefix(strings.TrimSpace(p), "q="); ok {
			if q, err := strconv.ParseFloat(text, 64); err == nil && q >= 0 && q <= 1 {
				return q
			}
			return 0
		}
	}
	return 1
}
