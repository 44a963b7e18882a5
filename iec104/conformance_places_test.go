package iec104

import "slices"

// both returns rows that each station has.
func both(place string, rows ...string) (names []string) {
	for _, row := range rows {
		names = append(names, place+" controlled "+row, place+" controlling "+row)
	}
	return names
}

func of(place string, rows ...string) (names []string) {
	for _, row := range rows {
		names = append(names, place+" "+row)
	}
	return names
}

// linkPlaces are the rows of the tables of reception, windows, timers, states
// and reasons to close, and of redundancy groups.
func linkPlaces() []string {
	return slices.Concat(
		both("1.1", "octet 1 is not 68H", "L < 4", "L = 254, 255", "S or U with L other than 4", "U with no function or several",
			"U or S with reserved bits", "APDU incomplete and silent", "APDU arriving in several segments", "each APDU sent with one write"),
		both("1.2", "numbers are 0 at first, unchanged by STARTDT and STOPDT", "sender stops at k, which is no error", "k = 1", "w = 1",
			"a sent I frame acknowledges: stop t2, count from 0", "w received I frames are acknowledged at once", "N(S) must be V(R)",
			"N(R) is valid from Ack to V(S)", "N(R) confirms everything below it", "N(R) equal to Ack has no effect, does not prolong t1",
			"a peer whose k is larger is no reason to close", "32767 is followed by 0 in the window of the sender",
			"32767 is followed by 0 in acknowledgements of received frames", "N(R) is valid from Ack to V(S) across the wrap"),
		of("1.3", "controlling t0 aborts the attempt", "controlling t0 stops when the connection is established",
			"controlling t1 (U) of STARTDT act expires", "controlling t1 (U) of STARTDT act stops with its con only",
			"controlling t1 (U) of STOPDT act expires", "controlling t1 (U) of STOPDT act stops with its con only",
			"controlling t1 (U) one timer for each act", "controlling t1 (I) is not prolonged by S, TESTFR or I of the station"),
		both("1.3", "t1 (I) supervises the oldest frame", "t1 (I) goes on with the next oldest", "t1 (I) stops with N(R) beyond the frame",
			"t1 (U) of TESTFR act stops with its con", "t1 (U) of TESTFR act expires",
			"t2 from the first received I frame, not prolonged", "t2 stops with a sent I frame", "t2 stops with a sent S frame",
			"t2 is not stopped by link control", "t3 from the establishment of the connection", "t3 restarts with every received frame",
			"t3 is not restarted by sent frames", "t3 runs in STOPPED", "TESTFR act is confirmed in every state",
			"only one TESTFR act outstanding", "a dead peer is found within t3 + t1", "the parameters count"),
		controlledPlaces(), controllingPlaces(), closePlaces(),
		of("1.6 controlled", "connections that are not started are supervised by TESTFR", "planned switch: STOPDT, its con, STARTDT on the other",
			"groups are independent", "answers are bound to the connection"), // see also E097 to E099
		of("1.6 controlling", "one connection is started, the others are standbys kept alive by TESTFR",
			"after a failure the next standby is started at once", "planned switch: STOPDT, its con, STARTDT on the other",
			"a standby that does not answer is replaced", "data of a standby are not taken",
			"a standby that the station closes is connected again", "STARTDT con that does not come starts the next standby"),
	)
}

func controlledPlaces() []string {
	return of("1.4 controlled", "STOPPED: STARTDT act", "STOPPED: STOPDT act", "STOPPED: I received", "STOPPED: S received", "STARTED: STARTDT act",
		"STARTED: STOPDT act, own I frames all acknowledged", "STARTED: STOPDT act, received I frames unacknowledged",
		"STARTED: STOPDT act, own I frames outstanding", "PENDING UNCONFIRMED STOPPED: S acknowledges the last outstanding",
		"PENDING UNCONFIRMED STOPPED: S acknowledges some", "PENDING UNCONFIRMED STOPPED: I received",
		"PENDING UNCONFIRMED STOPPED: STARTDT act", "PENDING UNCONFIRMED STOPPED: STOPDT act", "PENDING UNCONFIRMED STOPPED: t1 (I) expires",
		"an I frame never comes before STARTDT con", "end of initialisation follows STARTDT con")
}

func controllingPlaces() []string {
	return of("1.4 controlling", "STOPPED: user starts", "STOPPED: S received", "STOPPED: I received", "STOPPED: requests and user data are not sent",
		"PENDING STARTED: STARTDT con", "PENDING STARTED: t1 (U) expires", "PENDING STARTED: I received", "PENDING STARTED: S or TESTFR received",
		"PENDING STARTED: user stops", "PENDING STARTED: the connection is lost", "STARTED: user starts",
		"STARTED: user stops, own I frames all acknowledged", "STARTED: user stops, own I frames outstanding", "pending stop: I received",
		"PENDING STOPPED: I received is acknowledged at once", "PENDING UNCONFIRMED STOPPED: last own I frame acknowledged",
		"PENDING UNCONFIRMED STOPPED: t1 (I) expires", "PENDING UNCONFIRMED STOPPED: no more I", "PENDING UNCONFIRMED STOPPED: STOPDT con",
		"PENDING STOPPED: STOPDT con", "PENDING STOPPED: STARTDT con", "PENDING STOPPED: t1 (U) expires",
		"STOPPED after STOPDT con: I received", "any: STARTDT act or STOPDT act received", "any: con without own act")
}

// closePlaces are the conditions that close the connection; the sixth is t0.
func closePlaces() []string {
	return slices.Concat(
		both("1.5", "1: wrong start octet", "1: L outside 4 to 253", "1: S or U with L other than 4", "1: undefined U function",
			"2: I frame in STOPPED", "3: N(S) with a gap", "3: N(S) repeated", "4: N(R) outside Ack to V(S)", "5: t1 of an I frame",
			"5: t1 of TESTFR act", "7: malformed ASDU", "8: incomplete APDU older than t1", "9: TCP FIN"),
		of("1.5", "controlled 2: S frame in STOPPED", "controlled closing stops all timers and starts anew",
			"controlling 5: t1 of STARTDT act", "controlling 5: t1 of STOPDT act"),
	)
}

// procedurePlaces are the rows of the procedures.
func procedurePlaces() []string {
	return slices.Concat(
		of("2 controlling", "what must not go to all stations"),
		of("4.4 controlling", "CP24Time2a is completed with hour and date"),
		of("5.1 controlling", "end of initialisation is not waited for", "M_EI is handed up", "M_EI ends the requests",
			"M_EI does not end a request the station had not received", "M_EI ends a request to all for that station only"),
		of("5.2 controlled interrogation:", "every untagged type", "group with its cause", "configured but empty group", "reserved and private qualifiers",
			"another qualifier or address", "broadcast while", "cancelled", "cancel of another qualifier", "ends with STOPDT",
			"the events that waited come first", "a generator feeds the window", "tagged data of a station that has such"),
		of("5.2 controlling interrogation:", "ACTCON, data, ACTTERM, spontaneous data between", "data with time tag", "negative ACTCON", "no ACTCON",
			"never two of one common address", "group", "to all, answers under the own common addresses", "to all, answers under 65535",
			"to all stations that are known", "to all, one refuses", "cancelled", "the context limits it as a whole",
			"spontaneous data do not prolong it", "no ACTTERM after DEACTCON", "data before ACTCON count"),
		of("5.3 controlled counters:", "general read", "read of group 1", "read of group 4", "freeze", "freeze with reset of group 1", "reset",
			"no group", "reserved group", "private group", "tagged readings", "broadcast freeze"),
		of("5.3 controlling counters:", "read", "group, freeze without ACTTERM", "each group has its cause", "ACTTERM never comes",
			"ACTTERM of a freeze is ignored", "frozen values that come spontaneously are no answer", "to all"),
		of("5.4 controlled read:", "untagged value with cause 5", "the type the station has"),
		of("5.4 controlling read:", "with and without time tag", "the value of another station, object or cause is not the answer"),
		of("5.5 controlled clock:", "the received time is confirmed", "refused by the station", "each common address answers a broadcast"),
		of("5.5 controlling clock synchronisation:", "the time is that of writing", "refused", "to all, each confirms", "the station reports its time, ignored"),
		commandPlaces(),
		of("5.7 controlled", "test 107", "test 104: an unknown type", "test 104: answered when switched on", "delay acquisition 106", "reset: confirmed", "reset: refused"),
		of("5.7 controlling", "test 107: counter and time mirrored", "test 104", "reset process: confirmed before the station goes"),
		of("5.8 controlling parameter:", "loaded, not in operation, activated", "refused, unknown type"),
		of("5.9 controlled", "priority: link control, confirmations, events, answers, background", "order: a read value does not overtake",
			"order: end of initialisation before other data", "packing: full ASDU of 249 octets", "packing: waiting events fill ASDUs"),
		of("5.9 controlling", "cyclic, background, spontaneous and local data", "data with time tag and cause 1, 2 or of an interrogation",
			"a point sent twice, without and with time tag", "order of what is handed up"),
		of("5.12 controlled", "checks in their order", "every cause that the type does not have", "answers are never answered"),
		of("5.12 controlling", "requests received are never mirrored", "a request after a refusal is sent"),
		inquiryPlaces(),
	)
}

func commandPlaces() []string {
	return append(of("5.6 controlling", "direct: confirmation, return information, termination", "select before operate", "a refused select is not executed",
		"negative confirmation", "negative termination", "no confirmation", "no termination", "station that does not terminate",
		"answers of another value or step are not taken", "time tag of the moment of writing",
		"command: select, execute and cancel one by one", "command: running, cancelled", "command: given up after the select",
		"command: a select that is not confirmed is never executed", "command: the connection is lost between select and execute",
		"command: executed at once after the select", "command: STOPDT between select and execute", "command: ACTTERM before ACTCON is not taken",
		"command: return information with cause 3, 11 or 12", "command: one per object", "command: the limit for the termination is a setting",
		"command: every type, select and execute, qualifier and value mirrored",
		"a late answer does not satisfy the next request", "a station that answers twice", "answers out of order",
		"a request that was not sent is not sent later", "requests and answers of another originator are told apart"),
		"5.6 controlled command: every type is handed on and mirrored")
}

// inquiryPlaces are the rows that every request has.
func inquiryPlaces() (names []string) {
	for _, name := range []string{
		"5.2 controlling interrogation", "5.2 controlling interrogation: cancel", "5.3 controlling counters: read",
		"5.3 controlling counters: freeze with reset", "5.4 controlling read", "5.5 controlling clock synchronisation",
		"5.6 controlling command: select", "5.6 controlling command: execute", "5.6 controlling command: cancel", "5.7 controlling test 107",
		"5.7 controlling test 104", "5.7 controlling reset process", "5.8 controlling parameter: loaded", "5.8 controlling parameter: activated",
		"5.8 controlling parameter: deactivated",
	} {
		names = append(names, name+": no answer in time", name+": the limit is a setting", name+": the connection is lost",
			"5.12 controlling every refusal of: "+name[len("5.2 controlling "):])
		if name != "5.4 controlling read" {
			names = append(names, name+": an answer of another station, object or originator is not taken")
		}
	}
	return names
}
