package iec104

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The rows of the protocol's tables are named after their place: the section
// of the rules, the station that is tested, and what happens. Edge cases are
// named by their number, E001 to E101; those of both stations and of the
// controlling one may tell that behind it.

func TestConformanceControlled(t *testing.T) {
	t.Parallel()
	play(t, slices.Concat(controlledTables()...))
}

func TestConformanceControlling(t *testing.T) {
	t.Parallel()
	playClient(t, slices.Concat(controllingTables()...))
}

func TestConformanceLinks(t *testing.T) {
	t.Parallel()
	playFleet(t, slices.Concat(fleetTables()...))
}

// controlledTables are the rows played to a server.
func controlledTables() [][]check {
	return [][]check{
		framingCases(), transferCases(), numberCases(), asduCases(), requestCases(), abuseCases(), groupCases(),
		receptionRows(), windowRows(), timerRows(), controlledRows(), closeRows(), groupRowsOfStation(),
		interrogationRows(), counterRows(), requestRows(), refusalOrderRows(), sendingRows(),
	}
}

// controllingTables are the rows played to a client.
func controllingTables() [][]clientCheck {
	return [][]clientCheck{
		clientReceptionRows(), clientWindowRows(), clientTimerRows(), clientSupervisionRows(), controllingRows(), clientStateRows(),
		clientCloseRows(), clientCases(), answerCases(), inquiryRows(), supervisionRows(), commandRows(), overdueRows(),
	}
}

// fleetTables are the rows played to a client that keeps itself connected.
func fleetTables() [][]fleetCheck {
	return [][]fleetCheck{linkRows(), groupRows(), standbyRows(), selectionRows()}
}

// played returns the names of all rows.
func played() (rows []string) {
	for _, c := range slices.Concat(controlledTables()...) {
		rows = append(rows, c.row)
	}
	for _, c := range slices.Concat(controllingTables()...) {
		rows = append(rows, c.row)
	}
	for _, c := range slices.Concat(fleetTables()...) {
		rows = append(rows, c.row)
	}
	return rows
}

// edgeCases are the edge cases that concern a server without a command engine,
// which are played to it, and those of a client but for file transfer. The
// cases of commands, E067 to E077, are played to the connector, which has that
// engine.
func edgeCases() (ids []string) {
	for i := 1; i <= 66; i++ {
		ids = append(ids, fmt.Sprintf("E%03d ", i))
	}
	for i := 93; i <= 101; i++ {
		ids = append(ids, fmt.Sprintf("E%03d ", i))
	}
	for _, both := range []int{27, 30, 36, 37, 42, 95, 96, 100, 101} {
		ids = append(ids, fmt.Sprintf("E%03d controlling", both))
	}
	for i := 78; i <= 90; i++ {
		ids = append(ids, fmt.Sprintf("E%03d ", i))
	}
	return ids
}

func TestConformanceIsComplete(t *testing.T) {
	t.Parallel()
	rows := played()
	for _, want := range slices.Concat(edgeCases(), linkPlaces(), procedurePlaces()) {
		if !slices.ContainsFunc(rows, func(row string) bool { return strings.HasPrefix(row, want) }) {
			t.Errorf("nothing plays %q", want)
		}
	}
	name := regexp.MustCompile(`^(E(0\d\d|10[01]) |[1-5]\.\d+ (controlled|controlling) |2 (controlled|controlling) )\S`)
	seen := map[string]bool{}
	for _, row := range rows {
		if seen[row] || !name.MatchString(row) {
			t.Errorf("row %q twice, or without its place", row)
		}
		seen[row] = true
	}
}
