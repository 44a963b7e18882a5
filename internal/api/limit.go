package api

import (
	linked "container/list"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"busbar/internal/auth"
)

// Limits bound what clients may ask. Zero means the default.
type Limits struct {
	AddressRate    rate.Limit // requests per second from one address, default 200
	AddressBurst   int        // at once, default 400
	PrincipalRate  rate.Limit // requests per second of one principal, default 100
	PrincipalBurst int        // at once, default 200
	Streams        int        // at once in all, default 256
	OwnStreams     int        // at once of one principal, default 16
}

func (l Limits) orDefault() Limits {
	if l.AddressRate == 0 {
		l.AddressRate, l.AddressBurst = 200, 400
	}
	if l.PrincipalRate == 0 {
		l.PrincipalRate, l.PrincipalBurst = 100, 200
	}
	if l.Streams == 0 {
		l.Streams = 256
	}
	if l.OwnStreams == 0 {
		l.OwnStreams = 16
	}
	return l
}

// limiter bounds the rate of requests.
type limiter struct {
	addresses, principals, refusals *buckets
}

// Refused requests of one principal that are audited: per second, and at once.
const (
	refusalRate  = 1
	refusalBurst = 100
)

func newLimiter(l Limits) *limiter {
	return &limiter{newBuckets(l.AddressRate, l.AddressBurst), newBuckets(l.PrincipalRate, l.PrincipalBurst), newBuckets(refusalRate, refusalBurst)}
}

// address and principal return how long who asks has to wait; 0: he may now.
func (l *limiter) address(a string) time.Duration    { return l.addresses.take(auth.LimitedAddress(a)) }
func (l *limiter) principal(id string) time.Duration { return l.principals.take(id) }

// refusal returns how long it takes until a refused request of a principal is audited again; 0: this one is.
func (l *limiter) refusal(id string) time.Duration { return l.refusals.take(id) }

// maxBuckets is of how many clients the rate is remembered; the one who asked
// least recently is forgotten first.
const maxBuckets = 10_000

// buckets hold one token bucket per client.
type buckets struct {
	rate  rate.Limit
	burst int

	mu    sync.Mutex
	byKey map[string]*linked.Element
	order linked.List // of *bucket, most recently used first
}

type bucket struct {
	key     string
	limiter *rate.Limiter
}

func newBuckets(r rate.Limit, burst int) *buckets {
	return &buckets{rate: r, burst: burst, byKey: map[string]*linked.Element{}}
}

// take takes a token; if there is none it returns how long it takes until there is one.
func (b *buckets) take(key string) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, ok := b.byKey[key]
	if ok {
		b.order.MoveToFront(e)
	} else {
		e = b.order.PushFront(&bucket{key, rate.NewLimiter(b.rate, b.burst)})
		b.byKey[key] = e
		if b.order.Len() > maxBuckets {
			last := b.order.Back()
			delete(b.byKey, b.order.Remove(last).(*bucket).key)
		}
	}
	r := e.Value.(*bucket).limiter.Reserve()
	wait := r.Delay()
	if wait > 0 {
		r.Cancel()
	}
	return wait
}
