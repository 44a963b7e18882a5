package dispatch

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"busbar/internal/connector"
	"busbar/internal/point"
)

// heard is what was reported of orders.
type heard struct {
	mu   sync.Mutex
	list []string
}

func (h *heard) report(id string) func(connector.Progress) {
	return func(p connector.Progress) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.list = append(h.list, fmt.Sprintf("%s replied %t ok %t %s", id, p.Replied, p.OK, p.Reason))
	}
}

func endOf(topic, id string) End {
	return End{Reply: Reply{Topic: topic, ID: id, OK: `result == "ok"`, Timeout: 5 * time.Second}}
}

func orderOf(id string) *point.Order {
	return &point.Order{ID: id, Command: "q", Value: point.SingleValue(true), Expires: point.InstantOf(time.Now().Add(10 * time.Second))}
}

func TestRepliesFindTheirOrder(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, topic, text, correlation string
		want                           string // reported; empty: nothing
		figure                         string // that is 1
	}{
		{"ok", "r/1", `{"id":"A","result":"ok"}`, "", "A replied true ok true ", ""},
		{"refused", "r/1", `{"id":"A","result":"blocked"}`, "", `A replied true ok false reply {"id":"A","result":"blocked"}`, ""},
		{"no result", "r/1", `{"id":"A"}`, "", `A replied true ok false reply {"id":"A"}`, ""},
		{"id deep inside", "s/9", `{"h":[0,{"id.x":"B"}],"result":"ok"}`, "", "B replied true ok true ", ""},
		{"correlation data alone", "r/1", `{"result":"ok"}`, "A", "A replied true ok true ", ""},
		{"correlation data of an end without id", "c", `{"result":"ok"}`, "C", "C replied true ok true ", ""},
		{"id of nobody", "r/1", `{"id":"Z","result":"ok"}`, "", "", "command_unknown_replies_total"},
		{"id of nobody beside correlation data", "r/1", `{"id":"Z","result":"ok"}`, "A", "", "command_unknown_replies_total"},
		{"topic of another order", "s/1", `{"id":"A","result":"ok"}`, "A", "", "command_unknown_replies_total"},
		{"order without reply", "r/1", `{"id":"N","result":"ok"}`, "", "", "command_unknown_replies_total"},
		{"no id", "r/1", `{"result":"ok"}`, "", "", "command_unknown_replies_total"},
		{"number as id", "r/1", `{"id":7,"result":"ok"}`, "", "", "command_unknown_replies_total"},
		{"not JSON", "r/1", `ok`, "A", "", "command_malformed_replies_total"},
		{"empty", "r/1", ``, "A", "", "command_malformed_replies_total"},
		{"bare text", "w", `"ok"`, "W", "W replied true ok true ", ""},
		{"wrong type", "n", `{"id":"M","code":"x"}`, "", "", "command_malformed_replies_total"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d, h := NewDesk(slog.New(slog.DiscardHandler), time.Now), &heard{}
			whole, number := endOf("w", ""), endOf("n", "id")
			whole.Reply.OK, number.Reply.OK = `reply == "ok"`, "code > 5"
			for id, e := range map[string]End{"A": endOf("r/+", "id"), "B": endOf("s/+", `h.1.id\.x`), "C": endOf("c", ""),
				"N": {Reply: DefaultReply()}, "W": whole, "M": number} {
				if _, err := d.Open(orderOf(id), e, h.report(id)); err != nil {
					t.Fatal(err)
				}
			}
			if !d.Expects(tt.topic) {
				t.Errorf("replies on %s are not expected", tt.topic)
			}
			d.Hear(tt.topic, []byte(tt.text), tt.correlation)
			var want []string
			if tt.want != "" {
				want = []string{tt.want}
			}
			if !slices.Equal(h.list, want) {
				t.Errorf("reported %q, want %q", h.list, want)
			}
			d.Collect("", func(m connector.Metric) {
				if one := m.Name == tt.figure || m.Name == "command_replies_total"; one != (m.Value == 1) {
					t.Errorf("%s is %v", m.Name, m.Value)
				}
			})
		})
	}
}

func TestAwait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, h, begin := NewDesk(slog.New(slog.DiscardHandler), time.Now), &heard{}, time.Now()
		o, err := d.Open(orderOf("A"), endOf("r", "id"), h.report("A"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Open(orderOf("A"), endOf("r", "id"), h.report("A")); err == nil {
			t.Error("an order is taken twice")
		}
		if err := o.Await(t.Context(), nil); !errors.Is(err, connector.ErrOutcomeUnknown) || time.Since(begin) != 5*time.Second {
			t.Errorf("%v after %v, want an unknown outcome after 5s", err, time.Since(begin))
		}
		o.Close()
		for range 2 { // the second is a copy
			d.Hear("r", []byte(`{"id":"A","result":"ok"}`), "")
		}
		if err := o.Await(t.Context(), nil); err != nil {
			t.Errorf("%v after the reply, want nil", err)
		}
		if want := []string{"A replied true ok true "}; !slices.Equal(h.list, want) {
			t.Errorf("reported %q, want the late reply once", h.list)
		}
	})
}

func TestNothingIsDoneWhenNobodyWaits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		reply Reply
		left  uint32
	}{
		{"order that lasts longer than its reply is awaited", endOf("r", "id").Reply, 5},
		{"reply that is awaited for longer", Reply{Topic: "r", ID: "id", OK: "ok", Timeout: time.Minute}, 10},
		{"no reply", DefaultReply(), 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := NewDesk(slog.New(slog.DiscardHandler), time.Now)
				o, err := d.Open(orderOf("A"), End{Payload: "{{.Expires}}", Reply: c.reply}, nil)
				if err != nil {
					t.Fatal(err)
				}
				end := time.Now().Add(time.Duration(c.left) * time.Second).UTC()
				if got := string(o.Payload); got != end.Format("2006-01-02T15:04:05.000Z") {
					t.Errorf("the payload says %s, want %v", got, end)
				}
				if left, ok := o.Left(); left != c.left || !ok {
					t.Errorf("%d s left, want %d", left, c.left)
				}
				time.Sleep(time.Until(end) - time.Millisecond)
				if left, ok := o.Left(); left != 1 || !ok {
					t.Errorf("%d s left, want 1", left)
				}
				time.Sleep(time.Millisecond)
				if _, ok := o.Left(); ok {
					t.Error("not expired")
				}
			})
		})
	}
}

func TestDevicesThatAnswerTwice(t *testing.T) {
	t.Parallel()
	const (
		sent       = "PUBACK"
		confirmed  = `{"id":"A","stage":"confirmed","ok":true}`
		refused    = `{"id":"A","stage":"confirmed","ok":false,"reason":"no"}`
		lost       = `{"id":"A","stage":"confirmed","ok":false,"unknown":true}`
		terminated = `{"id":"A","stage":"terminated","ok":true}`
		failed     = `{"id":"A","stage":"terminated","ok":false}`
		broken     = `{"id":"A","stage":"terminated","ok":false,"unknown":true}`
	)
	for _, c := range []struct {
		name  string
		heard []string
		want  []string
		over  bool
	}{
		{"handed over", []string{sent}, nil, false},
		{"will do it", []string{sent, confirmed}, []string{"accepted"}, false},
		{"will and has", []string{sent, confirmed, terminated}, []string{"accepted", "replied"}, true},
		{"answers faster than the broker", []string{confirmed, sent, terminated}, []string{"accepted", "replied"}, true},
		{"copies", []string{sent, confirmed, confirmed, terminated, confirmed, terminated}, []string{"accepted", "replied"}, true},
		{"will not", []string{sent, refused, refused}, []string{"refused"}, true},
		{"will but has not", []string{sent, confirmed, failed, confirmed}, []string{"accepted", "refused"}, true},
		{"does not know", []string{sent, lost}, []string{"unknown"}, true},
		{"will but does not know", []string{sent, confirmed, broken}, []string{"accepted", "unknown"}, true},
		{"first answer lost", []string{sent, terminated}, []string{"replied"}, true},
		{"will after all", []string{sent, lost, confirmed, terminated}, []string{"unknown", "accepted", "replied"}, true},
		{"has, and does not know of a repetition", []string{sent, confirmed, terminated, lost}, []string{"accepted", "replied"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := NewDesk(slog.New(slog.DiscardHandler), time.Now)
			var got []string
			o, err := d.Open(orderOf("A"), EndOf("busbar", "", Reply{Topic: "r", Timeout: time.Minute}), func(p connector.Progress) {
				switch {
				case !p.Replied:
					got = append(got, "accepted")
				case p.OK:
					got = append(got, "replied")
				case p.Unknown:
					got = append(got, "unknown")
				default:
					got = append(got, "refused")
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, h := range c.heard {
				if h == sent {
					o.Sent()
				} else {
					d.Hear("r", []byte(h), "")
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("reported %q, want %q", got, c.want)
			}
			select {
			case <-o.Replied():
				if !c.over {
					t.Error("the order is over")
				}
			default:
				if c.over {
					t.Error("the order is not over")
				}
			}
		})
	}
}

func TestAcceptanceAfterTheReplyIsNotReported(t *testing.T) {
	t.Parallel()
	d, h := NewDesk(slog.New(slog.DiscardHandler), time.Now), &heard{}
	for _, id := range []string{"A", "B"} {
		o, err := d.Open(orderOf(id), endOf("r", "id"), h.report(id))
		if err != nil {
			t.Fatal(err)
		}
		if id == "A" {
			o.Sent()
		}
		d.Hear("r", []byte(`{"id":"`+id+`","result":"no"}`), "")
		if id == "B" {
			o.Sent()
		}
	}
	want := []string{"A replied false ok false ", `A replied true ok false reply {"id":"A","result":"no"}`, `B replied true ok false reply {"id":"B","result":"no"}`}
	if !slices.Equal(h.list, want) {
		t.Errorf("reported %q, want %q", h.list, want)
	}
}

func TestOrderUnderWayIsHeardWhateverIsExpectedNow(t *testing.T) {
	t.Parallel()
	d, h := NewDesk(slog.New(slog.DiscardHandler), time.Now), &heard{}
	old := endOf("old", "id")
	d.Expect([]End{old})
	o, err := d.Open(orderOf("A"), old, h.report("A"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := d.Expect([]End{endOf("new", "id")}), []string{"new", "old"}; !slices.Equal(got, want) {
		t.Errorf("replies are expected on %q, want %q", got, want)
	}
	if !d.Expects("old") || !d.Expects("new") {
		t.Error("replies to the order under way are not expected any more")
	}
	d.Hear("old", []byte(`{"id":"A","result":"ok"}`), "")
	if want := []string{"A replied true ok true "}; !slices.Equal(h.list, want) {
		t.Errorf("reported %q, want %q", h.list, want)
	}
	o.Close()
	if got, want := d.Expect(nil), []string(nil); !slices.Equal(got, want) || d.Expects("old") {
		t.Errorf("replies are expected on %q after the end of the order", got)
	}
}

func TestOrdersThatAreOverAreForgotten(t *testing.T) {
	t.Parallel()
	d, h := NewDesk(slog.New(slog.DiscardHandler), time.Now), &heard{}
	for i := range remembered + 1 {
		o, err := d.Open(orderOf(fmt.Sprint("o", i)), endOf("r", "id"), h.report(fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		o.Close()
	}
	d.Hear("r", []byte(`{"id":"o0","result":"ok"}`), "")
	d.Hear("r", []byte(`{"id":"o1","result":"ok"}`), "")
	if want := []string{"1 replied true ok true "}; !slices.Equal(h.list, want) {
		t.Errorf("reported %q, want %q", h.list, want)
	}
	if len(d.orders) != remembered {
		t.Errorf("%d orders are kept, want %d", len(d.orders), remembered)
	}
}

func FuzzHear(f *testing.F) {
	for _, seed := range []string{`{"id":"A","result":"ok"}`, `[]`, `{"id":{}}`, `"`, `{"result":["ok"]}`, `{"result":"ok","stage":"confirmed"}`, `{"unknown":"x"}`} {
		f.Add([]byte(seed))
	}
	d, h := NewDesk(slog.New(slog.DiscardHandler), time.Now), &heard{}
	twice := endOf("r", "a.0.id")
	twice.Reply.Confirmed, twice.Reply.Unknown = `stage == "confirmed"`, "unknown > 1"
	if _, err := d.Open(orderOf("A"), twice, h.report("A")); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(_ *testing.T, text []byte) { d.Hear("r", text, "A") })
}
