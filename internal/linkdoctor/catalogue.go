package linkdoctor

// ID names a kind of finding.
type ID string

// The findings.
const (
	WExceedsK        ID = "w-exceeds-k"
	SlowAcks         ID = "slow-acks"
	AckNearT1        ID = "ack-near-t1"
	AckTimeout       ID = "ack-timeout"
	PeerT1           ID = "peer-t1"
	AcksOneByOne     ID = "acks-one-by-one"
	TestUnanswered   ID = "test-unanswered"
	TestSlow         ID = "test-slow"
	TestFrequent     ID = "test-frequent"
	StartRepeated    ID = "startdt-repeated"
	StartUnconfirmed ID = "start-unconfirmed"
	StationStarts    ID = "station-starts"
	FramesUnstarted  ID = "frames-before-start"
	SequenceError    ID = "sequence-error"
	BrokenFrames     ID = "broken-frames"
	WriteStalled     ID = "write-stalled"
	Takeover         ID = "takeover"
	Flapping         ID = "flapping"

	UnknownType          ID = "unknown-type"
	UnknownCause         ID = "unknown-cause"
	UnknownCA            ID = "unknown-ca"
	UnknownObject        ID = "unknown-object"
	UnsignedRefusal      ID = "unsigned-refusal"
	CommandRefused       ID = "command-refused"
	CommandDiscarded     ID = "command-discarded"
	InterrogationRefused ID = "interrogation-refused"
	ClockRefused         ID = "clock-refused"
	Malformed            ID = "malformed-asdu"

	GINever      ID = "gi-never"
	GIUnanswered ID = "gi-unanswered"
	GIIncomplete ID = "gi-incomplete"
	GIMissing    ID = "gi-missing-points"
	GITagged     ID = "gi-tagged"
	Invalid      ID = "invalid-values"
	NotTopical   ID = "not-topical-values"
	Duplicates   ID = "duplicates"
	CP24         ID = "cp24"

	TimeZone    ID = "time-zone"
	ClockOffset ID = "clock-offset"
	InvalidTime ID = "invalid-time"
	SummerInUTC ID = "summer-in-utc"
)

// Kind describes a kind of finding.
type Kind struct {
	ID       ID
	Severity Severity
	Means    string
}

// Catalogue returns every kind of finding.
func Catalogue() []Kind {
	return []Kind{
		{WExceedsK, Problem, "window after window waits for t2 of the peer: its w is more than k here"},
		{SlowAcks, Problem, "the window is full for long, again and again: the peer acknowledges too late for k, or the line is slow"},
		{AckNearT1, Problem, "acknowledgements come just before t1 ends: the next delay breaks the link"},
		{AckTimeout, Problem, "frames were not acknowledged within t1, so that the connection was closed"},
		{PeerT1, Problem, "the peer closes while it waits for an acknowledgement: its t1 is not more than t2 here"},
		{AcksOneByOne, Note, "the peer acknowledges every single frame, its w is 1"},
		{TestUnanswered, Problem, "test frames (TESTFR) were not confirmed within t1"},
		{TestSlow, Warning, "test frames are confirmed late"},
		{TestFrequent, Note, "the peer tests the link unusually often, its t3 is short"},
		{StartRepeated, Warning, "STARTDT is sent again while data transfer is started"},
		{StartUnconfirmed, Problem, "STARTDT or STOPDT was not confirmed within t1"},
		{StationStarts, Note, "the station sends STARTDT or STOPDT, which only a controlling station may"},
		{FramesUnstarted, Problem, "I or S frames are sent before data transfer is started"},
		{SequenceError, Problem, "frames are lost or repeated, or acknowledged that were never sent"},
		{BrokenFrames, Problem, "what is received is not IEC 60870-5-104: wrong port, wrong protocol, or damage on the way"},
		{WriteStalled, Problem, "the peer does not read what is sent to it"},
		{Takeover, Problem, "two controlling stations in one redundancy group take data transfer from each other"},
		{Flapping, Problem, "the connection breaks again and again"},
		{UnknownType, Warning, "a type identification is asked for that the station does not have (cause 44)"},
		{UnknownCause, Warning, "requests have a cause that the type does not permit (cause 45)"},
		{UnknownCA, Problem, "a common address is asked for that is not served (cause 46)"},
		{UnknownObject, Warning, "object addresses are asked for that are not there (cause 47)"},
		{UnsignedRefusal, Note, "causes 44 to 47 come without P/N"},
		{CommandRefused, Warning, "commands are refused"},
		{CommandDiscarded, Problem, "commands with time tag are discarded without an answer, because of their time"},
		{InterrogationRefused, Warning, "interrogations are refused"},
		{ClockRefused, Warning, "clock synchronisation is refused"},
		{Malformed, Problem, "ASDUs are received that contradict themselves, such as with wrong sizes of address or cause"},
		{GINever, Warning, "no general interrogation is asked for after the start"},
		{GIUnanswered, Problem, "the general interrogation is not confirmed"},
		{GIIncomplete, Problem, "the answer to the general interrogation does not end"},
		{GIMissing, Warning, "points that are sent spontaneously are not in the general interrogation"},
		{GITagged, Note, "answers to the interrogation have time tags"},
		{Invalid, Warning, "a large part of the values is invalid (IV)"},
		{NotTopical, Warning, "a large part of the values is not topical (NT)"},
		{Duplicates, Note, "events come again after a reconnect"},
		{CP24, Note, "types with CP24Time2a are sent, which belong to IEC 60870-5-101"},
		{TimeZone, Problem, "times are off by whole hours: one side means local time"},
		{ClockOffset, Warning, "the clocks differ"},
		{InvalidTime, Warning, "a large part of the time tags is invalid or impossible"},
		{SummerInUTC, Note, "time tags have SU although they are to be UTC"},
	}
}

// severity returns the severity of a kind of finding.
func (id ID) severity() Severity {
	for _, k := range Catalogue() {
		if k.ID == id {
			return k.Severity
		}
	}
	return Warning
}
