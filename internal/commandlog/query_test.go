package commandlog

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/connector"
	"busbar/internal/point"
)

// receivedAt is the record of an order that was received so many seconds after noon.
func receivedAt(id string, second int) connector.CommandRecord {
	r := switching(id)
	r.Received = at("12:00:00") + point.Instant(time.Duration(second)*time.Second)
	return r
}

// orders queries, which must succeed, and returns each order as id and outcome.
func (o *opened) orders(q Query, newest ...connector.CommandRecord) (got []string, more bool) {
	o.t.Helper()
	list, more, err := o.Orders(o.t.Context(), q, newest)
	if err != nil {
		o.t.Fatal(err)
	}
	for _, r := range list {
		got = append(got, r.Order.ID+" "+outcome(&r))
	}
	return got, more
}

func (o *opened) wantOrders(q Query, newest []connector.CommandRecord, want string) {
	o.t.Helper()
	got, more := o.orders(q, newest...)
	text := strings.Join(got, ", ")
	if more {
		text += ", …"
	}
	if text != want {
		o.t.Errorf("orders %q, want %q", text, want)
	}
}

func TestOrdersAreListedNewestFirst(t *testing.T) {
	t.Parallel()
	a, b, c := receivedAt("a", 1), receivedAt("b", 2), receivedAt("c", 2)
	l := open(t, newMemFS(), Options{Segment: 1200}) // two lines for each file
	l.record(a, b, confirmedAs(b, false), c, confirmedAs(c, true), confirmedAs(a, true), terminatedAs(a, false))
	l.close()
	only := func(id string) func(*connector.CommandRecord) bool {
		return func(r *connector.CommandRecord) bool { return r.Order.ID == id }
	}
	l.wantOrders(Query{Limit: 10}, nil, "c con+, b con-, a term-")
	l.wantOrders(Query{Limit: 2}, nil, "c con+, b con-, …")
	l.wantOrders(Query{Limit: 2, Before: PlaceOf(&c)}, nil, "b con-, a term-")
	l.wantOrders(Query{Limit: 2, Before: PlaceOf(&a)}, nil, "")
	l.wantOrders(Query{Limit: 1, Keep: only("a")}, nil, "a term-")
	l.wantOrders(Query{Limit: 1, Keep: only("d")}, nil, "")
	d := receivedAt("d", 0)
	l.wantOrders(Query{Limit: 10}, []connector.CommandRecord{terminatedAs(c, true), d}, "c term+, b con-, a term-, d received")
}

func TestOrderIsFound(t *testing.T) {
	t.Parallel()
	odd := `one "more"`
	l := open(t, newMemFS(), Options{})
	l.record(receivedAt("a", 1), confirmedAs(receivedAt("a", 1), false), selection("b"), receivedAt(odd, 2))
	l.close()
	for _, tt := range []struct{ id, want string }{{"a", "con-"}, {"b", "con+"}, {odd, "received"}, {"c", ""}, {"", ""}, {"double", ""}} {
		r, found, err := l.Order(t.Context(), tt.id)
		if err != nil || found != (tt.want != "") || found && (r.Order.ID != tt.id || outcome(&r) != tt.want) {
			t.Errorf("order %q: %s %s, %t, %v, want %q", tt.id, r.Order.ID, outcome(&r), found, err, tt.want)
		}
	}
}

func TestOrdersAreReadWhileFilesGo(t *testing.T) {
	t.Parallel()
	fs := newMemFS()
	l := open(t, fs, Options{Segment: 600})
	for n := range 5 {
		l.record(receivedAt(fmt.Sprint(n), n))
	}
	l.close()
	fs.setHook(func(_ int, op, name string) error {
		if op == "open" && name <= nameOf(2) {
			return os.ErrNotExist
		}
		return nil
	})
	l.wantOrders(Query{Limit: 10}, nil, "4 received, 3 received, 2 received")
	broken := errors.New("broken")
	fs.setHook(func(int, string, string) error { return broken })
	if _, _, err := l.Orders(t.Context(), Query{Limit: 1}, nil); !errors.Is(err, broken) {
		t.Errorf("Orders = %v, want %v", err, broken)
	}
}

func TestOrdersAreReadOneCallAtATime(t *testing.T) {
	t.Parallel()
	l := open(t, newMemFS(), Options{})
	defer l.close()
	l.reading <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := l.Orders(ctx, Query{Limit: 1}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Orders = %v, want %v", err, context.Canceled)
	}
}

func TestLinesThatAreTornAreLeftOut(t *testing.T) {
	t.Parallel()
	a := string(must(encode(new(receivedAt("a", 1)), time.Now())))
	fs := newMemFS().put(nameOf(1), "\n{\n"+a+`{"time"`)
	l := open(t, fs, Options{})
	l.close()
	fs.put(nameOf(2), a[:len(a)-1])
	l.wantOrders(Query{Limit: 10}, nil, "a con- unknown")
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestPagesAreTheWholeList walks through random orders in pages, and compares with all that was recorded.
func TestPagesAreTheWholeList(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 0))
			l := open(t, newMemFS(), Options{Segment: 3000, Limit: 1 << 20})
			want := l.life(rnd, 100)
			var got []connector.CommandRecord
			for q, more := (Query{Limit: 1 + rnd.IntN(10)}), true; more; q.Before = PlaceOf(&got[len(got)-1]) {
				var list []connector.CommandRecord
				var err error
				if list, more, err = l.Orders(t.Context(), q, nil); err != nil {
					t.Fatal(err)
				}
				got = append(got, list...)
			}
			if diff := cmp.Diff(want, got, exact); diff != "" {
				t.Errorf("seed %d: orders (-want +got):\n%s", seed, diff)
			}
		})
	}
}

// life records so many random orders, and returns their last records, the newest first.
func (o *opened) life(rnd *rand.Rand, orders int) (list []connector.CommandRecord) {
	last := map[string]connector.CommandRecord{}
	for len(last) < orders {
		time.Sleep(time.Duration(rnd.IntN(3000)) * time.Millisecond)
		id := fmt.Sprint(len(last))
		if rnd.IntN(3) > 0 || len(last) == 0 {
			r := switching(id)
			r.Received = point.InstantOf(time.Now())
			last[id] = r
		} else { // a later stage of an order, perhaps of long ago
			id = fmt.Sprint(rnd.IntN(len(last)))
			last[id] = terminatedAs(last[id], rnd.IntN(2) == 0)
		}
		o.record(last[id])
	}
	o.close()
	for _, r := range last {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b connector.CommandRecord) int { return PlaceOf(&a).compare(PlaceOf(&b)) })
	return list
}

// TestOldLinesAreNotRead reads the newest orders of many.
func TestOldLinesAreNotRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fs := newMemFS()
		l := open(t, fs, Options{Segment: 3000, Limit: 1 << 20})
		for n := range 200 {
			time.Sleep(time.Second)
			r := switching(fmt.Sprint(n))
			r.Received = point.InstantOf(time.Now())
			l.record(r, confirmedAs(r, false))
		}
		l.close()
		opened := 0
		fs.setHook(func(_ int, op, _ string) error {
			if op == "open" {
				opened++
			}
			return nil
		})
		if got, more := l.orders(Query{Limit: 3}); len(got) != 3 || !more || opened > 4 {
			t.Errorf("orders %v, more %t, of %d files, want three of a few files", got, more, opened)
		}
	})
}
