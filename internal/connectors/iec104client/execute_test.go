package iec104client

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/iec104keys"
	"busbar/internal/point"
)

// order is an order that the client carries out.
type order struct {
	done     chan error
	progress []connector.Progress
}

// executor is the end of a double command, changed.
func executor(change func(*Executor)) *Executor {
	e := executorDefaults()
	e.CA, e.IOA, e.As = 1, 5000, iec104keys.CommandType{TypeID: asdu.C_DC_NA_1}
	if change != nil {
		change(&e)
	}
	return &e
}

// issue has the client carry out an order within 12 s.
func (r *rig) issue(e *Executor, v point.Value) *order {
	r.t.Helper()
	o := &order{done: make(chan error, 1)}
	ctx, cancel := context.WithTimeout(context.Background(), 12*time.Second)
	r.t.Cleanup(cancel)
	r.expire = cancel
	go func() {
		o.done <- r.Execute(ctx, point.Order{Value: v, Qualifier: 3}, e, func(p connector.Progress) { o.progress = append(o.progress, p) })
	}()
	synctest.Wait()
	return o
}

// outcome returns what was reported, and how it ended.
func (r *rig) outcome(o *order) string {
	r.t.Helper()
	synctest.Wait()
	var all []string
	for _, p := range o.progress {
		switch {
		case !p.Replied:
			all = append(all, "accepted")
		case p.OK:
			all = append(all, "replied")
		default:
			all = append(all, "refused: "+p.Reason)
		}
	}
	select {
	case err := <-o.done:
		switch {
		case errors.Is(err, connector.ErrOutcomeUnknown):
			all = append(all, "outcome unknown")
		case errors.Is(err, context.DeadlineExceeded):
			all = append(all, "timeout")
		case err != nil:
			all = append(all, "error: "+err.Error())
		}
	default:
		all = append(all, "running")
	}
	return strings.Join(all, ", ")
}

const (
	dcAct  = "2e 01 06 00 01 00 88 13 00 0e"
	dcCon  = "2e 01 07 00 01 00 88 13 00 0e"
	dcNeg  = "2e 01 47 00 01 00 88 13 00 0e"
	dcTerm = "2e 01 0a 00 01 00 88 13 00 0e"
	selAct = "2e 01 06 00 01 00 88 13 00 8e"
	selCon = "2e 01 07 00 01 00 88 13 00 8e"
	selNeg = "2e 01 47 00 01 00 88 13 00 8e"
	selOff = "2e 01 08 00 01 00 88 13 00 8e"
)

func selected(e *Executor) { e.Select = true }

func TestOutcomesOfCommands(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*Executor)
		script func(r *rig, s *station104)
		want   string
	}{
		{"confirmed and terminated", nil, func(_ *rig, s *station104) {
			s.expectASDU(dcAct)
			s.tell(dcCon, dcTerm)
		}, "accepted, replied"},
		{"confirmed, not yet terminated", nil, func(r *rig, s *station104) {
			s.expectASDU(dcAct)
			s.tell(dcCon)
			r.wait(9 * time.Second)
		}, "accepted, running"},
		{"station that does not terminate", func(e *Executor) { e.Terminates = false }, func(_ *rig, s *station104) {
			s.expectASDU(dcAct)
			s.tell(dcCon)
		}, "accepted, replied"},
		{"selected", selected, func(_ *rig, s *station104) {
			s.expectASDU(selAct)
			s.tell(selCon)
			s.expectASDU(dcAct)
			s.tell(dcCon, dcTerm)
		}, "accepted, replied"},
		{"select refused", selected, func(_ *rig, s *station104) {
			s.expectASDU(selAct)
			s.tell(selNeg)
			s.expectSilence()
		}, "refused: negative confirmation"},
		{"select not answered is given up", selected, func(r *rig, s *station104) {
			s.expectASDU(selAct)
			s.tell(spont(1, 1)) // acknowledges
			r.wait(10 * time.Second)
			s.expectASDU(selOff)
			s.expectSilence()
		}, "error: select: iec104: C_DC_NA_1: nothing for 10s"},
		{"expired between select and execute", selected, func(r *rig, s *station104) {
			s.expectASDU(selAct)
			r.expire()
			s.tell(selCon)
			s.expectASDU(selOff)
			s.expectSilence()
		}, "error: the station has not confirmed the select: has expired"},
		{"other connection after the select", selected, func(r *rig, s *station104) {
			s.expectASDU(selAct)
			s.write(nil)
			s.conn.Close()
			r.connect()
			r.answerGI(1)
			r.at.expectSilence()
		}, "error: select: iec104: closed by peer"},
		{"link lost after the select", selected, func(_ *rig, s *station104) {
			s.expectASDU(selAct)
			s.conn.Close()
		}, "error: select: iec104: closed by peer"},
		{"refused", nil, func(_ *rig, s *station104) {
			s.expectASDU(dcAct)
			s.tell(dcNeg)
		}, "refused: negative confirmation"},
		{"unknown type", nil, func(_ *rig, s *station104) {
			s.expectASDU(dcAct)
			s.tell("2e 01 6c 00 01 00 88 13 00 0e")
		}, "refused: unknown-type"},
		{"unknown cause", nil, func(_ *rig, s *station104) {
			s.expectASDU(dcAct)
			s.tell("2e 01 6d 00 01 00 88 13 00 0e")
		}, "refused: unknown-cause"},
		{"unknown common address", nil, func(_ *rig, s *station104) {
			s.expectASDU(dcAct)
			s.tell("2e 01 6e 00 01 00 88 13 00 0e")
		}, "refused: unknown-ca"},
		{"unknown object", nil, func(_ *rig, s *station104) {
			s.expectASDU(dcAct)
			s.tell("2e 01 2f 00 01 00 88 13 00 0e") // without P/N
		}, "refused: unknown-ioa"},
		{"terminated negatively", nil, func(_ *rig, s *station104) {
			s.expectASDU(dcAct)
			s.tell(dcCon, "2e 01 4a 00 01 00 88 13 00 0e")
		}, "accepted, refused: negative termination"},
		{"never confirmed", nil, func(r *rig, s *station104) {
			s.expectASDU(dcAct)
			s.tell(spont(1, 1))
			r.wait(10 * time.Second)
		}, "outcome unknown"},
		{"never terminated", nil, func(r *rig, s *station104) {
			s.expectASDU(dcAct)
			s.tell(dcCon)
			r.wait(12 * time.Second)
		}, "accepted, timeout"},
		{"link lost before the confirmation", nil, func(_ *rig, s *station104) {
			s.expectASDU(dcAct)
			s.conn.Close()
		}, "outcome unknown"},
		{"link lost before the termination", nil, func(_ *rig, s *station104) {
			s.expectASDU(dcAct)
			s.tell(dcCon)
			s.conn.Close()
		}, "accepted, outcome unknown"},
		{"restart of the station", nil, func(_ *rig, s *station104) {
			s.expectASDU(dcAct)
			s.tell(endOfInit)
		}, "outcome unknown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			play(t, nil, points(1), func(r *rig) {
				s := r.connect()
				r.answerGI(1)
				o := r.issue(executor(c.change), point.DoubleValue(point.DoubleOn))
				c.script(r, s)
				if got := r.outcome(o); !strings.HasPrefix(got, c.want) {
					t.Errorf("%s, want %s", got, c.want)
				}
			})
		})
	}
}

func TestCommandsWithoutALinkAreNotSentLater(t *testing.T) {
	t.Parallel()
	play(t, nil, points(1), func(r *rig) {
		o := r.issue(executor(nil), point.DoubleValue(point.DoubleOn))
		if got, want := r.outcome(o), "error: not connected to the station"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		r.connect()
		r.answerGI(1)
		r.at.expectSilence()
		expired := point.Order{Value: point.DoubleValue(point.DoubleOn), Expires: point.InstantOf(time.Now())}
		for _, e := range []*Executor{executor(nil), executor(selected)} {
			if err := r.Execute(t.Context(), expired, e, nil); !errors.Is(err, errExpired) {
				t.Errorf("Execute = %v, want %v", err, errExpired)
			}
		}
		r.at.expectSilence()
	})
}

func TestElementsOfCommands(t *testing.T) {
	t.Parallel()
	const refused = "refused"
	for _, c := range []struct {
		as     asdu.TypeID
		v      point.Value
		want   string
		change func(*Executor)
	}{
		{asdu.C_SC_NA_1, point.SingleValue(true), "2d 01 06 00 01 00 88 13 00 0d", nil},
		{asdu.C_SC_NA_1, point.DoubleValue(point.DoubleOff), "2d 01 06 00 01 00 88 13 00 0c", nil},
		{asdu.C_DC_NA_1, point.SingleValue(false), "2e 01 06 00 01 00 88 13 00 0d", nil},
		{asdu.C_DC_NA_1, point.DoubleValue(point.Intermediate), refused, nil},
		{asdu.C_RC_NA_1, point.StepValue(-1, false), "2f 01 06 00 01 00 88 13 00 0d", nil},
		{asdu.C_RC_NA_1, point.StepValue(1, false), "2f 01 06 00 01 00 88 13 00 0e", nil},
		{asdu.C_RC_NA_1, point.StepValue(2, false), refused, nil},
		{asdu.C_SE_NA_1, point.FloatValue(-0.5), "30 01 06 00 01 00 88 13 00 00 c0 03", nil},
		{asdu.C_SE_NA_1, point.FloatValue(1), "30 01 06 00 01 00 88 13 00 ff 7f 03", nil},
		{asdu.C_SE_NA_1, point.FloatValue(1.01), refused, nil},
		{asdu.C_SE_NA_1, point.FloatValue(50), "30 01 06 00 01 00 88 13 00 00 00 03", func(e *Executor) { e.Range = Range{0, 100} }},
		{asdu.C_SE_NB_1, point.IntValue(-1), "31 01 06 00 01 00 88 13 00 ff ff 03", nil},
		{asdu.C_SE_NB_1, point.FloatValue(2.5), "31 01 06 00 01 00 88 13 00 1a 00 03", func(e *Executor) { e.Scale, e.Offset = 10, 1 }},
		{asdu.C_SE_NB_1, point.IntValue(32768), refused, nil},
		{asdu.C_SE_NB_1, point.FloatValue(math.NaN()), refused, nil},
		{asdu.C_SE_NC_1, point.FloatValue(0.1), "32 01 06 00 01 00 88 13 00 cd cc cc 3d 03", nil},
		{asdu.C_SE_NC_1, point.FloatValue(1e39), refused, nil},
		{asdu.C_BO_NA_1, point.BitsValue(0x80000001), "33 01 06 00 01 00 88 13 00 01 00 00 80", nil},
		{asdu.C_SC_TA_1, point.SingleValue(true), "3a 01 06 00 01 00 88 13 00 0d 00 00 00 00 e2 01 00", nil},
		{asdu.C_DC_TA_1, point.DoubleValue(point.DoubleOn), "3b 01 06 00 01 00 88 13 00 0e 00 00 00 00 e2 01 00", nil},
		{asdu.C_RC_TA_1, point.StepValue(1, false), "3c 01 06 00 01 00 88 13 00 0e 00 00 00 00 e2 01 00", nil},
		{asdu.C_SE_TA_1, point.FloatValue(-1), "3d 01 06 00 01 00 88 13 00 00 80 03 00 00 00 00 e2 01 00", nil},
		{asdu.C_SE_TB_1, point.IntValue(7), "3e 01 06 00 01 00 88 13 00 07 00 03 00 00 00 00 e2 01 00", nil},
		{asdu.C_SE_TC_1, point.FloatValue(1), "3f 01 06 00 01 00 88 13 00 00 00 80 3f 03 00 00 00 00 e2 01 00", nil},
		{asdu.C_BO_TA_1, point.BitsValue(3), "40 01 06 00 01 00 88 13 00 03 00 00 00 00 00 00 00 e2 01 00", nil},
	} {
		t.Run(fmt.Sprint(c.as, " ", c.v), func(t *testing.T) {
			t.Parallel()
			play(t, nil, points(1), func(r *rig) {
				s := r.connect()
				r.answerGI(1)
				e := executor(c.change)
				e.As.TypeID = c.as
				o := r.issue(e, c.v)
				if c.want == refused {
					if got := r.outcome(o); !strings.HasPrefix(got, "error: ") {
						t.Errorf("%s, want an error", got)
					}
					s.expectSilence()
					return
				}
				s.expectASDU(c.want)
			})
		})
	}
}

func TestExecutorsAreChecked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*Executor)
		want   []string
	}{
		{"in order", nil, nil},
		{"bitstring selected", func(e *Executor) { e.As.TypeID, e.Select = asdu.C_BO_NA_1, true }, []string{"select: C_BO_NA_1 cannot be selected"}},
		{"scale of a double command", func(e *Executor) { e.Scale = 2 }, []string{": scale and offset have no effect on C_DC_NA_1"}},
		{"scale 0", func(e *Executor) { e.As.TypeID, e.Scale = asdu.C_SE_NC_1, 0 }, []string{"scale: is 0, want a number other than 0"}},
		{"range of a scaled value", func(e *Executor) { e.As.TypeID, e.Range.High = asdu.C_SE_NB_1, 1 }, []string{"range: has no effect on C_SE_NB_1, want it for C_SE_NA_1 or C_SE_TA_1 only"}},
		{"range upside down", func(e *Executor) { e.As.TypeID, e.Range.Low = asdu.C_SE_NA_1, 1 }, []string{"range: is 1 to 0, want low < high"}},
	} {
		var got []string
		for _, p := range executor(c.change).Validate() {
			got = append(got, p.Path+": "+p.Text)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", c.name, diff)
		}
	}
}
