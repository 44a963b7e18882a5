package linkdoctor

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Severity says how bad a finding is.
type Severity uint8

// The severities.
const (
	Note    Severity = iota + 1 // works, and is worth to know
	Warning                     // works in part, or not always
	Problem                     // data or commands are lost or late, or links break
)

var severities = [...]string{Note: "note", Warning: "warning", Problem: "problem"}

// String returns the word for the severity.
func (s Severity) String() string { return severities[s] }

// MarshalText implements [encoding.TextMarshaler].
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Finding is something that does not fit.
type Finding struct {
	ID       ID        `json:"id"`
	Severity Severity  `json:"severity"`
	Peer     string    `json:"peer,omitempty"`   // address of the other side
	Seen     string    `json:"seen"`             // what was seen, with figures
	Wanted   string    `json:"wanted,omitempty"` // what is wanted: which parameter at which side
	Example  string    `json:"example,omitempty"`
	Count    uint64    `json:"count"` // how often
	Since    time.Time `json:"since"`
	Last     time.Time `json:"last"`

	told time.Time // when Seen was made
}

// String returns what was seen and what is wanted.
func (f *Finding) String() string {
	s := f.Seen
	if f.Example != "" {
		s += ", such as " + f.Example
	}
	if f.Wanted != "" {
		s += "; want " + f.Wanted
	}
	return s
}

type key struct {
	id   ID
	peer string
}

// words are what is said of a finding.
type words struct{ seen, wanted, example string }

const (
	// keptFor is how long after it was last seen a finding is still one.
	keptFor = time.Hour
	// severeFor is how long a problem is the state of a connector.
	severeFor = 10 * time.Minute
	// toldEvery is how often the words of a finding are made anew.
	toldEvery = time.Second
)

// note notes that something was seen n times. say is called if the words are
// due. An example, once there, stays.
func (d *Doctor) note(p *peer, id ID, n uint64, now time.Time, say func(total uint64) words) {
	d.mu.Lock()
	defer d.mu.Unlock()
	k := key{id, p.name}
	f := d.findings[k]
	if f == nil || now.Sub(f.Last) > keptFor {
		f = &Finding{ID: id, Severity: id.severity(), Peer: p.name, Since: now}
		d.findings[k] = f
	}
	f.Count += n
	f.Last = now
	if f.Count > n && now.Sub(f.told) < toldEvery && f.Count > 10 {
		return
	}
	w := say(f.Count)
	f.told, f.Seen, f.Wanted = now, w.seen, w.wanted
	if f.Example == "" {
		f.Example = w.example
	}
}

// Findings returns what was found within the last hour, the worst first.
func (d *Doctor) Findings() []Finding {
	now := time.Now()
	for _, l := range *d.links.Load() {
		l.mu.Lock()
		l.review(now)
		l.mu.Unlock()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	list := []Finding{}
	for k, f := range d.findings {
		if now.Sub(f.Last) > keptFor {
			delete(d.findings, k)
			continue
		}
		list = append(list, *f)
	}
	slices.SortFunc(list, func(a, b Finding) int {
		return cmp.Or(int(b.Severity)-int(a.Severity), cmp.Compare(a.Peer, b.Peer), cmp.Compare(a.ID, b.ID))
	})
	return list
}

// times writes how often something was seen.
func times(n uint64) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// seconds writes a duration with one decimal.
func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
