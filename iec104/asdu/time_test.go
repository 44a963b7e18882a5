package asdu_test

import (
	"testing"
	"time"
	_ "time/tzdata" // zones on machines that have none

	"busbar/iec104/asdu"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func instant(t testing.TB, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestTimeDate(t *testing.T) {
	t.Parallel()
	berlin, sydney, kolkata := zone(t, "Europe/Berlin"), zone(t, "Australia/Lord_Howe"), zone(t, "Asia/Kolkata")
	clock := func(month, day, hour, minute int, summer bool) asdu.Clock {
		return asdu.Clock{Year: 26, Month: month, Day: day, Hour: hour, Minute: minute, Summer: summer}
	}
	tests := []struct {
		name  string
		clock asdu.Clock
		loc   *time.Location
		want  string // empty: no such date
	}{
		{"UTC", clock(7, 14, 13, 45, false), nil, "2026-07-14T13:45:00Z"},
		{"UTC ignores SU", clock(7, 14, 13, 45, true), time.UTC, "2026-07-14T13:45:00Z"},
		{"summer", clock(7, 14, 13, 45, true), berlin, "2026-07-14T11:45:00Z"},
		{"summer without SU", clock(7, 14, 13, 45, false), berlin, "2026-07-14T11:45:00Z"},
		{"winter", clock(1, 15, 8, 5, false), berlin, "2026-01-15T07:05:00Z"},
		{"winter with SU", clock(1, 15, 8, 5, true), berlin, "2026-01-15T07:05:00Z"},
		{"hour that comes twice, first", clock(10, 25, 2, 30, true), berlin, "2026-10-25T00:30:00Z"},
		{"hour that comes twice, second", clock(10, 25, 2, 30, false), berlin, "2026-10-25T01:30:00Z"},
		{"last minute before it", clock(10, 25, 1, 59, true), berlin, "2026-10-24T23:59:00Z"},
		{"first minute after it", clock(10, 25, 3, 0, false), berlin, "2026-10-25T02:00:00Z"},
		{"hour that is left out, clock not yet advanced", clock(3, 29, 2, 30, false), berlin, "2026-03-29T01:30:00Z"},
		{"hour that is left out, clock advanced", clock(3, 29, 2, 30, true), berlin, "2026-03-29T00:30:00Z"},
		{"hour before it", clock(3, 29, 1, 59, false), berlin, "2026-03-29T00:59:00Z"},
		{"hour after it", clock(3, 29, 3, 0, true), berlin, "2026-03-29T01:00:00Z"},
		{"half hour that comes twice, first", clock(4, 5, 1, 45, true), sydney, "2026-04-04T14:45:00Z"},
		{"half hour that comes twice, second", clock(4, 5, 1, 45, false), sydney, "2026-04-04T15:15:00Z"},
		{"zone of a half hour", clock(7, 14, 13, 45, false), kolkata, "2026-07-14T08:15:00Z"},
		{"leap day", asdu.Clock{Year: 28, Month: 2, Day: 29}, nil, "2028-02-29T00:00:00Z"},
		{"last year", asdu.Clock{Year: 99, Month: 12, Day: 31, Hour: 23, Minute: 59, Millisecond: 59999}, nil, "2099-12-31T23:59:59.999Z"},
		{"first year", asdu.Clock{Month: 1, Day: 1}, nil, "2000-01-01T00:00:00Z"},
		{"marked invalid", asdu.Clock{Year: 26, Month: 1, Day: 1, Invalid: true}, nil, "2026-01-01T00:00:00Z"},
		{"wrong day of week", asdu.Clock{Year: 26, Month: 7, Day: 14, Weekday: 6}, nil, "2026-07-14T00:00:00Z"},
		{"no leap day", asdu.Clock{Year: 26, Month: 2, Day: 29}, nil, ""},
		{"day 0", clock(7, 0, 0, 0, false), nil, ""},
		{"day 31 of June", clock(6, 31, 0, 0, false), nil, ""},
		{"month 0", clock(0, 1, 0, 0, false), nil, ""},
		{"month 13", clock(13, 1, 0, 0, false), nil, ""},
		{"hour 24", clock(7, 1, 24, 0, false), nil, ""},
		{"hour 31", clock(7, 1, 31, 0, false), nil, ""},
		{"minute 60", clock(7, 1, 0, 60, false), nil, ""},
		{"year 100", asdu.Clock{Year: 100, Month: 1, Day: 1}, nil, ""},
		{"all zero", asdu.Clock{}, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, ok := tt.clock.Time().Date(tt.loc)
			if ok != (tt.want != "") {
				t.Fatalf("Date = %v, %v, want %q", got, ok, tt.want)
			}
			if ok && !got.Equal(instant(t, tt.want)) {
				t.Errorf("Date = %v, want %s", got.UTC(), tt.want)
			}
		})
	}
}

func TestTimeMillisecondsOutOfRange(t *testing.T) {
	t.Parallel()
	tag := asdu.Clock{Year: 26, Month: 7, Day: 14}.Time() | 60000
	if got, ok := tag.Date(nil); ok {
		t.Errorf("Date = %v, want none", got)
	}
	if got, ok := tag.Near(time.Now()); ok {
		t.Errorf("Near = %v, want none", got)
	}
}

func TestTimeOf(t *testing.T) {
	t.Parallel()
	berlin := zone(t, "Europe/Berlin")
	tests := []struct {
		name, at string
		loc      *time.Location
		want     asdu.Clock
	}{
		{"UTC", "2026-07-14T13:45:27.123Z", nil,
			asdu.Clock{Year: 26, Month: 7, Day: 14, Weekday: 2, Hour: 13, Minute: 45, Millisecond: 27123}},
		{"summer", "2026-07-14T11:45:27.123Z", berlin,
			asdu.Clock{Year: 26, Month: 7, Day: 14, Weekday: 2, Hour: 13, Minute: 45, Millisecond: 27123, Summer: true}},
		{"hour that comes twice, first", "2026-10-25T00:30:00Z", berlin,
			asdu.Clock{Year: 26, Month: 10, Day: 25, Weekday: 7, Hour: 2, Minute: 30, Summer: true}},
		{"hour that comes twice, second", "2026-10-25T01:30:00Z", berlin,
			asdu.Clock{Year: 26, Month: 10, Day: 25, Weekday: 7, Hour: 2, Minute: 30}},
		{"truncated, never rounded up", "2026-12-31T23:59:59.999999999Z", nil,
			asdu.Clock{Year: 26, Month: 12, Day: 31, Weekday: 4, Hour: 23, Minute: 59, Millisecond: 59999}},
		{"before 2000", "1999-12-31T23:59:59.999Z", nil,
			asdu.Clock{Year: 99, Month: 12, Day: 31, Weekday: 5, Hour: 23, Minute: 59, Millisecond: 59999, Invalid: true}},
		{"after 2099", "2100-01-01T00:00:00Z", nil, asdu.Clock{Month: 1, Day: 1, Weekday: 5, Invalid: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			at := instant(t, tt.at)
			tag := asdu.TimeOf(at, tt.loc)
			if got := tag.Clock(); got != tt.want {
				t.Errorf("TimeOf = %+v, want %+v", got, tt.want)
			}
			if got := asdu.NewStamper(tt.loc).Stamp(at.UnixNano()); got != tag {
				t.Errorf("Stamp = %+v, want %+v", got.Clock(), tt.want)
			}
			if back, ok := tag.Date(tt.loc); !tag.Invalid() && (!ok || !back.Equal(at.Truncate(time.Millisecond))) {
				t.Errorf("back again: %v, %v", back, ok)
			}
		})
	}
}

func TestClockLeapSecondBecomesLastMillisecond(t *testing.T) {
	t.Parallel()
	if got := (asdu.Clock{Millisecond: 60500}).Time().Clock().Millisecond; got != 59999 {
		t.Errorf("%d ms, want 59999", got)
	}
}

func TestTimeBits(t *testing.T) {
	t.Parallel()
	if tag := timeV043; tag.Invalid() || tag.Substituted() || !tag.Summer() {
		t.Errorf("%+v, want SU only", tag.Clock())
	}
	if got := timeV043.WithoutWeekday().Clock(); got.Weekday != 0 || got.Day != 14 || got.Month != 7 {
		t.Errorf("%+v, want day of week 0 and no other change", got)
	}
	if tag := timeV043 | asdu.TimeInvalid | asdu.TimeSubstituted; !tag.Invalid() || !tag.Substituted() {
		t.Errorf("%+v, want IV and GEN", tag.Clock())
	}
}

// TestTimeNear has CP24Time2a, which takes hour and date from the local clock.
func TestTimeNear(t *testing.T) {
	t.Parallel()
	kolkata := zone(t, "Asia/Kolkata")
	tests := []struct {
		name, now  string
		loc        *time.Location
		minute, ms int
		want       string
	}{
		{"just now", "2026-07-14T13:45:30Z", time.UTC, 45, 27123, "2026-07-14T13:45:27.123Z"},
		{"in the hour before", "2026-07-14T13:00:05Z", time.UTC, 59, 59999, "2026-07-14T12:59:59.999Z"},
		{"in the hour after", "2026-07-14T13:59:58Z", time.UTC, 0, 1, "2026-07-14T14:00:00.001Z"},
		{"across midnight and year", "2027-01-01T00:00:01Z", time.UTC, 59, 59000, "2026-12-31T23:59:59Z"},
		{"half an hour ago", "2026-07-14T13:40:00Z", time.UTC, 10, 0, "2026-07-14T13:10:00Z"},
		{"more than half an hour is ahead", "2026-07-14T13:40:00Z", time.UTC, 9, 59999, "2026-07-14T14:09:59.999Z"},
		{"zone of a half hour", "2026-07-14T13:45:30Z", kolkata, 15, 27123, "2026-07-14T13:45:27.123Z"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tag := asdu.Clock{Minute: tt.minute, Millisecond: tt.ms}.Time()
			got, ok := tag.Near(instant(t, tt.now).In(tt.loc))
			if !ok || !got.Equal(instant(t, tt.want)) {
				t.Errorf("Near = %v, %v, want %s", got.UTC(), ok, tt.want)
			}
		})
	}
	if got, ok := (asdu.Clock{Minute: 60}).Time().Near(time.Now()); ok {
		t.Errorf("minute 60: Near = %v, want none", got)
	}
}

// TestStamperAgreesWithTimeOf walks over both changes of summer time, back and
// forth, and around 1970.
func TestStamperAgreesWithTimeOf(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe"} {
		loc := zone(t, name)
		s := asdu.NewStamper(loc)
		for _, from := range []string{"2026-03-28T22:00:00Z", "2026-10-24T22:00:00Z", "2026-04-04T12:00:00Z", "1969-12-31T22:00:00Z"} {
			at := instant(t, from)
			for i := range 2000 {
				at = at.Add(time.Duration(i%3-1)*7*time.Second + 9*time.Second + 1234567)
				if got, want := s.Stamp(at.UnixNano()), asdu.TimeOf(at, loc); got != want {
					t.Fatalf("%s %v: Stamp = %+v, want %+v", name, at, got.Clock(), want.Clock())
				}
			}
		}
	}
}

func BenchmarkStamp(b *testing.B) {
	s, ns := asdu.NewStamper(zone(b, "Europe/Berlin")), int64(1784036727123456789)
	b.ReportAllocs()
	for b.Loop() {
		ns += 1_000_003
		sinkByte = byte(s.Stamp(ns))
	}
}
