package iec104

import "testing"

// TestDialectOfAnswers plays the switches of a server for peers that do not take
// what the standard has.
func TestDialectOfAnswers(t *testing.T) {
	t.Parallel()
	exchange := func(row string, cfg ServerConfig, ask string, answers ...string) check {
		return check{row: row, cfg: cfg, script: func(e *edge) {
			e.start()
			e.send(ask)
			e.expect(answers...)
			e.expectSilence()
		}}
	}
	zero, confirm := ServerConfig{NoOriginator: true}, ServerConfig{ConfirmUnknown: true}
	play(t, []check{
		exchange("no originator in confirmation and termination", zero, "68 0e 00 00 00 00 2d 01 06 05 01 00 88 13 00 01",
			"68 0e 00 00 02 00 2d 01 07 00 01 00 88 13 00 01", "68 0e 02 00 02 00 2d 01 0a 00 01 00 88 13 00 01"),
		exchange("no originator in an interrogation", zero, "68 0e 00 00 00 00 64 01 06 05 01 00 00 00 00 16",
			"68 0e 00 00 02 00 64 01 07 00 01 00 00 00 00 16", "68 0e 02 00 02 00 01 01 16 00 01 00 64 00 00 01", "68 0e 04 00 02 00 64 01 0a 00 01 00 00 00 00 16"),
		exchange("no originator in a refusal", zero, "68 0e 00 00 00 00 2d 01 06 05 09 00 88 13 00 01", "68 0e 00 00 02 00 2d 01 6e 00 09 00 88 13 00 01"),
		exchange("an unknown common address is confirmed negatively", confirm, "68 0e 00 00 00 00 2d 01 06 05 09 00 88 13 00 01",
			"68 0e 00 00 02 00 2d 01 47 05 09 00 88 13 00 01"),
		exchange("so is its deactivation", confirm, "68 0e 00 00 00 00 2d 01 08 05 09 00 88 13 00 01", "68 0e 00 00 02 00 2d 01 49 05 09 00 88 13 00 01"),
		exchange("so is an unknown object address", confirm, "68 0e 00 00 00 00 2d 01 06 05 01 00 01 00 00 01", "68 0e 00 00 02 00 2d 01 47 05 01 00 01 00 00 01"),
		exchange("a read has no confirmation", confirm, "68 0d 00 00 00 00 66 01 05 05 01 00 09 00 00", "68 0d 00 00 02 00 66 01 6f 05 01 00 09 00 00"),
		exchange("neither has a type in monitor direction", confirm, "68 0e 00 00 00 00 01 01 03 05 01 00 64 00 00 01", "68 0e 00 00 02 00 01 01 6c 05 01 00 64 00 00 01"),
	})
}
