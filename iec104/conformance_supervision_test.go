package iec104

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/iec104/asdu"
)

// supervisionRows are how a controlling station supervises its requests, and
// what it does with data it did not ask for.
func supervisionRows() []clientCheck {
	return slices.Concat(confirmRows(), interrogationSupervision(), commandSupervision(), refusalRows(), dataRows())
}

// inquiry is a request with a short name, the ASDU it sends and, if it is
// confirmed, the confirmation.
type inquiry struct {
	name, asdu string
	confirm    string // with cause 7 or 9 in the place of ".."
	ask        func(ctx context.Context, c *Client) error
}

// inquiries are all requests of a client, each with an example.
func inquiries() []inquiry {
	const tag = " f3 69 2d 8d 4e 07 1a"
	op := Operation{CA: 1, IOA: 5000, Type: asdu.C_DC_NA_1, Value: 2, Select: true}
	return []inquiry{
		{"5.2 controlling interrogation", giAct, giCon, func(ctx context.Context, c *Client) error {
			_, err := c.Interrogate(ctx, 1, 20)
			return err
		}},
		{"5.2 controlling interrogation: cancel", "64 01 08 00 01 00 00 00 00 14", "64 01 09 00 01 00 00 00 00 14", func(ctx context.Context, c *Client) error {
			return c.CancelInterrogation(ctx, 1, 20)
		}},
		{"5.3 controlling counters: read", "65 01 06 00 01 00 00 00 00 05", "65 01 07 00 01 00 00 00 00 05", func(ctx context.Context, c *Client) error {
			_, err := c.Counters(ctx, 1, 5, 0)
			return err
		}},
		{"5.3 controlling counters: freeze with reset", "65 01 06 00 01 00 00 00 00 81", "65 01 07 00 01 00 00 00 00 81", func(ctx context.Context, c *Client) error {
			_, err := c.Counters(ctx, 1, 1, 2)
			return err
		}},
		{"5.4 controlling read", "66 01 05 00 01 00 64 00 00", "", func(ctx context.Context, c *Client) error {
			_, err := c.Read(ctx, 1, 100)
			return err
		}},
		{"5.5 controlling clock synchronisation", "67 01 06 00 01 00 00 00 00" + tag, "67 01 07 00 01 00 00 00 00" + tag, func(ctx context.Context, c *Client) error {
			_, err := c.ClockSync(ctx, 1, nil)
			return err
		}},
		{"5.6 controlling command: select", "2e 01 06 00 01 00 88 13 00 82", "2e 01 07 00 01 00 88 13 00 82", func(ctx context.Context, c *Client) error {
			return c.Select(ctx, op)
		}},
		{"5.6 controlling command: execute", "2e 01 06 00 01 00 88 13 00 02", "2e 01 07 00 01 00 88 13 00 02", func(ctx context.Context, c *Client) error {
			return c.Execute(ctx, op)
		}},
		{"5.6 controlling command: cancel", "2e 01 08 00 01 00 88 13 00 82", "2e 01 09 00 01 00 88 13 00 82", func(ctx context.Context, c *Client) error {
			return c.Cancel(ctx, op)
		}},
		{"5.7 controlling test 107", "6b 01 06 00 01 00 00 00 00 07 00" + tag, "6b 01 07 00 01 00 00 00 00 07 00" + tag, func(ctx context.Context, c *Client) error {
			return c.Test(ctx, 1, 7)
		}},
		{"5.7 controlling test 104", "68 01 06 00 01 00 00 00 00 aa 55", "68 01 07 00 01 00 00 00 00 aa 55", func(ctx context.Context, c *Client) error {
			return c.TestPattern(ctx, 1)
		}},
		{"5.7 controlling reset process", "69 01 06 00 01 00 00 00 00 01", "69 01 07 00 01 00 00 00 00 01", func(ctx context.Context, c *Client) error {
			_, err := c.Reset(ctx, 1, 1)
			return err
		}},
		{"5.8 controlling parameter: loaded", "6e 01 06 00 01 00 09 00 00 00 40 01", "6e 01 07 00 01 00 09 00 00 00 40 01", func(ctx context.Context, c *Client) error {
			_, err := c.SetParameter(ctx, Parameter{CA: 1, IOA: 9, Type: asdu.P_ME_NA_1, Value: 0x4000, Qualifier: 1})
			return err
		}},
		{"5.8 controlling parameter: activated", "71 01 06 00 01 00 09 00 00 03", "71 01 07 00 01 00 09 00 00 03", func(ctx context.Context, c *Client) error {
			return c.ActivateParameter(ctx, 1, 9, 3)
		}},
		{"5.8 controlling parameter: deactivated", "71 01 08 00 01 00 09 00 00 03", "71 01 09 00 01 00 09 00 00 03", func(ctx context.Context, c *Client) error {
			return c.DeactivateParameter(ctx, 1, 9, 3)
		}},
	}
}

// asks begins a request and checks what is sent.
func (r *rig) asks(q inquiry) <-chan outcome {
	r.t.Helper()
	r.c.opt.stamp = func() asdu.Time { return 0x1a074e8d2d69f3 }
	out := r.request(func(ctx context.Context) error { return q.ask(ctx, r.c) })
	r.expectASDU(q.asdu)
	return out
}

// confirmRows have every request wait for its confirmation no longer than it
// is allowed to, and end with the connection.
func confirmRows() (rows []clientCheck) {
	for _, q := range inquiries() {
		rows = append(rows,
			clientCheck{row: q.name + ": no answer in time", script: func(r *rig) {
				r.start()
				out := r.asks(q)
				r.keptAlive(10*time.Second - time.Millisecond)
				r.waits(out)
				r.wait(time.Millisecond)
				if err := r.outcome(out).err; !errors.Is(err, ErrTimeout) || errors.Is(err, ErrIncomplete) {
					r.t.Errorf("got %v, want ErrTimeout", err)
				}
			}},
			clientCheck{row: q.name + ": the limit is a setting, the context another", script: func(r *rig) {
				r.c.opt.limits.Confirm = 3 * time.Second
				r.start()
				out := r.asks(q)
				r.wait(3*time.Second - time.Millisecond)
				r.waits(out)
				r.wait(time.Millisecond)
				r.fails(out, ErrTimeout)
				r.fresh()
				ctx, cancel := context.WithTimeout(r.t.Context(), time.Second)
				defer cancel()
				out = r.request(func(context.Context) error { return q.ask(ctx, r.c) })
				r.wait(time.Second)
				r.fails(out, context.DeadlineExceeded)
			}},
			clientCheck{row: q.name + ": the connection is lost", script: func(r *rig) {
				r.start()
				out := r.asks(q)
				r.conn.Close()
				r.wait(0)
				r.fails(out, ErrClosed)
			}},
		)
		if q.confirm == "" {
			continue // it is answered with a value
		}
		rows = append(rows, clientCheck{row: q.name + ": an answer of another station, object or originator is not taken", script: func(r *rig) {
			r.c.opt.oa = 3
			r.start()
			r.c.opt.stamp = func() asdu.Time { return 0x1a074e8d2d69f3 }
			out := r.request(func(ctx context.Context) error { return q.ask(ctx, r.c) })
			r.nextASDU()
			con := octets(r.t, q.confirm)
			for at, was := range map[int]byte{3: con[3] + 4, 4: con[4] + 1, 5: con[5] + 1, 6: con[6] + 1, 8: con[8] + 1} {
				other := slices.Clone(con)
				other[at] = was
				r.tell(hexOf(other))
				r.waits(out)
			}
		}})
	}
	return rows
}

// interrogationSupervision are the rows of requests that end with a termination.
func interrogationSupervision() []clientCheck {
	const counted, countedEnd = "65 01 07 00 01 00 00 00 00 05", "65 01 0a 00 01 00 00 00 00 05"
	counters := func(rqt, frz uint8) func(r *rig) <-chan outcome {
		return func(r *rig) <-chan outcome {
			return r.asked(func(ctx context.Context) (Result, error) { return r.c.Counters(ctx, 1, rqt, frz) })
		}
	}
	return []clientCheck{
		{row: "5.1 controlling end of initialisation is not waited for", script: func(r *rig) {
			r.start()
			out := r.gi(1)
			r.expectASDU(giAct)
			r.tell(giCon, giEnd)
			r.succeeds(out)
		}},
		{row: "5.1 controlling M_EI is handed up", script: func(r *rig) {
			r.start()
			r.tell("46 01 04 00 01 00 00 00 00 02")
			if diff := cmp.Diff([]string{"M_EI_NA_1 initialised 1/0=0"}, r.got.all()); diff != "" {
				r.t.Errorf("handler (-want +got):\n%s", diff)
			}
		}},
		{row: "5.1 controlling M_EI ends a request to all for that station only", script: func(r *rig) {
			r.c.opt.stations = []uint16{1, 2}
			r.start()
			out := r.gi(asdu.GlobalCA)
			r.expectASDU("64 01 06 00 ff ff 00 00 00 14")
			r.tell(giCon, "64 01 07 00 02 00 00 00 00 14", "46 01 04 00 01 00 00 00 00 02")
			r.waits(out)
			r.tell("64 01 0a 00 02 00 00 00 00 14")
			if res := r.fails(out, ErrRestarted); !slices.Equal(res.Stations, []uint16{2}) || !slices.Equal(res.Missing, []uint16{1}) {
				r.t.Errorf("%+v, want station 2 complete and 1 missing", res)
			}
		}},
		{row: "5.2 controlling interrogation: the context limits it as a whole", script: func(r *rig) {
			r.start()
			ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
			defer cancel()
			out := r.asked(func(context.Context) (Result, error) { return r.c.Interrogate(ctx, 1, 20) })
			r.expectASDU(giAct)
			r.tell(giCon)
			for range 11 { // never silent for long
				r.keptAlive(5 * time.Second)
				r.tell("01 01 14 00 01 00 64 00 00 01")
			}
			r.waits(out)
			r.keptAlive(5 * time.Second)
			if res := r.fails(out, context.DeadlineExceeded); res.Objects != 11 {
				r.t.Errorf("%d objects, want 11", res.Objects)
			}
		}},
		{row: "5.2 controlling interrogation: spontaneous data do not prolong it", script: func(r *rig) {
			r.start()
			out := r.gi(1)
			r.expectASDU(giAct)
			r.tell(giCon)
			for range 5 {
				r.keptAlive(5 * time.Second)
				r.tell(spont(7))
			}
			r.keptAlive(5*time.Second - time.Millisecond)
			r.waits(out)
			r.wait(time.Millisecond)
			r.fails(out, ErrIncomplete)
		}},
		{row: "5.2 controlling interrogation: no ACTTERM after DEACTCON", script: func(r *rig) {
			r.start()
			out := r.gi(1)
			r.expectASDU(giAct)
			r.tell(giCon)
			cancel := r.request(func(ctx context.Context) error { return r.c.CancelInterrogation(ctx, 1, 20) })
			r.expectASDU("64 01 08 00 01 00 00 00 00 14")
			r.tell("64 01 09 00 01 00 00 00 00 14")
			r.succeeds(cancel)
			r.fails(out, ErrCancelled)
			again := r.gi(1)
			r.expectASDU(giAct)
			r.tell(giEnd) // of the first, which should not have come
			r.waits(again)
			r.tell(giCon, giEnd)
			r.succeeds(again)
		}},
		{row: "5.2 controlling interrogation: data before ACTCON count", script: func(r *rig) {
			r.start()
			out := r.gi(1)
			r.expectASDU(giAct)
			r.tell("01 01 14 00 01 00 64 00 00 01", giCon, giEnd)
			if res := r.succeeds(out); res.Objects != 1 {
				r.t.Errorf("%d objects, want 1", res.Objects)
			}
		}},
		{row: "5.3 controlling counters: each group has its cause", script: func(r *rig) {
			r.start()
			for group := range uint8(4) {
				g, cause := hexOf([]byte{group + 1}), hexOf([]byte{38 + group})
				out := counters(group+1, 0)(r)
				r.expectASDU("65 01 06 00 01 00 00 00 00" + g)
				r.tell("65 01 07 00 01 00 00 00 00"+g, "0f 01"+cause+"00 01 00 20 03 00 15 cd 5b 07 05", "0f 01 25 00 01 00 21 03 00 15 cd 5b 07 05",
					"65 01 0a 00 01 00 00 00 00"+g)
				if res := r.succeeds(out); res.Objects != 1 {
					r.t.Errorf("group %d: %d counters, want 1", group+1, res.Objects)
				}
			}
		}},
		{row: "5.3 controlling counters: ACTTERM never comes", script: func(r *rig) {
			r.start()
			out := counters(5, 0)(r)
			r.expectASDU("65 01 06 00 01 00 00 00 00 05")
			r.tell(counted, "0f 01 25 00 01 00 20 03 00 15 cd 5b 07 05")
			r.keptAlive(30 * time.Second)
			if res := r.fails(out, ErrIncomplete); res.Objects != 1 {
				r.t.Errorf("%d counters, want 1", res.Objects)
			}
		}},
		{row: "5.3 controlling counters: ACTTERM of a freeze is ignored", script: func(r *rig) {
			r.start()
			for frz, qcc := range []string{1: "45", 2: "85", 3: "c5"} {
				if frz == 0 {
					continue
				}
				out := counters(5, uint8(frz))(r)
				r.expectASDU("65 01 06 00 01 00 00 00 00" + qcc)
				r.tell("65 01 07 00 01 00 00 00 00" + qcc)
				r.succeeds(out)
				r.tell("65 01 0a 00 01 00 00 00 00" + qcc)
				r.ignored(uint64(frz))
			}
		}},
		{row: "5.3 controlling counters: frozen values that come spontaneously are no answer", script: func(r *rig) {
			r.start()
			out := counters(5, 0)(r)
			r.expectASDU("65 01 06 00 01 00 00 00 00 05")
			r.tell(counted, "25 01 03 00 01 00 21 03 00 15 cd 5b 07 05 f3 69 2d 8d 4e 07 1a", countedEnd)
			if res := r.succeeds(out); res.Objects != 0 {
				r.t.Errorf("%d counters, want none", res.Objects)
			}
			r.objects(3)
		}},
		{row: "5.3 controlling counters: to all, each under its own common address", script: func(r *rig) {
			r.start()
			out := r.asked(func(ctx context.Context) (Result, error) { return r.c.Counters(ctx, asdu.GlobalCA, 5, 0) })
			r.expectASDU("65 01 06 00 ff ff 00 00 00 05")
			r.tell(counted, "0f 01 25 00 01 00 20 03 00 15 cd 5b 07 05", countedEnd, "65 01 07 00 02 00 00 00 00 05", "65 01 0a 00 02 00 00 00 00 05")
			r.wait(time.Second)
			if diff := cmp.Diff(Result{Stations: []uint16{1, 2}, Objects: 1}, r.succeeds(out)); diff != "" {
				r.t.Errorf("(-want +got):\n%s", diff)
			}
		}},
		{row: "5.4 controlling read: the value of another station, object or cause is not the answer", script: func(r *rig) {
			r.start()
			out := r.request(func(ctx context.Context) error { _, err := r.c.Read(ctx, 1, 100); return err })
			r.expectASDU("66 01 05 00 01 00 64 00 00")
			r.tell("01 01 05 00 02 00 64 00 00 01", "01 01 05 00 01 00 65 00 00 01", "01 01 14 00 01 00 64 00 00 01", spont(100))
			r.waits(out)
			r.tell("01 02 05 00 01 00 63 00 00 01 64 00 00 00") // among others
			r.succeeds(out)
		}},
		{row: "5.5 controlling clock synchronisation: to all, each confirms", script: func(r *rig) {
			const tag = "f3 69 2d 8d 4e 07 1a"
			r.c.opt.stations = []uint16{1, 2}
			r.start()
			r.c.opt.stamp = func() asdu.Time { return 0x1a074e8d2d69f3 }
			out := r.asked(func(ctx context.Context) (Result, error) { return r.c.ClockSync(ctx, asdu.GlobalCA, nil) })
			r.expectASDU("67 01 06 00 ff ff 00 00 00" + tag)
			r.tell("67 01 07 00 02 00 00 00 00" + tag)
			r.waits(out)
			r.tell("67 01 07 00 01 00 00 00 00" + tag)
			if diff := cmp.Diff(Result{Stations: []uint16{2, 1}}, r.succeeds(out)); diff != "" {
				r.t.Errorf("(-want +got):\n%s", diff)
			}
		}},
		{row: "5.5 controlling clock synchronisation: the station reports its time, ignored", script: func(r *rig) {
			r.start()
			r.tell("67 01 03 00 01 00 00 00 00 f3 69 2d 8d 4e 07 1a")
			r.ignored(1)
			r.objects(1) // it may look
			r.sendsAfter(10*time.Second, sframe(1))
		}},
	}
}
