package plant

import (
	"strings"

	"busbar/internal/point"
)

// SystemPoint declares a point whose value Busbar itself knows: of one
// connector, or of the journal.
type SystemPoint struct {
	// Name is what its id in the plant has after sys/connectors/<connector>/ or
	// sys/journal/. A segment "*" stands for any one segment.
	Name     string
	Type     point.Type
	Unit     string
	Deadband float64 // where the plant gives none, in the unit
	Doc      string  // one line: what it tells
}

// Where the ids of system points begin.
const (
	systemPrefix     = "sys/"
	connectorsPrefix = "sys/connectors/"
	journalPrefix    = "sys/journal/"
)

// IsSystem reports whether an id is kept for system points.
func IsSystem(id string) bool { return strings.HasPrefix(id, systemPrefix) }

// ConnectorPoint returns the id of a system point of a connector.
func ConnectorPoint(connector, name string) string { return connectorsPrefix + connector + "/" + name }

// JournalPoint returns the id of a system point of the journal.
func JournalPoint(name string) string { return journalPrefix + name }

// CutConnectorPoint returns the connector and the name of a system point of a
// connector; false if the id is another.
func CutConnectorPoint(id string) (connector, name string, ok bool) {
	rest, ok := strings.CutPrefix(id, connectorsPrefix)
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, "/")
}

// CutJournalPoint returns the name of a system point of the journal; false if
// the id is another.
func CutJournalPoint(id string) (name string, ok bool) { return strings.CutPrefix(id, journalPrefix) }

// ConnectorPoints returns the system points that every connector has.
func ConnectorPoints() []SystemPoint {
	return []SystemPoint{
		{Name: "up", Type: point.Single, Doc: "the connector works, be it in part"},
		{Name: "state", Type: point.Int, Doc: "0 stopped, 1 starting, 2 connecting, 3 up, 4 degraded, 5 failed, 6 refused, 7 disabled"},
	}
}

// JournalPoints returns the system points of the journal.
func JournalPoints() []SystemPoint {
	return []SystemPoint{
		{Name: "accepting", Type: point.Single, Doc: "updates of points are taken"},
		{Name: "fill", Type: point.Float, Unit: "%", Deadband: 1, Doc: "how much of the room of the journal is used"},
		{Name: "lag", Type: point.Float, Unit: "s", Deadband: 0.1, Doc: "age of the oldest change that is not on disk yet"},
		{Name: "damaged", Type: point.Int, Doc: "places where changes that had been kept were found lost since the start"},
	}
}

// Matches reports whether a name is one that p declares.
func (p *SystemPoint) Matches(name string) bool {
	pattern, more := p.Name, true
	for more {
		var want, segment string
		var left bool
		want, pattern, more = strings.Cut(pattern, "/")
		segment, name, left = strings.Cut(name, "/")
		if left != more || want != segment && (want != "*" || segment == "") {
			return false
		}
	}
	return true
}

// FindSystemPoint returns the declaration that a name matches, nil if there is none.
func FindSystemPoint(list []SystemPoint, name string) *SystemPoint {
	for i := range list {
		if list[i].Matches(name) {
			return &list[i]
		}
	}
	return nil
}

// fill returns the name with the segments of another in place of "*", as far as
// there are as many.
func (p *SystemPoint) fill(name string) string {
	pattern, given := strings.Split(p.Name, "/"), strings.Split(name, "/")
	if len(pattern) != len(given) {
		return p.Name
	}
	for i := range pattern {
		if pattern[i] == "*" {
			pattern[i] = given[i]
		}
	}
	return strings.Join(pattern, "/")
}
