package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/internal/point"
)

// discoverFlags are the flags of the request `discover`.
type discoverFlags struct {
	plant             bool
	connector, prefix string
}

func (f *discoverFlags) define(fs *flag.FlagSet) {
	fs.BoolVar(&f.plant, "plant", false, "of discover: print points for a plant file, in YAML")
	fs.StringVar(&f.connector, "connector", "rtu", "of discover: `name` of the connector in these points")
	fs.StringVar(&f.prefix, "prefix", "", "of discover: beginning of the ids of these points; default the name of the connector")
}

// discover asks a station for its values and its counters, and prints each object
// once, by address.
func discover(ctx context.Context, s *masterSession, o *masterOptions) error {
	found := map[uint64]seen{}
	c := s.link.client
	values := func(h asdu.Header) bool {
		return !h.Type.Command() && (h.Cause == asdu.InterrogatedGeneral || h.Cause == asdu.CounterGeneral)
	}
	s.mu.Lock()
	s.wants, s.taker = values, func(a *asdu.ASDU) {
		for _, object := range a.AppendObjects(nil) {
			object.Data = slices.Clone(object.Data)
			found[uint64(a.CA)<<32|uint64(object.IOA)] = seen{a.Header, object}
		}
	}
	s.mu.Unlock()
	_, err := c.Interrogate(ctx, o.ca, uint8(asdu.InterrogatedGeneral))
	if err == nil {
		_, err = c.Counters(ctx, o.ca, 5, 0)
		_, refused := errors.AsType[*iec104.NegativeError](err)
		if refused || errors.Is(err, iec104.ErrTimeout) && !errors.Is(err, iec104.ErrIncomplete) {
			s.say(fmt.Sprintf("no counters: %v", err)) // it has none
			err = nil
		}
	}
	s.mu.Lock()
	s.wants, s.taker = nil, nil
	s.mu.Unlock()
	if err != nil {
		return err
	}
	objects := make([]seen, 0, len(found))
	for _, key := range slices.Sorted(maps.Keys(found)) {
		objects = append(objects, found[key])
	}
	s.say(fmt.Sprintf("%s found", count(len(objects), "object")))
	return s.printFound(objects, &o.discover)
}

// printFound prints the objects, or points made of them.
func (s *masterSession) printFound(objects []seen, f *discoverFlags) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.plant {
		return printPoints(s.io.Out, objects, f)
	}
	for i := range objects {
		s.out.one(&objects[i])
	}
	return s.out.flush()
}

// printPoints prints points for a plant file.
func printPoints(w io.Writer, objects []seen, f *discoverFlags) error {
	prefix := f.prefix
	if prefix == "" {
		prefix = f.connector
	}
	var text strings.Builder
	text.WriteString("points:\n")
	points := 0
	for _, o := range objects {
		typ, ok := pointTypeOf(o.header.Type)
		if !ok {
			fmt.Fprintf(&text, "  # ca %d ioa %d is %s, of which no point can be made\n", o.header.CA, o.object.IOA, o.header.Type)
			continue
		}
		points++
		fmt.Fprintf(&text, "  %s/%d/%d: {type: %s, from: {connector: %s, ca: %d, ioa: %d, as: %s}}\n",
			strings.TrimSuffix(prefix, "/"), o.header.CA, o.object.IOA, typ, f.connector, o.header.CA, o.object.IOA, o.header.Type)
	}
	if points == 0 {
		return errors.New("the station has nothing that points could be made of")
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// pointTypeOf returns the type of a point that takes the values of a type.
func pointTypeOf(t asdu.TypeID) (point.Type, bool) {
	switch t.Untagged() {
	case asdu.M_ME_NB_1:
		return point.Int, true
	case asdu.M_SP_NA_1, asdu.M_DP_NA_1, asdu.M_ST_NA_1, asdu.M_BO_NA_1, asdu.M_ME_NA_1, asdu.M_ME_NC_1, asdu.M_IT_NA_1:
		return stationPointType(t.Untagged())
	}
	if t == asdu.M_ME_ND_1 || t == asdu.M_PS_NA_1 {
		return stationPointType(t)
	}
	return 0, false
}

// check refuses what would make a plant file that is not taken.
func (f *discoverFlags) check() error {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789-"
	if f.connector == "" || len(f.connector) > 63 || strings.Trim(f.connector, letters) != "" {
		return fmt.Errorf("--connector: %q, want 1 to 63 of the characters a-z 0-9 -", f.connector)
	}
	if f.prefix == "sys" || strings.HasPrefix(f.prefix, "sys/") {
		return fmt.Errorf("--prefix: %q, want one that does not begin with sys, which is for system points", f.prefix)
	}
	for segment := range strings.SplitSeq(strings.TrimSuffix(f.prefix, "/"), "/") {
		if f.prefix != "" && (segment == "" || strings.Trim(segment, letters+"ABCDEFGHIJKLMNOPQRSTUVWXYZ._") != "") || len(f.prefix) > 180 {
			return fmt.Errorf("--prefix: %q, want segments of the characters A-Z a-z 0-9 . _ - joined by /, at most 180", f.prefix)
		}
	}
	return nil
}
