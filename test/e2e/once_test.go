package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"busbar/test/rig"
)

// counter is a device that does what it is told, answers, and counts.
type counter struct {
	mu   sync.Mutex
	done map[string]int // by id of the order
}

func (d *counter) take(c mqtt.Client, m mqtt.Message) {
	var order struct{ ID string }
	if json.Unmarshal(m.Payload(), &order) != nil {
		return
	}
	d.mu.Lock()
	d.done[order.ID]++
	d.mu.Unlock()
	c.Publish(replyTopic, 1, false, fmt.Sprintf(`{"id":%q,"result":"ok"}`, order.ID))
}

// orders returns how many different orders it was given.
func (d *counter) orders() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.done)
}

func (d *counter) count(id string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.done[id]
}

// insist sends an order again and again, twice at once and giving up early, until an answer says what became of it.
func insist(ctx context.Context, o *operated, command, id string, rnd *rand.Rand) {
	for ctx.Err() == nil {
		var both sync.WaitGroup
		var answered [2]bool
		for i := range answered {
			patience := time.Duration(rnd.IntN(150)+1) * time.Millisecond
			both.Go(func() {
				short, cancel := context.WithTimeout(ctx, patience)
				defer cancel()
				answered[i] = post(short, o, command, id)
			})
		}
		both.Wait()
		if answered[0] || answered[1] {
			return
		}
	}
}

// post reports whether an answer has come that says something of the order.
func post(ctx context.Context, o *operated, command, id string) bool {
	body := strings.NewReader(fmt.Sprintf(`{"value":1.5,"id":%q}`, id))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+o.busbar.HTTP+"/api/v1/commands/"+rig.Escape(command)+"/issue?wait=1s", body)
	if err != nil {
		return false
	}
	req.Header.Set("Authorization", "Bearer "+o.tokens["operator"])
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err == nil && (resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusConflict)
}

// TestOrdersAreCarriedOutOnce orders with clients that lose answers and try again, while Busbar is killed. No order
// is carried out twice, and what is said of each is true.
func TestOrdersAreCarriedOutOnce(t *testing.T) {
	t.Parallel()
	const clients, kills = 4, 3
	o := newOperated(t)
	device := &counter{done: map[string]int{}}
	o.done(o.client.Subscribe("device/set", 1, device.take))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var all sync.WaitGroup
	var given [clients]int
	stop := make(chan struct{})
	for n := range clients {
		all.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(n), 3))
			for !closed(stop) && ctx.Err() == nil {
				insist(ctx, o, "q0/setpoint", orderID(n, given[n]), rnd)
				given[n]++
			}
		})
	}
	for k := range kills {
		rig.Until(t, "some orders", func() bool { return device.orders() > 15*(k+1) })
		o.busbar.Signal(syscall.SIGKILL)
		o.busbar.Exit()
		o.busbar.Start()
	}
	rig.Until(t, "some more orders", func() bool { return device.orders() > 15*(kills+1) })
	close(stop)
	all.Wait()
	told := o.orders()
	positive, unknown := 0, 0
	for n := range clients {
		for k := range given[n] {
			id := orderID(n, k)
			r, done := told[id], device.count(id)
			switch {
			case r.Positive == nil || !r.Ended || done > 1:
				t.Errorf("order %s was carried out %d times: %+v", id, done, r)
			case *r.Positive && done != 1, !*r.Positive && !r.Unknown && done != 0:
				t.Errorf("order %s was carried out %d times: %+v", id, done, r)
			case *r.Positive:
				positive++
			case r.Unknown:
				unknown++
			}
		}
	}
	t.Logf("%d orders, %d were carried out, of %d nobody knows", len(told), positive, unknown)
}

// orders reads the log of commands, by the ids of the orders, once they have all ended.
func (o *operated) orders() map[string]result {
	o.t.Helper()
	rig.Until(o.t, "the end of all orders", func() bool {
		_, _, answer := o.busbar.Call("GET", "/orders?result=running", "")
		return strings.Contains(answer, `"items":[]`)
	})
	told := map[string]result{}
	for next := ""; ; {
		var page struct {
			Items []result
			Next  string
		}
		answer := o.busbar.Change("GET", "/orders?limit=1000&cursor="+next, "")
		if err := json.Unmarshal([]byte(answer), &page); err != nil {
			o.t.Fatal(err)
		}
		for _, r := range page.Items {
			told[r.ID] = r
		}
		if next = page.Next; next == "" {
			return told
		}
	}
}

func orderID(client, n int) string { return fmt.Sprintf("order-%d-%d", client, n) }

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
