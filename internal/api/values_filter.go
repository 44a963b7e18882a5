package api

import (
	"fmt"
	"slices"
	"strings"

	"busbar/internal/auth"
	"busbar/internal/connector"
	"busbar/internal/point"
)

// ValueFilter is the part of the values that is asked for. Every condition that is given must hold.
type ValueFilter struct {
	Prefix    string   `query:"prefix" maxLength:"200" doc:"Only this id, and what lies below it" example:"ons4711/t1"`
	IDs       []string `query:"ids" maxItems:"1000" doc:"Ids of points, separated by commas"`
	Types     []string `query:"type" enum:"single,double,step,bits,int,float,counter,text" doc:"Types of points, separated by commas"`
	Quality   []string `query:"quality" enum:"good,abnormal,invalid,not-topical,substituted,blocked,overflow,elapsed-time-invalid,carry,adjusted" doc:"One of these must hold: good, abnormal (anything else), or a bit of the quality that is set"`
	Connector string   `query:"connector" maxLength:"63" doc:"Points that come from this connector or go to it"`
	Search    string   `query:"search" maxLength:"200" doc:"Text in the id or in the value of a text, in upper or lower case"`
}

// view tells filters apart.
func (f *ValueFilter) view() string {
	return fmt.Sprintf("%q %q %q %q %q %q", f.Prefix, f.IDs, f.Types, f.Quality, f.Connector, f.Search)
}

// valueMatch is a filter as it is applied.
type valueMatch struct {
	*ValueFilter
	who    auth.Principal
	ids    map[string]bool // nil: all
	types  uint16          // a bit for each; 0: all
	bits   point.Quality   // of which one must be set
	good   bool            // or none at all
	any    bool            // or any
	joined func(point.Index) bool
	search string
}

// match compiles a filter for who asks.
func (a *api) match(f *ValueFilter, who auth.Principal) (*valueMatch, error) {
	m := &valueMatch{ValueFilter: f, who: who, any: len(f.Quality) == 0, search: strings.ToLower(f.Search)}
	if len(f.IDs) > 0 {
		m.ids = make(map[string]bool, len(f.IDs))
		for _, id := range f.IDs {
			m.ids[id] = true
		}
	}
	for _, name := range f.Types {
		typ, _ := point.ParseType(name)
		m.types |= 1 << typ
	}
	for _, word := range f.Quality {
		q, _ := point.ParseQuality(word)
		m.bits |= q
		m.good = m.good || word == "good"
		if word == "abnormal" {
			m.bits = ^point.Quality(0)
		}
	}
	if f.Connector != "" {
		joined, ok := a.deps.Manager.Joined(f.Connector)
		if !ok {
			return nil, invalid("there is no such connector", Fault{Location: "query.connector", Message: "want the id of a connector", Value: f.Connector})
		}
		m.joined = joined
	}
	return m, nil
}

// point reports whether a point may match, whatever its state is.
func (m *valueMatch) point(p point.Index, id string, typ point.Type) bool {
	switch {
	case m.types != 0 && m.types>>typ&1 == 0,
		m.joined != nil && !m.joined(p),
		!below(id, m.Prefix),
		m.ids != nil && !m.ids[id],
		m.search != "" && typ != point.Text && !strings.Contains(strings.ToLower(id), m.search):
		return false
	}
	return m.who.Sees(id)
}

// named reports whether the id of a point tells more than where it stands in the catalog.
func (m *valueMatch) named() bool { return m.Prefix != "" || m.search != "" || m.who.Limited() }

// quality reports whether the quality of a state matches.
func (m *valueMatch) quality(s *point.State) bool {
	return m.any || s.Quality&m.bits != 0 || m.good && s.Quality == 0
}

// state reports whether the state of a point that may match does.
func (m *valueMatch) state(id string, s *point.State) bool {
	if !m.quality(s) {
		return false
	}
	return m.search == "" || strings.Contains(strings.ToLower(id), m.search) || strings.Contains(strings.ToLower(s.Value.Text()), m.search)
}

// places returns the places in a catalog at which there may be points that match.
func (m *valueMatch) places(a *api, c *connector.Catalog) (places []int) {
	if m.ids != nil {
		for _, id := range slices.Compact(slices.Sorted(slices.Values(m.IDs))) {
			if at, ok := c.Find(a.deps.Image, id); ok {
				places = append(places, at)
			}
		}
		return places
	}
	return nil
}
