package iec104server

// timeCases: commands with time tag. The clock begins at 2000-01-01 00:00:00.
func timeCases() []commandCase {
	const (
		now  = " 00 00 00 00 01 01 00"
		head = "3a 01 06 05 01 00 92 13 00 01"
		con  = "3a 01 07 05 01 00 92 13 00 01"
		neg  = "3a 01 47 05 01 00 92 13 00 01"
		end  = "3a 01 0a 05 01 00 92 13 00 01"
	)
	refuse := func(s *Settings) { s.LateCommands = "refuse" }
	minute := func(s *Settings) { s.CommandAge = 60e9 }
	return []commandCase{
		{name: "time of now, mirrored", steps: []string{"a> " + head + now, "a< " + con + now, "a< " + end + now, "told issue st on q0 oa5"}},
		{name: "with day of week and summer time, which UTC has not", steps: []string{
			"a> " + head + "00 00 00 80 c1 01 00", "a< " + con + "00 00 00 80 c1 01 00", "a< " + end + "00 00 00 80 c1 01 00", "told issue st on q0 oa5"}},
		{name: "E074 just not too old", steps: []string{"wait 10s", "a> " + head + now, "a< " + con + now, "a< " + end + now, "told issue st on q0 oa5"}},
		{name: "E074 older than permitted: silence", steps: []string{"wait 10001ms", "a> " + head + now, "wait 1m", "a<", "told "}},
		{name: "E074 older than permitted: refused where set so", set: refuse, steps: []string{"wait 10001ms", "a> " + head + now, "a< " + neg + now, "told "}},
		{name: "E074 the permitted age is a setting (K11)", set: minute, steps: []string{"wait 1m", "a> " + head + now, "a< " + con + now, "a< " + end + now,
			"wait 1ms", "a> " + head + now, "told issue st on q0 oa5"}},
		{name: "E075 as far in the future as permitted", steps: []string{"a> " + head + "d0 07 00 00 01 01 00", "a< " + con + "d0 07 00 00 01 01 00",
			"a< " + end + "d0 07 00 00 01 01 00", "told issue st on q0 oa5"}},
		{name: "E075 further in the future", steps: []string{"a> " + head + "d1 07 00 00 01 01 00", "a<", "told "}},
		{name: "E075 further in the future: refused where set so", set: refuse, steps: []string{"a> " + head + "d1 07 00 00 01 01 00",
			"a< " + neg + "d1 07 00 00 01 01 00", "told "}},
		{name: "E075 IV=1", steps: []string{"a> " + head + "00 00 80 00 01 01 00", "a<", "told "}},
		{name: "E075 impossible date", steps: []string{"a> " + head + "00 00 00 00 00 01 00", "a> " + head + "60 ea 00 00 01 01 00",
			"a> " + head + "00 00 00 18 01 01 00", "a> " + head + "00 00 00 00 01 0d 00", "a<", "told "}},
		{name: "E075 impossible date: refused where set so", set: refuse, steps: []string{"a> " + head + "00 00 00 00 00 01 00",
			"a< " + neg + "00 00 00 00 00 01 00", "told "}},
		{name: "select and execute have times of their own", steps: []string{
			"a> 3a 01 06 05 01 00 92 13 00 81" + now, "a< 3a 01 07 05 01 00 92 13 00 81" + now, "wait 5s",
			"a> " + head + "88 13 00 00 01 01 00", "a< " + con + "88 13 00 00 01 01 00", "a< " + end + "88 13 00 00 01 01 00",
			"told select st on q0 oa5; issue st on q0 oa5"}},
		{name: "an old select selects nothing", steps: []string{"wait 11s", "a> 3a 01 06 05 01 00 92 13 00 81" + now, "a<", "told "}},
		{name: "an old execute leaves the selection", steps: []string{"wait 11s",
			"a> 3a 01 06 05 01 00 92 13 00 81 f8 2a 00 00 01 01 00", "a< 3a 01 07 05 01 00 92 13 00 81 f8 2a 00 00 01 01 00",
			"a> " + head + now, "a<", "held st 1"}},
		{name: "cancel needs no time", steps: []string{"a> 3a 01 06 05 01 00 92 13 00 81" + now, "a< 3a 01 07 05 01 00 92 13 00 81" + now,
			"a> 3a 01 08 05 01 00 92 13 00 81 00 00 80 00 01 01 00", "a< 3a 01 09 05 01 00 92 13 00 81 00 00 80 00 01 01 00", "held st 0"}},
		{name: "set point and bitstring with time tag", steps: []string{
			"a> 3f 01 06 05 01 00 94 13 00 00 00 00 3e 00" + now, "a< 3f 01 07 05 01 00 94 13 00 00 00 00 3e 00" + now,
			"a< 3f 01 0a 05 01 00 94 13 00 00 00 00 3e 00" + now,
			"a> 40 01 06 05 01 00 93 13 00 01 00 00 80" + now, "a< 40 01 07 05 01 00 93 13 00 01 00 00 80" + now,
			"a< 40 01 0a 05 01 00 93 13 00 01 00 00 80" + now, "told issue nt 0.125 q0 oa5; issue bt 0x80000001 q0 oa5"}},
	}
}

// hostCases: what the host makes of an order, and return information.
func hostCases() []commandCase {
	const (
		on, con, neg, end = "a> 2e 01 06 05 01 00 c8 00 00 02", "a< 2e 01 07 05 01 00 c8 00 00 02", "a< 2e 01 47 05 01 00 c8 00 00 02", "a< 2e 01 0a 05 01 00 c8 00 00 02"
		endNeg            = "a< 2e 01 4a 05 01 00 c8 00 00 02"
		back, spont       = "a< 03 01 0b 00 01 00 c8 00 00 02", "a< 03 01 03 00 01 00 c8 00 00 02"
		told              = "told issue q0 on q0 oa5"
	)
	return []commandCase{
		{name: "host refuses: one negative confirmation (K1, K3)", steps: []string{"host refuse", on, neg, "wait 1m", "a<", told}},
		{name: "no confirmation before the device was asked (K1)", steps: []string{"host hold", on, "wait 4s", "a<", "confirm +", con, "terminate +", "wait 250ms", end, told}},
		{name: "host answers negatively after a while", steps: []string{"host hold", on, "wait 9s", "confirm −", neg, told}},
		{name: "no termination where the command has none", steps: []string{"host confirm", on, con, "wait 1m", "a<", told}},
		{name: "negative termination", steps: []string{"host fail", on, con, endNeg, told}},
		{name: "ACTCON, return information with cause 11, ACTTERM", steps: []string{"host hold", on, "confirm +", con, "feedback 2", back, "terminate +", end, told}},
		{name: "return information that is a little late still comes first", steps: []string{"host hold", on, "confirm +", con, "terminate +", "wait 100ms", "a<", "feedback 2", back, end}},
		{name: "return information that does not come in time", steps: []string{"host hold", on, "confirm +", con, "terminate +", "wait 249ms", "a<", "wait 1ms", end, "feedback 2", spont}},
		{name: "nothing is return information before the confirmation", steps: []string{"host hold", on, "feedback 2", spont, "confirm +", con, "terminate +", end}},
		{name: "all stations see return information", steps: []string{"open b", "host hold", on, "confirm +", con, "feedback 2", back, "b< 03 01 0b 00 01 00 c8 00 00 02",
			"terminate +", end, "b<"}},
		{name: "what happens without a command is spontaneous", steps: []string{"feedback 2", spont}},
		{name: "after a refusal changes are spontaneous", steps: []string{"host refuse", on, neg, "feedback 2", spont}},
		{name: "a change of state through the intermediate one", steps: []string{"host hold", on, "confirm +", con, "feedback 0", "a< 03 01 0b 00 01 00 c8 00 00 00",
			"feedback 2", back, "terminate +", end, "feedback 1", "a< 03 01 03 00 01 00 c8 00 00 01"}},
		{name: "without termination changes count as caused for a while only", steps: []string{"host confirm", on, con, "feedback 2", back, "wait 31s",
			"feedback 1", "a< 03 01 03 00 01 00 c8 00 00 01"}},
		{name: "without termination that while begins with the confirmation", steps: []string{"host hold", on, "wait 40s", "confirm +", con, "wait 30s", "feedback 2", back}},
		{name: "with termination changes count as caused until then", steps: []string{"host hold", "a> 2e 01 06 05 01 00 c9 00 00 02", "wait 45s", "confirm +",
			"a< 2e 01 07 05 01 00 c9 00 00 02", "wait 10m", "feedback 2", back, "terminate +", "a< 2e 01 0a 05 01 00 c9 00 00 02", "feedback 1", "a< 03 01 03 00 01 00 c8 00 00 01"}},
		{name: "the position behind an intermediate one comes before ACTTERM", steps: []string{"host hold", on, "confirm +", con, "feedback 0", "a< 03 01 0b 00 01 00 c8 00 00 00",
			"terminate +", "wait 100ms", "a<", "feedback 2", back, end}},
		{name: "the same, if the intermediate one comes late as well", steps: []string{"host hold", on, "confirm +", con, "terminate +", "wait 100ms",
			"feedback 0", "a< 03 01 0b 00 01 00 c8 00 00 00", "a<", "feedback 2", back, end}},
		{name: "the same, if the intermediate one precedes the confirmation", steps: []string{"host hold", on, "feedback 0", "a< 03 01 03 00 01 00 c8 00 00 00", "confirm +", con,
			"terminate +", "wait 100ms", "a<", "feedback 2", back, end}},
		{name: "connection lost before the confirmation: no answer on another", steps: []string{"host hold", on, "close a", "open a", "confirm +", "a<", "terminate +", "wait 1m", "a<", told}},
		{name: "STOPDT before the confirmation: no answer after STARTDT", steps: []string{"host hold", on, "stop a", "start a", "confirm +", "a<", "terminate +", "wait 1m", "a<", told}},
		{name: "a lost connection does not keep the object busy", steps: []string{"host hold", on, "close a", "open a", "confirm +", "terminate +", "host refuse", on, neg,
			"told issue q0 on q0 oa5; issue q0 on q0 oa5"}},
		{name: "command to the address of its feedback point, which can be read", steps: []string{"feedback 2", spont,
			"a> 66 01 05 05 01 00 c8 00 00", "a< 03 01 05 05 01 00 c8 00 00 02", "host refuse", on, neg}},
		{name: "commands to several objects at once, answered in the order of the host", steps: []string{"host hold",
			"a> 2d 01 06 05 01 00 88 13 00 01", "a> 2f 01 06 05 01 00 8a 13 00 02", "confirm +", "a< 2d 01 07 05 01 00 88 13 00 01", "terminate +", "a< 2d 01 0a 05 01 00 88 13 00 01",
			"confirm −", "a< 2f 01 47 05 01 00 8a 13 00 02"}},
	}
}
