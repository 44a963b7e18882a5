package api

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
)

// seen holds the answers that the tests of the package have seen.
var seen coverage

// coverage counts answers by operation id and status.
type coverage struct {
	mu    sync.Mutex
	count map[string]map[int]int
}

func (c *coverage) observe(operation string, status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count == nil {
		c.count = map[string]map[int]int{}
	}
	if c.count[operation] == nil {
		c.count[operation] = map[int]int{}
	}
	c.count[operation][status]++
}

// undocumented are the answers that every operation can have: "default" in the document.
var undocumented = []int{400, 406, 408, 429, 500, 503}

// faults compares what was seen with the document.
func (c *coverage) faults(operations []operation) (faults []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := map[string]bool{}
	for _, o := range operations {
		known[o.ID] = true
		for _, status := range o.Statuses {
			if c.count[o.ID][status] == 0 {
				faults = append(faults, fmt.Sprintf("%s: answer %d is documented and was never seen", o.ID, status))
			}
		}
		for status := range c.count[o.ID] {
			if !slices.Contains(o.Statuses, status) && !slices.Contains(undocumented, status) {
				faults = append(faults, fmt.Sprintf("%s: answer %d was seen and is not documented", o.ID, status))
			}
		}
	}
	for id := range c.count {
		if !known[id] {
			faults = append(faults, fmt.Sprintf("%s: was used and is not documented", id))
		}
	}
	slices.Sort(faults)
	return faults
}

// TestMain fails if an answer that the document has was never seen, unless only a part of the tests has run.
func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if code == 0 && everything() {
		operations, err := documentedOperations()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		for _, fault := range seen.faults(operations) {
			fmt.Fprintln(os.Stderr, "--- FAIL: coverage of the document:", fault)
			code = 1
		}
	}
	os.Exit(code)
}

// everything reports whether all tests have run.
func everything() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list", "test.fuzz", "test.bench"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != "" {
			return false
		}
	}
	return !testing.Short() && flag.Lookup("test.count").Value.String() != "0"
}

func TestCoverageFindsWhatIsMissingAndWhatIsTooMuch(t *testing.T) {
	t.Parallel()
	var c coverage
	c.observe("getThing", 200)
	c.observe("getThing", 418)
	c.observe("getThing", 429)
	c.observe("dropThing", 204)
	got := c.faults([]operation{{ID: "getThing", Statuses: []int{200, 404}}})
	want := []string{
		"dropThing: was used and is not documented",
		"getThing: answer 404 is documented and was never seen",
		"getThing: answer 418 was seen and is not documented",
	}
	if !slices.Equal(got, want) {
		t.Errorf("faults %q, want %q", got, want)
	}
}
