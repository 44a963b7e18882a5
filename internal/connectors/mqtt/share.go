package mqtt

import (
	"strings"

	"busbar/internal/connector"
)

// sharePrefix begins the filter of a shared subscription, $share/<group>/<filter>:
// of all subscribers of a group one gets each message.
const sharePrefix = "$share/"

// unshared returns the filter that the topics of a subscription match.
func unshared(filter string) string {
	if rest, ok := strings.CutPrefix(filter, sharePrefix); ok {
		_, rest, _ = strings.Cut(rest, "/")
		return rest
	}
	return filter
}

// isShared reports whether others may get what a filter matches.
func isShared(filter string) bool { return strings.HasPrefix(filter, sharePrefix) }

// checkSubscription is checkTopic for what may be a shared subscription.
func checkSubscription(filter string) string {
	rest, shared := strings.CutPrefix(filter, sharePrefix)
	if !shared {
		return checkTopic(filter)
	}
	group, inner, ok := strings.Cut(rest, "/")
	if !ok || group == "" || inner == "" || strings.ContainsAny(group, "+#") {
		return "is " + shorten(filter) + ", want $share/<group>/<topic or filter>, the group without + and #"
	}
	if text := checkTopic(inner); text != "" || len(filter) > maxTopic {
		return "behind $share/" + shorten(group) + "/: " + text
	}
	return ""
}

// checkShares reports shared subscriptions whose messages come for another
// subscription of the same connector, too: nobody could tell them apart.
func checkShares(sources []connector.End[Source]) []connector.Problem {
	var all, shared filters
	known := make(map[string]bool)
	owner := make(map[string]string) // of what topics are matched with: the first subscription
	var problems []connector.Problem
	for _, end := range sources {
		topic := end.End.Topic
		if known[topic] {
			continue
		}
		known[topic] = true
		inner := unshared(topic)
		all.add(inner)
		if isShared(topic) {
			shared.add(inner)
		}
		if first, ok := owner[inner]; ok {
			problems = append(problems, end.Faultf("topic", "is %s, and %s is subscribed to, too: a message would come twice, want one of them or another connector",
				shorten(topic), shorten(first)))
		}
		owner[inner] = topic
	}
	for _, end := range sources {
		topic := end.End.Topic
		others := &all
		if !isShared(topic) {
			others = &shared
		}
		inner := unshared(topic)
		if _, covered := others.covering(inner); covered || others.overlaps(inner) {
			problems = append(problems, end.Faultf("topic", "is %s, which overlaps another filter, one of them shared: a message would come twice, want another connector for the shared one",
				shorten(topic)))
		}
	}
	return problems
}
