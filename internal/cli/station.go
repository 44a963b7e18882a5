package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"busbar/iec104/asdu"
	"busbar/internal/app"
	"busbar/internal/connector"
	"busbar/internal/connectors/iec104server"
	"busbar/internal/image"
	"busbar/internal/linkprofile"
	"busbar/internal/plant"
	"busbar/internal/point"
)

// stationOptions are the flags of `busbar station`.
type stationOptions struct {
	listen   string
	ca       uint
	points   int
	types    []asdu.TypeID
	rate     float64
	pack     bool
	k, w     int
	profile  string
	links    string // keys of the connector that flags give
	logLevel string
	files    string // directory; empty: none
}

func stationCommand(ctx context.Context, args []string, io IO) int {
	o, err := stationFlags(args, io)
	if err != nil {
		return fail(io, "station", err, exitUsage)
	}
	if err := o.run(ctx, io); err != nil {
		return fail(io, "station", err, exitFailure)
	}
	return exitOK
}

func stationFlags(args []string, io IO) (stationOptions, error) {
	var o stationOptions
	fs := newFlags("station", "[flags]\n\nA simulated IEC 60870-5-104 station: addresses from 1 upwards, the types in consecutive blocks.", io.Out)
	fs.StringVar(&o.listen, "listen", "127.0.0.1:2404", "`address` to listen on")
	fs.UintVar(&o.ca, "ca", 1, "common address, 1 to 65534")
	fs.IntVar(&o.points, "points", 1000, "number of points in all, 1 to 16777215")
	types := fs.String("types", "M_ME_NC_1,M_SP_TB_1,M_DP_TB_1,M_ME_TF_1,M_IT_TB_1", "types of spontaneous data, by mnemonic or number")
	fs.Float64Var(&o.rate, "rate", 0, "changes per second in all")
	fs.BoolVar(&o.pack, "pack", false, "put what waits together into one ASDU; otherwise one object per ASDU")
	fs.IntVar(&o.k, "k", 12, "most I frames sent and not acknowledged")
	fs.IntVar(&o.w, "w", 8, "I frames received after which an acknowledgement is sent at the latest")
	fs.StringVar(&o.files, "files", "", "`directory` whose files are read and written by file transfer")
	fs.StringVar(&o.profile, "profile", "standard", "link profile: `name` of one that busbar profiles lists; --k and --w win")
	fs.StringVar(&o.logLevel, "log-level", "warn", "trace (every frame), debug, info, warn or error")
	rest, err := parse(fs, args)
	if err != nil {
		return o, err
	}
	if len(rest) > 0 {
		return o, fmt.Errorf("unexpected argument %q", rest[0])
	}
	for name := range strings.SplitSeq(*types, ",") {
		t, ok := asdu.ParseTypeID(strings.TrimSpace(name))
		if _, fits := stationPointType(t); !ok || !fits {
			return o, fmt.Errorf("--types: %q, want types in monitor direction such as M_ME_TF_1", name)
		}
		o.types = append(o.types, t)
	}
	if err := o.follow(fs); err != nil {
		return o, err
	}
	return o, o.validate()
}

// follow takes k and w from the profile, but for those that flags give.
func (o *stationOptions) follow(fs *flag.FlagSet) error {
	p, err := linkprofile.Find(o.profile)
	if err != nil {
		return fmt.Errorf("--profile: %w", err)
	}
	for _, of := range []struct {
		name  string
		value *int
		own   int
	}{{"k", &o.k, p.Params.K}, {"w", &o.w, p.Params.W}} {
		if given(fs, of.name) {
			o.links += fmt.Sprintf(", %s: %d", of.name, *of.value)
		} else {
			*of.value = of.own
		}
	}
	return nil
}

func (o *stationOptions) validate() error {
	switch {
	case o.ca < 1 || o.ca > 65534:
		return fmt.Errorf("--ca: %d, want 1 to 65534", o.ca)
	case o.points < len(o.types) || o.points > asdu.MaxIOA:
		return fmt.Errorf("--points: %d, want %d (one of each type) to %d", o.points, len(o.types), asdu.MaxIOA)
	case !(o.rate >= 0 && o.rate <= 1e7):
		return fmt.Errorf("--rate: %v, want 0 to 10000000 changes per second", o.rate)
	}
	if levels := []string{"trace", "debug", "info", "warn", "error"}; !slices.Contains(levels, o.logLevel) {
		return fmt.Errorf("--log-level: %q, want one of %s", o.logLevel, strings.Join(levels, ", "))
	}
	if err := windows(o.k, o.w); err != nil {
		return err
	}
	if o.files != "" {
		if info, err := os.Stat(o.files); err != nil || !info.IsDir() {
			return fmt.Errorf("--files: %q, want a directory", o.files)
		}
	}
	if _, _, err := net.SplitHostPort(o.listen); err != nil {
		return fmt.Errorf("--listen: %q, want host:port such as 127.0.0.1:2404", o.listen)
	}
	return nil
}

// run serves the simulated plant until ctx ends.
func (o *stationOptions) run(ctx context.Context, io IO) error {
	log := app.NewLog(io.Err, "text", o.logLevel)
	defer log.Close()
	kinds, err := connector.NewRegistry(iec104server.Kind())
	if err != nil {
		return err
	}
	p, err := o.plant(kinds)
	if err != nil {
		return err
	}
	img := image.New(image.Options{})
	defer img.Close()
	sim := newSimulator(img, p)
	if err := sim.first(ctx); err != nil { // nobody shall see a point without a value
		return err
	}
	manager := connector.NewManager(log.Logger, img, kinds, time.Now)
	if err := manager.Apply(ctx, p); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- manager.Run(ctx) }()
	err = awaitUp(ctx, manager)
	debug.FreeOSMemory() // the plant is ten times as large as what is made of it
	if err == nil {
		fmt.Fprintf(io.Out, "station: %d points, common address %d, listening on %s\n", o.points, o.ca, o.listen)
		err = sim.run(ctx, o.rate)
	}
	cancel()
	return errors.Join(err, <-stopped)
}

// awaitUp returns when the station listens, or cannot.
func awaitUp(ctx context.Context, manager *connector.Manager) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		switch r := manager.Reports()[0]; r.State {
		case connector.Up:
			return nil
		case connector.Failed, connector.Refused:
			return fmt.Errorf("--listen: %s", r.Reason)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// firstFile is the least address of files whose name does not give one.
const firstFile = 30000

// plant returns the plant of the simulated station.
func (o *stationOptions) plant(kinds *connector.Registry) (*plant.Plant, error) {
	most := ", maxObjects: 1"
	if o.pack {
		most = "" // that of the profile
	}
	text := fmt.Sprintf("version: 1\nconnectors:\n  station: {kind: iec104-server, listen: %q, allow: any, profile: %s%s%s}\n", o.listen, o.profile, o.links, most)
	if o.files != "" {
		dir, err := filepath.Abs(o.files)
		if err != nil {
			return nil, err
		}
		text = strings.TrimSuffix(text, "}\n") + fmt.Sprintf(", files: {dir: %q, ca: %d, ioa: %d, write: true}}\n", dir, o.ca, max(firstFile, o.points+1))
	}
	p, problems := plant.Decode("station", []byte(text), kinds, plant.Options{})
	if err := problems.Err(); err != nil {
		return nil, err
	}
	p.Points = make([]plant.Point, 0, o.points)
	ioa := 0
	for i, t := range o.types {
		count := o.points / len(o.types)
		if i < o.points%len(o.types) {
			count++
		}
		for range count {
			ioa++
			p.Points = append(p.Points, stationPoint(uint16(o.ca), uint32(ioa), t))
		}
	}
	return p, nil
}

func stationPoint(ca uint16, ioa uint32, t asdu.TypeID) plant.Point {
	typ, _ := stationPointType(t)
	p := plant.Point{ID: fmt.Sprintf("p%08d", ioa), Type: typ, Hold: -1}
	target := plant.Target{
		Connector: "station",
		Scale:     1,
		End: &iec104server.Target{
			CA:      iec104server.CommonAddress(ca),
			IOA:     iec104server.ObjectAddress(ioa),
			As:      iec104server.MonitorType{TypeID: t},
			Counter: iec104server.Counter{Spontaneous: true},
		},
	}
	switch t {
	case asdu.M_ME_NA_1, asdu.M_ME_TA_1, asdu.M_ME_ND_1, asdu.M_ME_TD_1:
		p.Range = &plant.Range{Low: 0, High: 1000}
	}
	p.To = []plant.Target{target}
	return p
}

// stationPointType returns the type of point that is simulated for a type of
// spontaneous data.
func stationPointType(t asdu.TypeID) (point.Type, bool) {
	switch t {
	case asdu.M_SP_NA_1, asdu.M_SP_TA_1, asdu.M_SP_TB_1:
		return point.Single, true
	case asdu.M_DP_NA_1, asdu.M_DP_TA_1, asdu.M_DP_TB_1, asdu.M_EP_TA_1, asdu.M_EP_TD_1:
		return point.Double, true
	case asdu.M_ST_NA_1, asdu.M_ST_TA_1, asdu.M_ST_TB_1:
		return point.Step, true
	case asdu.M_BO_NA_1, asdu.M_BO_TA_1, asdu.M_BO_TB_1, asdu.M_PS_NA_1,
		asdu.M_EP_TB_1, asdu.M_EP_TC_1, asdu.M_EP_TE_1, asdu.M_EP_TF_1:
		return point.Bits, true
	case asdu.M_ME_NA_1, asdu.M_ME_TA_1, asdu.M_ME_NB_1, asdu.M_ME_TB_1, asdu.M_ME_NC_1, asdu.M_ME_TC_1,
		asdu.M_ME_ND_1, asdu.M_ME_TD_1, asdu.M_ME_TE_1, asdu.M_ME_TF_1:
		return point.Float, true
	case asdu.M_IT_NA_1, asdu.M_IT_TA_1, asdu.M_IT_TB_1:
		return point.Counter, true
	default:
		return 0, false
	}
}
