// Package plant is the plant configuration: connectors, points and
// commands, strictly decoded from YAML or JSON with the position of every fault.
package plant

import (
	"time"

	"busbar/internal/point"
)

// Plant is a decoded and validated plant file.
type Plant struct {
	Connectors []Connector // in order of id
	Points     []Point     // in order of id
	Commands   []Command   // in order of id
	Warnings   []Problem   // what is right but may not be meant, in order of position
}

// Connector is one configured instance of a protocol.
type Connector struct {
	ID       string
	Kind     string
	Settings any  // what the kind's Settings returned, filled in
	Disabled bool // enabled: false; it is decoded and checked, but does not run
}

// Point is a named signal and its ends.
type Point struct {
	ID          string
	Type        point.Type
	Name        string
	Description string
	Unit        string
	Range       *Range        // the physical range, for normalised targets and dead bands in percent
	Limits      *Limits       // clamp and OV beyond
	Deadband    Deadband      // default of the targets
	Validity    time.Duration // no update for so long makes it IV+NT; 0 is off
	SinceSource bool          // validity counts from the source time, not from arrival
	Hold        time.Duration // how long a source may be away before NT; negative: the connector's default
	From        *Source       // nil: has no source (yet)
	To          []Target
}

// Range is the range of a value in its unit.
type Range struct {
	Low  float64 `json:"low" required:"true"`
	High float64 `json:"high" required:"true"`
}

// Limits bound a value in its unit. Beyond them OV is set and, with Clamp, the
// value becomes the limit. An absent limit is infinite.
type Limits struct {
	Low, High float64
	Clamp     bool
}

// Deadband is the change that does not make an event. The zero value makes
// every change an event.
type Deadband struct {
	Value   float64 // in the unit of the point, or percent of its range
	Percent bool
}

// Missing says what a message means in which the path of a point is absent.
type Missing uint8

// What a missing path means.
const (
	MissingIgnore  Missing = iota // no reading for this point, counted
	MissingInvalid                // IV
)

// Source is the `from` of a point: where its value comes from and how it is made of a reading.
type Source struct {
	Connector string
	Value     string // dot path into JSON, "@" the whole payload
	Busbar    bool   // the payload is the JSON that Busbar itself publishes; Value, Time and Quality are set
	Time      string // dot path; empty: time of arrival
	Quality   *QualityMap
	Map       map[string]string // raw value -> name of a state, number or text
	Invert    bool
	Scale     float64 // default 1
	Offset    float64
	Expr      string // expression over `value`
	Missing   Missing
	End       any // what the kind's Source returned, filled in
}

// QualityMap makes quality bits of a value in the payload. A value that is not in the map is GOOD only if it is "good".
type QualityMap struct {
	Value string // dot path
	Map   map[string]point.Quality
}

// Target is one entry of the `to` of a point.
type Target struct {
	Connector string
	Deadband  *Deadband // nil: the point's
	OnUpdate  bool      // report: update: an event also for a new time alone
	Latest    bool      // keep: latest: of the events that wait only the newest
	Range     *Range    // nil: the point's
	Scale     float64   // default 1
	Offset    float64
	End       any // what the kind's Target returned, filled in
}
