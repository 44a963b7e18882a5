package auth

import (
	"container/list"
	"math"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// Attempts to sign in: at once, and one more every so often.
	addressBurst = 30
	addressEvery = 3 * time.Second
	accountBurst = 20
	accountEvery = 6 * time.Second
	// mostLimited is of how many addresses or accounts attempts are remembered;
	// whoever tried least recently is forgotten first.
	mostLimited = 10_000
)

// attempts limits how often somebody may try. It is safe for concurrent use.
type attempts struct {
	every time.Duration
	burst int

	mu    sync.Mutex
	byKey map[string]*list.Element
	order list.List // of *attempt, most recent first
}

type attempt struct {
	key   string
	limit *rate.Limiter
}

func newAttempts(every time.Duration, burst int) *attempts {
	return &attempts{every: every, burst: burst, byKey: make(map[string]*list.Element)}
}

// try notes an attempt, and refuses it when there have been too many.
func (a *attempts) try(key string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	e, ok := a.byKey[key]
	if ok {
		a.order.MoveToFront(e)
	} else {
		e = a.order.PushFront(&attempt{key, rate.NewLimiter(rate.Every(a.every), a.burst)})
		a.byKey[key] = e
		if a.order.Len() > mostLimited {
			delete(a.byKey, a.order.Remove(a.order.Back()).(*attempt).key)
		}
	}
	r := e.Value.(*attempt).limit.Reserve()
	wait := r.Delay()
	if wait == 0 {
		return nil
	}
	r.Cancel()
	refusal := refuse(http.StatusTooManyRequests, CodeTooMany, "too many attempts to sign in, try again later")
	refusal.RetryAfter = int(math.Ceil(wait.Seconds()))
	return refusal
}

// LimitedAddress returns what requests from an address are counted under: hosts
// have a whole network of IPv6 addresses.
func LimitedAddress(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if ip = ip.Unmap().WithZone(""); ip.Is4() {
		return ip.String()
	}
	network, err := ip.Prefix(64)
	if err != nil {
		return address
	}
	return network.String()
}

// normalName returns the name of a user as it is stored and looked up.
func normalName(name string) string { return strings.ToLower(strings.TrimSpace(name)) }
