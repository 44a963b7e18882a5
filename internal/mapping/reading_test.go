package mapping

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/plant"
	"busbar/internal/point"
)

const readingArrival = point.Instant(1_700_000_000_000_000_000)

func take(t testing.TB, typ point.Type, src plant.Source, lim *plant.Limits, in Reading) (point.Update, *Outcome) {
	t.Helper()
	s, problems := Compile([]Input{{Index: 7, Type: typ, Keyed: true, Key: in.Key, Source: &src, Limits: lim}}, Options{Source: 3})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	updates, out := s.Take(nil, []Reading{in}, readingArrival)
	if len(updates) != 1 || updates[0].Point != 7 || updates[0].Source != 3 || updates[0].Arrival != readingArrival {
		t.Fatalf("got %+v, want one update of point 7", updates)
	}
	return updates[0], &out
}

func TestReadingsAreConvertedToTheTypeOfThePoint(t *testing.T) {
	t.Parallel()
	double := func(d point.DoubleState) point.Value { return point.DoubleValue(d) }
	for name, c := range map[string]struct {
		typ  point.Type
		src  plant.Source
		in   point.Value
		want point.Value // none: IV, the value is kept
		why  Reason
	}{
		"single as it is":                 {typ: point.Single, in: point.SingleValue(true), want: point.SingleValue(true)},
		"double as it is":                 {typ: point.Double, in: double(point.Indeterminate), want: double(point.Indeterminate)},
		"step keeps its transit":          {typ: point.Step, in: point.StepValue(-5, true), want: point.StepValue(-5, true)},
		"step with offset keeps it too":   {typ: point.Step, src: plant.Source{Offset: 2}, in: point.StepValue(-5, true), want: point.StepValue(-3, true)},
		"float bit by bit":                {typ: point.Float, in: point.FloatValue(float64(float32(23.4))), want: point.FloatValue(float64(float32(23.4)))},
		"minus zero":                      {typ: point.Float, in: point.FloatValue(math.Copysign(0, -1)), want: point.FloatValue(math.Copysign(0, -1))},
		"NaN is no value":                 {typ: point.Float, in: point.FloatValue(math.NaN()), why: NotFinite},
		"infinity is no value":            {typ: point.Float, in: point.FloatValue(math.Inf(-1)), why: NotFinite},
		"counter as it is":                {typ: point.Counter, in: point.CounterValue(-7), want: point.CounterValue(-7)},
		"bits to counter":                 {typ: point.Counter, in: point.BitsValue(0xffffffff), want: point.CounterValue(0xffffffff)},
		"single to double":                {typ: point.Double, in: point.SingleValue(false), want: double(point.DoubleOff)},
		"double to single":                {typ: point.Single, in: double(point.DoubleOn), want: point.SingleValue(true)},
		"intermediate is no single point": {typ: point.Single, in: double(point.Intermediate), why: OutOfRange},
		"single inverted":                 {typ: point.Single, src: plant.Source{Invert: true}, in: point.SingleValue(true), want: point.SingleValue(false)},
		"int scaled":                      {typ: point.Float, src: plant.Source{Scale: 0.1, Offset: 1}, in: point.IntValue(230), want: point.FloatValue(24)},
		"float to int rounds":             {typ: point.Int, in: point.FloatValue(2.5), want: point.IntValue(3)},
		"formula":                         {typ: point.Float, src: plant.Source{Expr: "value * value"}, in: point.IntValue(3), want: point.FloatValue(9)},
		"map of a number":                 {typ: point.Single, src: plant.Source{Map: map[string]string{"2": "on", "1": "off"}}, in: point.IntValue(2), want: point.SingleValue(true)},
		"map of a state":                  {typ: point.Int, src: plant.Source{Map: map[string]string{"on": "10", "off": "20"}}, in: double(point.DoubleOff), want: point.IntValue(20)},
		"not in the map":                  {typ: point.Int, src: plant.Source{Map: map[string]string{"on": "10"}}, in: double(point.DoubleOff), why: NotInMap},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, out := take(t, c.typ, c.src, nil, Reading{Key: 1<<40 | 5, Value: c.in, Time: readingArrival - 5, Quality: point.Blocked})
			if !u.Value.Equal(c.want) {
				t.Errorf("value %v, want %v", u.Value, c.want)
			}
			wantQuality, wantFlags := point.Blocked, point.Flags(0)
			if c.want.Type() == 0 {
				wantQuality, wantFlags = point.Blocked|point.Invalid, point.KeepValue
			}
			if u.Quality != wantQuality || u.Flags != wantFlags || u.Time != readingArrival-5 || u.TimeQuality != 0 {
				t.Errorf("got %+v, want quality %v, flags %d, the time of the source", u, wantQuality, wantFlags)
			}
			if why, _ := out.First(); why != c.why {
				t.Errorf("reason %v, want %v", why, c.why)
			}
		})
	}
}

func TestReadingsBeyondLimitsAreClamped(t *testing.T) {
	t.Parallel()
	u, out := take(t, point.Float, plant.Source{}, &plant.Limits{Low: 0, High: 10, Clamp: true}, Reading{Value: point.FloatValue(11)})
	if !u.Value.Equal(point.FloatValue(10)) || u.Quality != point.Overflow || out.Count(OutOfRange) != 1 {
		t.Errorf("got %+v with %d out of range, want 10 with OV and 1", u, out.Count(OutOfRange))
	}
}

func TestTimesOfReadings(t *testing.T) {
	t.Parallel()
	type stamped struct {
		Time    point.Instant
		Quality point.TimeQuality
		Faults  int
	}
	for name, c := range map[string]struct {
		in   Reading
		want stamped
	}{
		"of the source":              {Reading{Time: readingArrival - 1}, stamped{readingArrival - 1, 0, 0}},
		"marked by the source":       {Reading{Time: readingArrival - 1, TimeQuality: point.TimeInvalid}, stamped{readingArrival - 1, point.TimeInvalid, 0}},
		"none":                       {Reading{}, stamped{readingArrival, point.TimeSubstituted, 0}},
		"ten minutes ahead":          {Reading{Time: readingArrival + maxAhead}, stamped{readingArrival + maxAhead, 0, 0}},
		"further ahead":              {Reading{Time: readingArrival + maxAhead + 1}, stamped{readingArrival, point.TimeInvalid, 1}},
		"before 2000":                {Reading{Time: earliest - 1}, stamped{readingArrival, point.TimeInvalid, 1}},
		"before 2000, known invalid": {Reading{Time: earliest - 1, TimeQuality: point.TimeInvalid}, stamped{readingArrival, point.TimeInvalid, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.in.Value = point.SingleValue(true)
			u, out := take(t, point.Single, plant.Source{}, nil, c.in)
			if diff := cmp.Diff(c.want, stamped{u.Time, u.TimeQuality, out.Count(BadTime)}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReadingsFeedEveryPointOfTheirKey(t *testing.T) {
	t.Parallel()
	src := plant.Source{}
	s, problems := Compile([]Input{
		{Index: 1, Type: point.Single, Keyed: true, Key: 10, Source: &src},
		{Index: 2, Type: point.Int, Keyed: true, Key: 20, Source: &src},
		{Index: 3, Type: point.Double, Keyed: true, Key: 10, Source: &src},
	}, Options{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	updates, out := s.Take(nil, []Reading{
		{Key: 20, Value: point.IntValue(1)}, {Key: 30, Value: point.IntValue(1)}, {Key: 10, Value: point.SingleValue(true)},
	}, readingArrival)
	var got []point.Index
	for _, u := range updates {
		got = append(got, u.Point)
	}
	if diff := cmp.Diff([]point.Index{2, 1, 3}, got); diff != "" {
		t.Error(diff)
	}
	if out.Count(NoSelector) != 1 {
		t.Errorf("%d readings without points, want 1", out.Count(NoSelector))
	}
	if diff := cmp.Diff([]point.Index{1, 3}, s.Keyed(10)); diff != "" {
		t.Error(diff)
	}
	if s.Keyed(30) != nil {
		t.Error("points of a key that nobody has")
	}
}

func TestKeysOfMessagesHaveNoMeaningForReadings(t *testing.T) {
	t.Parallel()
	got := Check(Input{Type: point.Int, Keyed: true, Source: &plant.Source{
		Value: "a", Time: "b", Quality: &plant.QualityMap{}, Missing: plant.MissingInvalid,
	}})
	var paths []string
	for _, f := range got {
		paths = append(paths, f.Path)
	}
	if diff := cmp.Diff([]string{"value", "time", "quality", "missing"}, paths); diff != "" {
		t.Error(diff)
	}
}

func TestAllocationsOfReadings(t *testing.T) {
	src := plant.Source{Scale: 2}
	s, _ := Compile([]Input{{Type: point.Float, Keyed: true, Key: 1, Source: &src}}, Options{})
	readings := []Reading{{Key: 1, Value: point.FloatValue(1), Time: readingArrival}}
	dst := make([]point.Update, 0, 1)
	if n := testing.AllocsPerRun(100, func() { s.Take(dst, readings, readingArrival) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func BenchmarkTake(b *testing.B) {
	src := plant.Source{}
	var inputs []Input
	var readings []Reading
	for i := range 16 {
		inputs = append(inputs, Input{Index: point.Index(i), Type: point.Float, Keyed: true, Key: 1<<24 + uint64(i), Source: &src})
		readings = append(readings, Reading{Key: 1<<24 + uint64(i), Value: point.FloatValue(float64(i)), Time: readingArrival})
	}
	s, _ := Compile(inputs, Options{})
	dst := make([]point.Update, 0, 16)
	b.ReportAllocs()
	for b.Loop() {
		s.Take(dst, readings, readingArrival)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(16*b.N), "ns/reading")
}
