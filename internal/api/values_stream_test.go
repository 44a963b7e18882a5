package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"busbar/internal/point"
)

// watcher is a client of the stream of values.
type watcher struct {
	*listener
	t      *testing.T
	end    context.CancelFunc
	seen   int    // octets that were looked at
	lastID string // as a client keeps it
}

// watch opens a stream, in a bubble.
func (v *values) watch(query, who, last string) *watcher {
	v.t.Helper()
	ctx, cancel := context.WithCancel(v.t.Context())
	w := &watcher{listener: &listener{header: http.Header{}}, t: v.t, end: cancel, lastID: last}
	req := httptest.NewRequestWithContext(ctx, http.MethodGet, base+"/values/stream?"+query, nil)
	req.Header.Set("Authorization", "Bearer "+who)
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	go v.api.ServeHTTP(w, req)
	return w
}

// tells checks the events that have come since, in short: "reset begun", "ready 2",
// "values b/float=1.5 gone b/int".
func (w *watcher) tells(want ...string) {
	w.t.Helper()
	synctest.Wait()
	text := w.got()
	news := text[w.seen:]
	w.seen = len(text)
	var got []string
	name := ""
	for line := range strings.SplitSeq(news, "\n") {
		if id, ok := strings.CutPrefix(line, "id: "); ok {
			w.lastID = id
		} else if event, ok := strings.CutPrefix(line, "event: "); ok {
			name = event
		} else if data, ok := strings.CutPrefix(line, "data: "); ok {
			got = append(got, w.brief(name, data))
		}
	}
	if g, want := strings.Join(got, "; "), strings.Join(want, "; "); g != want {
		w.t.Errorf("events %q, want %q", g, want)
	}
}

func (w *watcher) brief(name, data string) string {
	var e struct {
		ValueChanges
		ValuesReset
		ValuesReady
	}
	if err := json.Unmarshal([]byte(data), &e); err != nil {
		w.t.Fatal(err)
	}
	switch name {
	case "ready":
		return fmt.Sprint("ready ", e.Points)
	case "values":
		for _, item := range e.Items {
			name += fmt.Sprintf(" %s=%v", item.Point, item.Value)
		}
		if len(e.Gone) > 0 {
			name += " gone " + strings.Join(e.Gone, " ")
		}
		return name
	}
	return name + " " + e.Reason
}

func pass250() { time.Sleep(250 * time.Millisecond) }

func TestStreamOfValues(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := newValues(t)
		v.publishAll()
		w := v.watch("prefix=b/&type=int,float", "viewer", "")
		w.tells("reset begun", "values b/float=23.1 b/int=9.007199254740992e+15", "ready 2")
		v.publish("b/float", point.FloatValue(1), time.Minute)
		v.publish("b/float", point.FloatValue(2), 2*time.Minute)
		v.publish("b/bits", point.BitsValue(2), 2*time.Minute) // another type
		w.tells()
		pass250()
		w.tells("values b/float=2")
		pass250()
		w.tells()
		if got := v.put("b%2Fint/substitution", `{"value":5}`, "operator"); got.Code != http.StatusOK {
			t.Fatal(got.Body)
		}
		v.publish("b/int", point.IntValue(6), 3*time.Minute) // beneath
		pass250()
		w.tells("values b/int=5")
		last := w.lastID
		v.publish("b/float", point.FloatValue(3), 3*time.Minute)
		pass250()
		w.tells("values b/float=3")
		w.end()

		again := v.watch("prefix=b/&type=int,float", "viewer", last)
		again.tells("values b/float=3")
		if last = again.lastID; !strings.HasPrefix(last, fmt.Sprint(v.image.Seq())+"-") {
			t.Errorf("id %s of the newest change %d", last, v.image.Seq())
		}
		for i := range 2000 { // more than the log in memory holds
			v.publish("b/float", point.FloatValue(float64(i)), time.Hour+time.Duration(i))
		}
		pass250()
		again.tells("reset behind", "values b/float=1999 b/int=5", "ready 2")
		v.apply("version: 1\npoints: {b/int: {type: int}}")
		pass250()
		again.tells("reset plant", "values b/int=5", "ready 1")
		again.end()
		narrow := v.watch("prefix=b/int", "viewer", "")
		narrow.tells("reset begun", "values b/int=5", "ready 1")
		v.publish("b/int", point.IntValue(7), 4*time.Minute) // beneath
		narrow.end()
		for _, id := range []string{last, "7", "x", "99999-3-0", narrow.lastID} { // the last one is of another filter
			other := v.watch("prefix=b/", "viewer", id)
			other.tells("reset begun", "values b/int=5", "ready 1")
			other.end()
		}
		synctest.Wait()
	})
}

func TestStreamOfValuesTellsWhatMatchesNoLonger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := newValues(t)
		v.publishAll()
		w := v.watch("quality=abnormal&prefix=b/&interval=1000", "viewer:b", "")
		w.tells("reset begun", "values b/counter=<nil> b/float=23.1 b/int=9.007199254740992e+15", "ready 3")
		v.publish("b/float", point.FloatValue(1), time.Minute)
		v.publish("b/bits", point.BitsValue(1), time.Minute) // never did
		time.Sleep(900 * time.Millisecond)
		w.tells()
		pass250()
		w.tells("values gone b/float")
		last := w.lastID
		w.end()
		v.publish("b/int", point.IntValue(1), time.Minute)
		again := v.watch("quality=abnormal&prefix=b/&interval=1000", "viewer:b", last)
		again.tells("values gone b/int")
		again.end()
		synctest.Wait()
	})
}
