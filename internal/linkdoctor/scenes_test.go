package linkdoctor

import (
	"time"

	"busbar/iec104"
	"busbar/iec104/apci"
	"busbar/iec104/asdu"
)

// scene is traffic, and what has to be found in it: nothing else may be.
type scene struct {
	name string
	o    Options
	play func(s *script)
	want []ID
	says string // in the words of the first
}

var (
	server = Options{Role: Controlled}
	client = Options{Role: Controlling, Thorough: true}
)

// windows plays so many full windows, each acknowledged after a time.
func windows(s *script, acks ...time.Duration) {
	for _, wait := range acks {
		for range 12 {
			s.say(value)
		}
		s.wait(wait)
		s.acked()
	}
}

const sec = time.Second

func windowScenes() []scene {
	return []scene{
		{"windows wait for t2 of the peer", server, func(s *script) { s.asks(); windows(s, 10*sec, 10*sec, 10*sec, 10*sec) },
			[]ID{WExceedsK}, "each of the last 4 windows of 12 frames was acknowledged only after 10.0 s to 10.0 s"},
		{"two windows that wait", server, func(s *script) { s.asks(); windows(s, 10*sec, 10*sec, 0, 10*sec, 10*sec) }, nil, ""},
		{"windows that wait for changing times", server, func(s *script) { s.asks(); windows(s, 2*sec, 5*sec, sec) }, []ID{SlowAcks}, "full for 1.0 s to 5.0 s, 3 times in a row"},
		{"windows that are full for an instant", server, func(s *script) { s.asks(); windows(s, sec/10, sec/10, sec/10, sec/10) }, nil, ""},
		{"prompt acknowledgements before the window is full end a row", server, func(s *script) {
			s.asks()
			windows(s, 10*sec, 10*sec)
			s.say(value, value)
			s.acked()
			windows(s, 10*sec, 10*sec)
		}, nil, ""},
		{"an acknowledgement just before t1", server, func(s *script) { s.asks(); s.say(value); s.wait(14 * sec); s.acked() }, []ID{AckNearT1}, "once late, the last after 14.0 s; t1 here is 15.0 s"},
		{"an acknowledgement after t2 of the standard", server, func(s *script) { s.asks(); s.say(value); s.wait(10 * sec); s.acked() }, nil, ""},
		{"frames that follow acknowledged ones are not older than those", server, func(s *script) {
			s.asks()
			s.say(value)
			s.wait(10 * sec)
			s.say(value)
			s.ackedTo(4)
			s.wait(5 * sec)
			s.acked()
		}, nil, ""},
		{"frames that are never acknowledged", server, func(s *script) { s.asks(); s.say(value, value); s.wait(15 * sec); s.closes(iec104.NoAck) },
			[]ID{AckTimeout}, "2 frames were not acknowledged within t1, 15.0 s"},
		{"each frame is acknowledged", server, func(s *script) {
			s.asks()
			for range 60 {
				s.say(value)
				s.acked()
			}
		}, []ID{AcksOneByOne}, "60 frames were acknowledged one by one"},
		{"few frames, each acknowledged after t2", server, func(s *script) {
			s.asks()
			for range 60 {
				s.say(value)
				s.wait(10 * sec)
				s.acked()
			}
		}, nil, ""},
		{"eight frames at a time are acknowledged", server, func(s *script) {
			s.asks()
			for range 60 {
				s.say(value, value, value, value, value, value, value, value)
				s.acked()
			}
		}, nil, ""},
		{"the peer gives up while it waits for an acknowledgement", client, func(s *script) {
			for range 2 {
				s.start()
				s.hear(value)
				s.wait(8 * sec)
				s.closes(iec104.ClosedByPeer)
				s.connect()
			}
		}, []ID{PeerT1}, "closed 2 times while it waited for an acknowledgement, the last time of 1 frames for 8.0 s"},
		{"the peer closes when all is acknowledged", client, func(s *script) {
			for range 2 {
				s.start()
				s.hear(value)
				s.ack()
				s.wait(8 * sec)
				s.closes(iec104.ClosedByPeer)
				s.connect()
			}
		}, nil, ""},
	}
}

// asks starts data transfer and interrogates, as every controlling station should.
func (s *script) asks() {
	s.start()
	s.hear(giAsk)
	s.say(giCon, giObject, giEnd)
	s.acked()
}

func linkScenes() []scene {
	pause := func(s *script, f func()) { f(); s.wait(30 * sec) }
	return []scene{
		{"test frames that are not confirmed", server, func(s *script) { s.u(true, apci.TestFRAct); s.wait(15 * sec); s.closes(iec104.NoTestCon) }, []ID{TestUnanswered}, "within t1, 15.0 s (once)"},
		{"test frames that are confirmed late", server, func(s *script) { s.u(true, apci.TestFRAct); s.wait(9 * sec); s.u(false, apci.TestFRCon) }, []ID{TestSlow}, "the last after 9.0 s"},
		{"test frames that are confirmed in time", server, func(s *script) { s.u(true, apci.TestFRAct); s.wait(7 * sec); s.u(false, apci.TestFRCon) }, nil, ""},
		{"test frames every second", server, func(s *script) {
			for range 11 {
				s.u(false, apci.TestFRAct)
				s.u(true, apci.TestFRCon)
				s.wait(sec)
			}
		}, []ID{TestFrequent}, "every 1.0 s, 10 times"},
		{"test frames every 20 s", server, func(s *script) {
			for range 20 {
				s.u(false, apci.TestFRAct)
				s.u(true, apci.TestFRCon)
				s.wait(20 * sec)
			}
		}, nil, ""},
		{"STARTDT three times", server, func(s *script) { s.asks(); s.start(); s.start() }, []ID{StartRepeated}, "was sent 2 times on this connection"},
		{"STARTDT after STOPDT", server, func(s *script) {
			s.asks()
			for range 3 {
				s.u(false, apci.StopDTAct)
				s.u(true, apci.StopDTCon)
				s.start()
			}
		}, nil, ""},
		{"STARTDT that is not confirmed", client, func(s *script) { s.u(true, apci.StartDTAct); s.wait(15 * sec); s.closes(iec104.NoStartCon) }, []ID{StartUnconfirmed}, "no startdt con within t1"},
		{"the station starts", client, func(s *script) { s.u(false, apci.StartDTAct) }, []ID{StationStarts}, "the station has sent STARTDT act once"},
		{"I frames before the start", server, func(s *script) { s.closes(iec104.NotStarted) }, []ID{FramesUnstarted}, "before data transfer was started"},
		{"a gap in the numbers", server, func(s *script) { s.closes(iec104.BadSendNumber) }, []ID{SequenceError}, "sequence numbers"},
		{"an acknowledgement of nothing", client, func(s *script) { s.closes(iec104.BadAck) }, []ID{SequenceError}, "sequence numbers"},
		{"another protocol", server, func(s *script) { s.closes(iec104.BadStart) }, []ID{BrokenFrames}, "not IEC 60870-5-104"},
		{"a peer that does not read", server, func(s *script) { s.closes(iec104.WriteStalled) }, []ID{WriteStalled}, "did not read"},
		{"two stations in one group", server, func(s *script) {
			for i := range 6 {
				s.addr = []string{"10.0.0.5:1", "10.0.0.6:1"}[i%2]
				pause(s, func() { s.connect(); s.asks() })
				s.closes(iec104.Superseded)
			}
		}, []ID{Takeover, Takeover}, "by another connection of the redundancy group 3 times within 5m0s"},
		{"a switch and back", server, func(s *script) {
			for i := range 2 {
				s.addr = []string{"10.0.0.5:1", "10.0.0.6:1"}[i%2]
				pause(s, func() { s.connect(); s.asks() })
				s.closes(iec104.Superseded)
			}
		}, nil, ""},
		{"five connections that break", server, func(s *script) {
			for range 5 {
				pause(s, s.asks)
				s.closes(iec104.NetworkFailed)
				s.addr += "0" // another port
				s.connect()
			}
		}, []ID{Flapping}, "5 connections ended within 10m0s, the last after 30.0 s: network failed"},
		{"four connections that break, and many closed on purpose", server, func(s *script) {
			for i := range 20 {
				pause(s, s.asks)
				if i < 4 {
					s.closes(iec104.NetworkFailed)
				} else {
					s.closes(iec104.ClosedLocally)
				}
				s.connect()
			}
		}, nil, ""},
		{"connections that break once an hour", server, func(s *script) {
			for range 10 {
				s.asks()
				s.wait(time.Hour)
				s.closes(iec104.NetworkFailed)
				s.connect()
			}
		}, nil, ""},
	}
}

func requestScenes() []scene {
	refuse := func(asks, answer string) func(s *script) {
		return func(s *script) { s.asks(); s.hear(asks); s.say(answer) }
	}
	return []scene{
		{"an unknown type", server, refuse("2d 01 06 00 01 00 88 13 00 01", "2d 01 6c 00 01 00 88 13 00 01"), []ID{UnknownType}, "asks for type C_SC_NA_1 once"},
		{"an unknown cause", server, refuse("2d 01 03 00 01 00 88 13 00 01", "2d 01 6d 00 01 00 88 13 00 01"), []ID{UnknownCause}, "a cause that C_SC_NA_1 does not permit"},
		{"unknown common addresses", server, func(s *script) {
			s.asks()
			s.hear("64 01 06 00 02 00 00 00 00 14", "64 01 06 00 07 00 00 00 00 14")
			s.say("64 01 6e 00 02 00 00 00 00 14", "64 01 6e 00 07 00 00 00 00 14")
		}, []ID{UnknownCA}, "asks for common address 7 2 times, which is not there; 2 different ones in all"},
		{"an unknown object", server, refuse("66 01 05 00 01 00 09 00 00", "66 01 6f 00 01 00 09 00 00"), []ID{UnknownObject}, "common address 1, object address 9"},
		{"this side asks for what is not there", client, func(s *script) { s.start(); s.say("66 01 05 00 01 00 09 00 00"); s.hear("66 01 6f 00 01 00 09 00 00") }, []ID{UnknownObject}, "this side asks for"},
		{"a refusal without P/N", client, func(s *script) { s.start(); s.say("66 01 05 00 01 00 09 00 00"); s.hear("66 01 2f 00 01 00 09 00 00") }, []ID{UnknownObject, UnsignedRefusal}, "object address 9"},
		{"a command that is refused", server, func(s *script) {
			s.asks()
			s.hear("2d 01 06 00 01 00 88 13 00 01")
			s.d.Refused(s.conn, "not selected", false)
			s.say("2d 01 47 00 01 00 88 13 00 01")
		}, []ID{CommandRefused}, "commands were refused once: not selected (1)"},
		{"a command that is confirmed", server, refuse("2d 01 06 00 01 00 88 13 00 01", "2d 01 07 00 01 00 88 13 00 01"), nil, ""},
		{"a command that is discarded", server, func(s *script) { s.asks(); s.d.Refused(s.conn, "is 1h0m0s old", true) }, []ID{CommandDiscarded}, "discarded without an answer once"},
		{"an interrogation that is refused", server, refuse("64 01 06 00 01 00 00 00 00 16", "64 01 47 00 01 00 00 00 00 16"), []ID{InterrogationRefused}, "interrogations were refused once"},
		{"clock synchronisation that is refused", client, func(s *script) {
			s.start()
			s.say("67 01 06 00 01 00 00 00 00 00 00 00 0c 0e 07 1a")
			s.hear("67 01 47 00 01 00 00 00 00 00 00 00 0c 0e 07 1a")
		}, []ID{ClockRefused}, "clock synchronisation was refused once"},
		{"wrong octets of the address", server, func(s *script) { s.asks(); s.hear("64 01 06 01 00 00 14") }, []ID{Malformed}, "malformed ASDUs were received once"},
		{"a connection that ends for an ASDU", server, func(s *script) { s.closes(iec104.BadASDU) }, []ID{Malformed}, "malformed"},
		{"nobody interrogates", server, func(s *script) { s.start(); s.wait(61 * sec) }, []ID{GINever}, "no general interrogation"},
		{"a standby does not interrogate", server, func(s *script) { s.wait(time.Hour) }, nil, ""},
		{"an interrogation within a minute", server, func(s *script) { s.start(); s.wait(50 * sec); s.hear(giAsk); s.wait(time.Hour) }, nil, ""},
		{"a clock that is an hour off by synchronisation", server, func(s *script) { s.asks(); s.hear(clockSync(time.Hour)) }, []ID{TimeZone}, "the time of C_CS_NA_1 is 1 h 0 min ahead, SU is not set"},
		{"a clock that is three seconds off", server, func(s *script) { s.asks(); s.hear(clockSync(-3 * sec)) }, []ID{ClockOffset}, "the time of C_CS_NA_1 is 3.0 s behind"},
		{"a clock that agrees", server, func(s *script) { s.asks(); s.hear(clockSync(sec)) }, nil, ""},
	}
}

// clockSync is a clock synchronisation that is so far from now.
func clockSync(offset time.Duration) string {
	at := asdu.TimeOf(time.Now().Add(offset), nil)
	return "67 01 06 00 01 00 00 00 00" + tagged(0, at)[20:]
}

func stationScenes() []scene {
	answer := func(objects ...string) func(s *script) {
		return func(s *script) {
			s.start()
			s.say(giAsk)
			s.hear(giCon)
			s.hear(objects...)
			s.hear(giEnd)
		}
	}
	twelve := func(quality string) string { return "01 8c 14 00 01 00 64 00 00" + quality }
	return []scene{
		{"a complete interrogation", client, answer(giObject, value), nil, ""},
		{"a broadcast that each station answers", client, func(s *script) {
			s.start()
			s.say("64 01 06 00 ff ff 00 00 00 14")
			s.hear(giCon, giObject, giEnd, "64 01 07 00 02 00 00 00 00 14", "64 01 0a 00 02 00 00 00 00 14")
			s.wait(time.Hour)
		}, nil, ""},
		{"an interrogation without an end", client, func(s *script) { s.start(); s.say(giAsk); s.hear(giCon, giObject); s.wait(31 * sec) }, []ID{GIIncomplete}, "common address 1 did not end once: after 1 objects nothing more came"},
		{"an interrogation cut off", client, func(s *script) { s.start(); s.say(giAsk); s.hear(giCon); s.ack(); s.closes(iec104.NetworkFailed) }, []ID{GIIncomplete}, "the connection ended"},
		{"an interrogation without confirmation", client, func(s *script) { s.start(); s.say(giAsk); s.wait(31 * sec) }, []ID{GIUnanswered}, "was not confirmed once"},
		{"a point that is not in the interrogation", client, func(s *script) { s.start(); s.hear("01 01 03 00 01 00 65 00 00 01"); answer(giObject)(s) }, []ID{GIMissing}, "1 points of common address 1"},
		{"a counter is not in the interrogation", client, func(s *script) { s.start(); s.hear("0f 01 03 00 01 00 65 00 00 01 00 00 00 00"); answer(giObject)(s) }, nil, ""},
		{"answers with time tag", client, func(s *script) {
			answer("1e" + tagged(100, asdu.TimeOf(time.Now(), nil))[2:4] + "14" + tagged(100, asdu.TimeOf(time.Now(), nil))[6:])(s)
		}, []ID{GITagged}, "1 objects of interrogations came with time tag"},
		{"invalid values", client, answer(twelve("80 80 80 01 01 01 01 01 01 01 01 01")), []ID{Invalid}, "3 of 12 values in the interrogation of common address 1 are invalid"},
		{"few invalid values", client, answer(twelve("80 80 01 01 01 01 01 01 01 01 01 01")), nil, ""},
		{"values that are not topical", client, answer(twelve("40 40 40 40 40 40 40 40 40 40 40 40")), []ID{NotTopical}, "12 of 12"},
		{"time tags of three octets", client, func(s *script) { s.start(); s.hear("02 01 03 00 01 00 64 00 00 01 00 00 00") }, []ID{CP24}, "1 objects came with a time tag of three octets"},
		{"events that come again", client, func(s *script) {
			s.start()
			e := s.event(0, 0)
			s.hear(e)
			s.ack()
			s.again(iec104.NetworkFailed)
			s.hear(e)
		}, []ID{Duplicates}, "events came again after a reconnect once"},
		{"events that are new after a reconnect", client, func(s *script) {
			s.start()
			s.hear(s.event(0, 0))
			s.ack()
			s.again(iec104.NetworkFailed)
			s.wait(sec)
			s.hear(s.event(0, 0))
		}, nil, ""},
		{"local time without SU", client, events(2*time.Hour, 0), []ID{TimeZone}, "time tags of events are 2 h 0 min ahead, SU is not set"},
		{"a clock that is late", client, events(-5*sec, 0), []ID{ClockOffset}, "time tags of events are 5.0 s behind"},
		{"a clock that agrees", client, events(-sec/2, 0), nil, ""},
		{"events that waited for an hour", client, func(s *script) {
			s.start()
			for range 30 {
				s.hear(s.event(-time.Hour, 0))
				s.ack()
			}
		}, nil, ""},
		{"invalid time tags", client, events(0, asdu.TimeInvalid), []ID{InvalidTime}, "12 of the last 12 time tags"},
		{"an impossible date", client, func(s *script) {
			s.start()
			for range 10 {
				s.hear(tagged(100, 0))
			}
		}, []ID{InvalidTime}, "10 of the last 10"},
		{"SU in UTC", client, events(0, asdu.TimeSummer), []ID{SummerInUTC}, "12 time tags had SU set"},
		{"SU in a zone that has it", Options{Role: Controlling, Location: berlin(), Thorough: true}, func(s *script) {
			s.start()
			for range 12 {
				s.hear(tagged(100, asdu.TimeOf(time.Now(), berlin())))
				s.ack()
				s.wait(5 * sec)
			}
		}, nil, ""},
	}
}

func berlin() *time.Location {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		return time.UTC
	}
	return zone
}

// events plays a dozen events, five seconds apart.
func events(offset time.Duration, bits asdu.Time) func(s *script) {
	return func(s *script) {
		s.start()
		for range 12 {
			s.hear(s.event(offset, bits))
			s.ack()
			s.wait(5 * sec)
		}
	}
}
