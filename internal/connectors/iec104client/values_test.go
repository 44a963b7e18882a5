package iec104client

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"busbar/internal/connector"
	"busbar/internal/point"
)

// tag is the CP56Time2a of 2000-01-01 10:30:01.500 UTC, with bits in the octet of the minute
// and of the hour.
const (
	tag       = "dc 05 1e 0a c1 01 00"
	tagIV     = "dc 05 9e 0a c1 01 00"
	tagSB     = "dc 05 5e 0a c1 01 00"
	tagSummer = "dc 05 1e 8a c1 01 00"
	noTag     = "dc 05 3f 0a c1 01 00" // minute 63
)

var tagged = point.InstantOf(time.Date(2000, 1, 1, 10, 30, 1, 500e6, time.UTC))

// values are ASDUs and what becomes of them, written out by hand from the layout of
// their elements.
var values = []struct {
	name, asdu string
	part       string
	value      point.Value
	quality    point.Quality
	time       point.Instant
	timeQ      point.TimeQuality
	repeats    bool
}{
	{name: "M_SP_NA_1", asdu: "01 01 03 00 01 00 64 00 00 01", value: point.SingleValue(true)},
	{name: "M_SP_NA_1 all quality bits", asdu: "01 01 03 00 01 00 64 00 00 f0", value: point.SingleValue(false), quality: 0xf0},
	{name: "M_SP_NA_1 interrogated", asdu: "01 01 14 00 01 00 64 00 00 01", value: point.SingleValue(true), repeats: true},
	{name: "M_SP_NA_1 background", asdu: "01 01 02 00 01 00 64 00 00 01", value: point.SingleValue(true), repeats: true},
	{name: "M_SP_NA_1 return information", asdu: "01 01 0b 00 01 00 64 00 00 01", value: point.SingleValue(true)},
	{name: "M_SP_TA_1", asdu: "02 01 03 00 01 00 64 00 00 01 dc 05 1e", value: point.SingleValue(true), time: tagged},
	{name: "M_DP_NA_1", asdu: "03 01 03 00 01 00 64 00 00 03", value: point.DoubleValue(point.Indeterminate)},
	{name: "M_DP_TA_1", asdu: "04 01 03 00 01 00 64 00 00 42 dc 05 9e", value: point.DoubleValue(point.DoubleOn), quality: point.NotTopical, time: tagged, timeQ: point.TimeInvalid},
	{name: "M_ST_NA_1", asdu: "05 01 03 00 01 00 64 00 00 c0 01", value: point.StepValue(-64, true), quality: point.Overflow},
	{name: "M_ST_TA_1", asdu: "06 01 03 00 01 00 64 00 00 3f 00 dc 05 1e", value: point.StepValue(63, false), time: tagged},
	{name: "M_BO_NA_1", asdu: "07 01 03 00 01 00 64 00 00 01 00 00 80 00", value: point.BitsValue(0x80000001)},
	{name: "M_BO_TA_1", asdu: "08 01 03 00 01 00 64 00 00 01 00 00 80 00 dc 05 1e", value: point.BitsValue(0x80000001), time: tagged},
	{name: "M_ME_NA_1", asdu: "09 01 01 00 01 00 64 00 00 00 80 00", value: point.FloatValue(-1)},
	{name: "M_ME_TA_1", asdu: "0a 01 03 00 01 00 64 00 00 ff 7f 01 dc 05 1e", value: point.FloatValue(32767.0 / 32768), quality: point.Overflow, time: tagged},
	{name: "M_ME_NB_1", asdu: "0b 01 01 00 01 00 64 00 00 00 80 00", value: point.IntValue(-32768)},
	{name: "M_ME_TB_1", asdu: "0c 01 03 00 01 00 64 00 00 ff 7f 00 dc 05 1e", value: point.IntValue(32767), time: tagged},
	{name: "M_ME_NC_1", asdu: "0d 01 03 00 01 00 64 00 00 cd cc cc 3d 00", value: point.FloatValue(float64(float32(0.1)))},
	{name: "M_ME_NC_1 infinite", asdu: "0d 01 03 00 01 00 64 00 00 00 00 80 7f 00", value: point.FloatValue(math.Inf(1))},
	{name: "M_ME_TC_1", asdu: "0e 01 03 00 01 00 64 00 00 00 00 80 3f 80 dc 05 1e", value: point.FloatValue(1), quality: point.Invalid, time: tagged},
	{name: "M_IT_NA_1", asdu: "0f 01 25 00 01 00 64 00 00 fe ff ff ff e5", value: point.CounterValue(-2), quality: point.Carry | point.Adjusted | point.Invalid, repeats: true},
	{name: "M_IT_TA_1", asdu: "10 01 03 00 01 00 64 00 00 02 00 00 00 25 dc 05 1e", value: point.CounterValue(2), quality: point.Carry, time: tagged},
	{name: "M_EP_TA_1", asdu: "11 01 03 00 01 00 64 00 00 0a 10 27 dc 05 1e", value: point.DoubleValue(point.DoubleOn), quality: point.ElapsedInvalid, time: tagged},
	{name: "M_EP_TB_1", asdu: "12 01 03 00 01 00 64 00 00 21 00 10 27 dc 05 1e", value: point.BitsValue(0x21), time: tagged},
	{name: "M_EP_TC_1", asdu: "13 01 03 00 01 00 64 00 00 0f 00 10 27 dc 05 1e", value: point.BitsValue(0x0f), time: tagged},
	{name: "M_PS_NA_1", asdu: "14 01 03 00 01 00 64 00 00 05 00 04 00 00", value: point.BitsValue(5)},
	{name: "M_PS_NA_1 changes", asdu: "14 01 03 00 01 00 64 00 00 05 00 04 00 00", part: "changes", value: point.BitsValue(4)},
	{name: "M_ME_ND_1", asdu: "15 01 01 00 01 00 64 00 00 00 40", value: point.FloatValue(0.5)},
	{name: "M_SP_TB_1", asdu: "1e 01 03 00 01 00 64 00 00 11 " + tag, value: point.SingleValue(true), quality: point.Blocked, time: tagged},
	{name: "M_SP_TB_1 interrogated", asdu: "1e 01 14 00 01 00 64 00 00 01 " + tag, value: point.SingleValue(true), time: tagged},
	{name: "M_SP_TB_1 time invalid", asdu: "1e 01 03 00 01 00 64 00 00 01 " + tagIV, value: point.SingleValue(true), time: tagged, timeQ: point.TimeInvalid},
	{name: "M_SP_TB_1 time of an intermediate station", asdu: "1e 01 03 00 01 00 64 00 00 01 " + tagSB, value: point.SingleValue(true), time: tagged, timeQ: point.TimeSubstituted},
	{name: "M_SP_TB_1 no date", asdu: "1e 01 03 00 01 00 64 00 00 01 " + noTag, value: point.SingleValue(true), timeQ: point.TimeInvalid},
	{name: "M_DP_TB_1", asdu: "1f 01 03 00 01 00 64 00 00 01 " + tag, value: point.DoubleValue(point.DoubleOff), time: tagged},
	{name: "M_ST_TB_1", asdu: "20 01 03 00 01 00 64 00 00 85 00 " + tag, value: point.StepValue(5, true), time: tagged},
	{name: "M_BO_TB_1", asdu: "21 01 03 00 01 00 64 00 00 ff ff ff ff 00 " + tag, value: point.BitsValue(0xffffffff), time: tagged},
	{name: "M_ME_TD_1", asdu: "22 01 03 00 01 00 64 00 00 00 c0 00 " + tag, value: point.FloatValue(-0.5), time: tagged},
	{name: "M_ME_TE_1", asdu: "23 01 03 00 01 00 64 00 00 ff ff 00 " + tag, value: point.IntValue(-1), time: tagged},
	{name: "M_ME_TF_1", asdu: "24 01 03 00 01 00 64 00 00 00 00 00 80 00 " + tag, value: point.FloatValue(math.Copysign(0, -1)), time: tagged},
	{name: "M_IT_TB_1", asdu: "25 01 03 00 01 00 64 00 00 00 00 00 80 40 " + tag, value: point.CounterValue(-1 << 31), quality: point.Adjusted, time: tagged},
	{name: "M_EP_TD_1", asdu: "26 01 03 00 01 00 64 00 00 01 10 27 " + tag, value: point.DoubleValue(point.DoubleOff), time: tagged},
	{name: "M_EP_TD_1 elapsed", asdu: "26 01 03 00 01 00 64 00 00 01 10 27 " + tag, part: "elapsed", value: point.IntValue(10000), time: tagged},
	{name: "M_EP_TD_1 elapsed invalid", asdu: "26 01 03 00 01 00 64 00 00 09 10 27 " + tag, part: "elapsed", value: point.IntValue(10000), quality: point.ElapsedInvalid | point.Invalid, time: tagged},
	{name: "M_EP_TE_1", asdu: "27 01 03 00 01 00 64 00 00 3f 40 10 27 " + tag, value: point.BitsValue(0x3f), quality: point.NotTopical, time: tagged},
	{name: "M_EP_TF_1", asdu: "28 01 03 00 01 00 64 00 00 01 00 10 27 " + tag, value: point.BitsValue(1), time: tagged},
}

func TestEveryMonitorTypeIsRead(t *testing.T) {
	t.Parallel()
	for _, v := range values {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			e := end(1, 100, 0)
			if e.Part = v.part; v.part == "" {
				e.Part = "value"
			}
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(10*time.Hour + 29*time.Minute)
				r := newRig(t, nil, e)
				defer r.end()
				want := connector.Reading{Key: e.key(), Value: v.value, Quality: v.quality, Time: v.time, TimeQuality: v.timeQ, Repeats: v.repeats}
				if isCP24(v.asdu) { // the nearest to now, which is a day later than the others
					want.Time += point.Instant(24 * time.Hour)
				}
				r.connect()
				r.answerGI(1)
				r.host.take()
				r.at.tell(v.asdu)
				got := r.host.take()
				if len(got) != 1 || !got[0].Value.Equal(want.Value) {
					t.Fatalf("readings %+v, want %+v", got, want)
				}
				got[0].Value, want.Value = point.Value{}, point.Value{}
				if got[0] != want {
					t.Errorf("reading %+v, want %+v", got[0], want)
				}
			})
		})
	}
}

func isCP24(asdu string) bool {
	switch asdu[:2] {
	case "02", "04", "06", "08", "0a", "0c", "0e", "10", "11", "12", "13":
		return true
	default:
		return false
	}
}
