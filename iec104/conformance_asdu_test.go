package iec104

import "testing/synctest"

// asked is a check of one I frame: what it is answered with, and what the
// station is told of it.
func asked(row, ask string, told []string, answers ...string) check {
	return check{row: row, script: func(e *edge) {
		e.start()
		e.send(ask)
		e.expect(answers...)
		e.expectSilence()
		if got := e.told(); len(got) != len(told) || len(got) > 0 && got[0] != told[0] {
			e.t.Errorf("station was told %q, want %q", got, told)
		}
	}}
}

// refused is asked for what the station is not told of.
func refused(row, ask string, answers ...string) check { return asked(row, ask, nil, answers...) }

// malformed is a check of one I frame that closes the connection.
func malformed(row string, asks ...string) check {
	return check{row: row, script: func(e *edge) {
		for i, ask := range asks {
			if i > 0 {
				e.renew()
			}
			e.start()
			e.send(ask)
			e.closes(BadASDU)
			e.untouched()
		}
	}}
}

func asduCases() []check {
	return []check{
		malformed("E037 I-format without ASDU", "68 04 00 00 00 00"),
		malformed("E038 ASDU cut inside the header",
			"68 05 00 00 00 00 2d", "68 06 00 00 00 00 2d 01", "68 08 00 00 00 00 2d 01 06 05", "68 09 00 00 00 00 2d 01 06 05 01"),
		malformed("E039 ASDU without its information element",
			"68 0d 00 00 00 00 2d 01 06 05 01 00 88 13 00", "68 0a 00 00 00 00 2d 01 06 05 01 00"),
		malformed("E040 number of objects 0",
			"68 0e 00 00 00 00 2d 00 06 05 01 00 88 13 00 01", "68 0a 00 00 00 00 64 00 06 00 01 00",
			"68 0e 00 00 00 00 64 80 06 00 01 00 00 00 00 14"),
		malformed("E041 number of objects larger than the octets present",
			"68 0e 00 00 00 00 2d 05 06 05 01 00 88 13 00 01", "68 0e 00 00 00 00 64 02 06 00 01 00 00 00 00 14",
			"68 0e 00 00 00 00 01 ff 03 00 01 00 64 00 00 01"),
		malformed("E042 surplus octets behind the last object",
			"68 0f 00 00 00 00 2d 01 06 05 01 00 88 13 00 01 00", "68 12 00 00 00 00 2d 01 06 05 01 00 88 13 00 01 89 13 00 01"),
		{row: "E043 SQ=1, one object, on a system command", script: func(e *edge) {
			e.start()
			e.send("68 0e 00 00 00 00 64 81 06 05 01 00 00 00 00 16")
			e.expect("68 0e 00 00 02 00 64 81 07 05 01 00 00 00 00 16",
				"68 0e 02 00 02 00 01 01 16 05 01 00 64 00 00 01", "68 0e 04 00 02 00 64 81 0a 05 01 00 00 00 00 16")
			e.expectSilence()
			if n := e.info().Tolerated; n != 1 {
				e.t.Errorf("%d tolerated, want 1", n)
			}
		}},
		refused("E044 command ASDU with two objects",
			"68 12 00 00 00 00 2d 02 06 05 01 00 88 13 00 01 89 13 00 01",
			"68 12 00 00 02 00 2d 02 47 05 01 00 88 13 00 01 89 13 00 01"),
		refused("E044 command ASDU with two objects, SQ=1",
			"68 0f 00 00 00 00 2d 82 06 05 01 00 88 13 00 01 01",
			"68 0f 00 00 02 00 2d 82 47 05 01 00 88 13 00 01 01"),
		refused("E044 interrogation with two objects",
			"68 12 00 00 00 00 64 02 06 05 01 00 00 00 00 14 00 00 00 15",
			"68 12 00 00 02 00 64 02 47 05 01 00 00 00 00 14 00 00 00 15"),
		refused("E044 read with two objects, which has no confirmation",
			"68 10 00 00 00 00 66 02 05 05 01 00 64 00 00 65 00 00",
			"68 10 00 00 02 00 66 02 6f 05 01 00 64 00 00 65 00 00"),
		refused("E045 undefined type id 52",
			"68 0e 00 00 00 00 34 01 06 05 01 00 88 13 00 01", "68 0e 00 00 02 00 34 01 6c 05 01 00 88 13 00 01"),
		refused("E046 type id 0",
			"68 0e 00 00 00 00 00 01 06 05 01 00 88 13 00 01", "68 0e 00 00 02 00 00 01 6c 05 01 00 88 13 00 01"),
		refused("E047 private type id 255",
			"68 11 00 00 00 00 ff 03 06 05 01 00 88 13 00 01 02 03 04", "68 11 00 00 02 00 ff 03 6c 05 01 00 88 13 00 01 02 03 04"),
		refused("E048 monitor-direction type sent to a controlled station",
			"68 0e 00 00 00 00 01 01 03 00 01 00 64 00 00 01", "68 0e 00 00 02 00 01 01 6c 00 01 00 64 00 00 01"),
		refused("E048 end of initialisation sent to a controlled station",
			"68 0e 00 00 00 00 46 01 04 00 01 00 00 00 00 02", "68 0e 00 00 02 00 46 01 6c 00 01 00 00 00 00 02"),
		refused("E049 command with COT 3",
			"68 0e 00 00 00 00 2d 01 03 05 01 00 88 13 00 01", "68 0e 00 00 02 00 2d 01 6d 05 01 00 88 13 00 01"),
		refused("E050 interrogation with COT 0",
			"68 0e 00 00 00 00 64 01 00 00 01 00 00 00 00 14", "68 0e 00 00 02 00 64 01 6d 00 01 00 00 00 00 14"),
		{row: "E051 a mirrored ASDU comes back", script: func(e *edge) {
			e.start()
			for i, cot := range []string{"6c", "6d", "6e", "6f", "2c", "07", "47", "09", "49", "0a"} {
				e.send(iframe(i, 0, "2d 01"+cot+"05 01 00 88 13 00 01"))
				if i == 7 {
					e.expect("68 04 01 00 10 00") // w
				}
			}
			e.expectSilence()
			e.untouched()
			if n := e.info().Ignored; n != 10 {
				e.t.Errorf("%d ignored, want 10", n)
			}
		}},
		refused("E051 a mirrored ASDU of an undefined type comes back", "68 0e 00 00 00 00 34 01 6c 05 01 00 88 13 00 01"),
		refused("E052 command with common address 0",
			"68 0e 00 00 00 00 2d 01 06 05 00 00 88 13 00 01", "68 0e 00 00 02 00 2d 01 6e 05 00 00 88 13 00 01"),
		refused("E053 command with unknown common address",
			"68 0e 00 00 00 00 2d 01 06 05 4d 00 88 13 00 01", "68 0e 00 00 02 00 2d 01 6e 05 4d 00 88 13 00 01"),
		refused("E053 interrogation with unknown common address",
			"68 0e 00 00 00 00 64 01 06 05 4d 00 00 00 00 14", "68 0e 00 00 02 00 64 01 6e 05 4d 00 00 00 00 14"),
		refused("E054 single command with the global address",
			"68 0e 00 00 00 00 2d 01 06 05 ff ff 88 13 00 01", "68 0e 00 00 02 00 2d 01 6e 05 ff ff 88 13 00 01"),
		refused("E054 test command with the global address",
			"68 16 00 00 00 00 6b 01 06 00 ff ff 00 00 00 02 01 f3 69 2d 8d 4e 07 1a",
			"68 16 00 00 02 00 6b 01 6e 00 ff ff 00 00 00 02 01 f3 69 2d 8d 4e 07 1a"),
		refused("E055 read with the global address",
			"68 0d 00 00 00 00 66 01 05 05 ff ff 64 00 00", "68 0d 00 00 02 00 66 01 6e 05 ff ff 64 00 00"),
		refused("E056 read with COT 6",
			"68 0d 00 00 00 00 66 01 06 05 01 00 64 00 00", "68 0d 00 00 02 00 66 01 6d 05 01 00 64 00 00"),
		refused("E057 read of an unknown address",
			"68 0d 00 00 00 00 66 01 05 05 01 00 bd 02 00", "68 0d 00 00 02 00 66 01 6f 05 01 00 bd 02 00"),
		{row: "E058 interrogation with the global address", script: func(e *edge) {
			e.st.addresses = []uint16{1, 258}
			e.st.points[258] = []Item{single(7, 1)}
			e.start()
			e.send("68 0e 00 00 00 00 64 01 06 05 ff ff 00 00 00 14")
			e.expect(
				"68 0e 00 00 02 00 64 01 07 05 01 00 00 00 00 14", "68 0f 02 00 02 00 01 82 14 05 01 00 64 00 00 01 00",
				"68 0e 04 00 02 00 64 01 0a 05 01 00 00 00 00 14",
				"68 0e 06 00 02 00 64 01 07 05 02 01 00 00 00 14", "68 0e 08 00 02 00 01 01 14 05 02 01 07 00 00 01",
				"68 0e 0a 00 02 00 64 01 0a 05 02 01 00 00 00 14")
			e.expectSilence()
		}},
		refused("E059 interrogation with object address 1",
			"68 0e 00 00 00 00 64 01 06 00 01 00 01 00 00 14", "68 0e 00 00 02 00 64 01 6f 00 01 00 01 00 00 14"),
		asked("E060 interrogation of a group that is not configured",
			"68 0e 00 00 00 00 64 01 06 00 01 00 00 00 00 24", []string{"interrogate 1 36"},
			"68 0e 00 00 02 00 64 01 47 00 01 00 00 00 00 24"),
		refused("E061 interrogation with QOI 0",
			"68 0e 00 00 00 00 64 01 06 00 01 00 00 00 00 00", "68 0e 00 00 02 00 64 01 47 00 01 00 00 00 00 00"),
		{row: "E062 second interrogation while the first runs", cfg: ServerConfig{Params: Params{K: 1, W: 1}}, script: secondInterrogation},
	}
}

// secondInterrogation asks for the same twice with a window of one frame.
func secondInterrogation(e *edge) {
	e.st.points[1] = many(1, 128)
	e.start()
	e.send("68 0e 00 00 00 00 64 01 06 05 01 00 00 00 00 14")
	e.expect("68 0e 00 00 02 00 64 01 07 05 01 00 00 00 00 14")
	e.send("68 0e 02 00 00 00 64 01 06 05 01 00 00 00 00 14")
	e.expect("68 04 01 00 04 00") // w; the window is used up
	e.send("68 04 01 00 02 00")
	e.expect("68 0e 02 00 04 00 64 01 47 05 01 00 00 00 00 14")
	e.send("68 04 01 00 04 00")
	synctest.Wait()
	if b := e.next(); len(b) != 142 || hexOf(b[2:15]) != "04000400"+"01ff14050100"+"010000" {
		e.t.Fatalf("received %x, want the first 127 points", b)
	}
	e.send("68 04 01 00 06 00")
	e.expect("68 0e 06 00 04 00 01 01 14 05 01 00 80 00 00 00")
	e.send("68 04 01 00 08 00")
	e.expect("68 0e 08 00 04 00 64 01 0a 05 01 00 00 00 00 14")
	e.send("68 04 01 00 0a 00")
	e.expectSilence()
	if calls := e.told(); len(calls) != 1 {
		e.t.Errorf("station was told %q, want one interrogation", calls)
	}
}
