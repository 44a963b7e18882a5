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
	"strconv"
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
	dial     string // controlling stations that listen, in place of listen
	tls      tlsFlags
	scenario scenario
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
	fs.StringVar(&o.dial, "dial", "", "`addresses` of controlling stations that listen; the station connects to each, in place of listening")
	o.tls.define(fs)
	fs.IntVar(&o.scenario.commands, "commands", 0, "number of commands, addresses from 1000001, feedback from 2000001: C_SC, C_DC, C_RC, C_SE_NA, C_SE_NB, C_SE_NC, C_BO in turn")
	fs.IntVar(&o.scenario.failEvery, "fail-commands", 0, "refuse every so many `orders`: 1 all, 3 the third, the sixth …")
	fs.DurationVar(&o.scenario.termDelay, "term-delay", 0, "time from the confirmation of a command to its feedback and termination")
	fs.IntVar(&o.scenario.counters, "counters", 0, "number of integrated totals M_IT_TB_1 beside the points, addresses from 3000001, counter groups 1 to 4 in turn")
	fs.IntVar(&o.scenario.groups, "groups", 0, "number of interrogation groups that the points are in, in turn, 1 to 16")
	fs.StringVar(&o.scenario.quality, "quality", "good", "quality of all values: good, or of invalid, not-topical, substituted, blocked, overflow")
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
	if o.dial != "" && given(fs, "listen") {
		return o, errors.New("--dial: want either it or --listen")
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
	if o.scenario.counters+o.scenario.commands > 0 && o.points >= firstCommand {
		return fmt.Errorf("--points: %d, want at most %d with --commands and --counters, whose addresses come then", o.points, firstCommand-1)
	}
	if err := o.scenario.check(); err != nil {
		return err
	}
	return o.tls.check()
}

// run serves the simulated plant until ctx ends.
func (o *stationOptions) run(ctx context.Context, io IO) error {
	log := app.NewLog(io.Err, "text", o.logLevel)
	defer log.Close()
	img := image.New(image.Options{})
	defer img.Close()
	quality, err := parseQualityWords(o.scenario.quality)
	if err != nil {
		return err
	}
	device := &process{scenario: o.scenario, img: img}
	kinds, err := connector.NewRegistry(iec104server.Kind(), device.kind())
	if err != nil {
		return err
	}
	p, err := o.plant(kinds)
	if err != nil {
		return err
	}
	sim := newSimulator(img, p.Points, quality)
	if err := device.begin(ctx, sim.release(o.scenario.commands)); err != nil {
		return err
	}
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
		fmt.Fprintf(io.Out, "station: %d points, common address %d, %s\n", o.points, o.ca, o.place())
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
		switch r := reportOf(manager); r.State {
		case connector.Up, connector.Connecting, connector.Degraded: // who is dialled may come later
			return nil
		case connector.Failed, connector.Refused:
			if strings.HasPrefix(r.Reason, "listen on ") {
				return fmt.Errorf("--listen: %s", r.Reason)
			}
			return errors.New(r.Reason)
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
	files := ""
	if o.files != "" {
		dir, err := filepath.Abs(o.files)
		if err != nil {
			return nil, err
		}
		files = fmt.Sprintf(", files: {dir: %q, ca: %d, ioa: %d, write: true}", dir, o.ca, max(firstFile, o.points+1))
	}
	text := fmt.Sprintf("version: 1\nconnectors:\n  process: {kind: process}\n  station: {kind: iec104-server, %s, profile: %s%s%s%s%s}\n%s",
		o.ends(), o.profile, o.links, most, files, o.security(), o.scenario.keys(o.ca))
	p, problems := plant.Decode("station", []byte(text), kinds, plant.Options{})
	if err := problems.Err(); err != nil {
		return nil, err
	}
	p.Points = slices.Grow(p.Points, o.points+o.scenario.counters)
	ioa := 0
	for i, t := range o.types {
		count := o.points / len(o.types)
		if i < o.points%len(o.types) {
			count++
		}
		for range count {
			ioa++
			p.Points = append(p.Points, stationPoint(uint16(o.ca), uint32(ioa), t, o.scenario.groups))
		}
	}
	for n := range o.scenario.counters {
		counter := stationPoint(uint16(o.ca), uint32(firstCounter+n), asdu.M_IT_TB_1, 0)
		counter.To[0].End.(*iec104server.Target).Counter.Group = uint8(1 + n%4)
		p.Points = append(p.Points, counter)
	}
	return p, nil
}

// ends are the keys of where the station listens, or whom it dials. Those that come
// are listed, as commands are not taken from just anybody.
func (o *stationOptions) ends() string {
	if o.dial == "" {
		return fmt.Sprintf(`listen: %q, allow: ["0.0.0.0/0", "::/0"]`, o.listen)
	}
	words := strings.Split(o.dial, ",")
	for i, addr := range words {
		words[i] = strconv.Quote(withPort(addr))
	}
	return "dial: [" + strings.Join(words, ", ") + "]"
}

// place says where the station is found.
func (o *stationOptions) place() string {
	if o.dial == "" {
		return "listening on " + o.listen
	}
	return "connecting to " + o.dial
}

// security is the key tls.
func (o *stationOptions) security() string {
	f := &o.tls
	if !f.given() {
		return ""
	}
	text := fmt.Sprintf(", tls: {ca: %q, cert: %q, key: %q", f.ca, f.cert, f.key)
	if lists := f.lists(); len(lists) > 0 {
		for i := range lists {
			lists[i] = strconv.Quote(lists[i])
		}
		text += ", crl: [" + strings.Join(lists, ", ") + "]"
	}
	if f.name != "" {
		text += fmt.Sprintf(", allow: [%q]", f.name)
	}
	return text + "}"
}

// reportOf returns the state of the station.
func reportOf(manager *connector.Manager) connector.Report {
	reports := manager.Reports()
	return reports[slices.IndexFunc(reports, func(r connector.Report) bool { return r.ID == "station" })]
}

// stationPoint returns a point of the station; groups is the number of interrogation
// groups.
func stationPoint(ca uint16, ioa uint32, t asdu.TypeID, groups int) plant.Point {
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
	if u := t.Untagged(); groups > 0 && u != 0 && u != asdu.M_IT_NA_1 {
		target.End.(*iec104server.Target).Groups = 1 << ((int(ioa) - 1) % groups)
	}
	switch t {
	case asdu.M_ME_NA_1, asdu.M_ME_ND_1, asdu.M_ME_TD_1:
		p.Range = &plant.Range{Low: 0, High: 1000}
	}
	p.To = []plant.Target{target}
	return p
}

// stationPointType returns the type of point that is simulated for a type of
// spontaneous data; false: the server does not send it, as it does not send
// those of -101 with CP24Time2a.
func stationPointType(t asdu.TypeID) (point.Type, bool) {
	switch t {
	case asdu.M_SP_NA_1, asdu.M_SP_TB_1:
		return point.Single, true
	case asdu.M_DP_NA_1, asdu.M_DP_TB_1, asdu.M_EP_TD_1:
		return point.Double, true
	case asdu.M_ST_NA_1, asdu.M_ST_TB_1:
		return point.Step, true
	case asdu.M_BO_NA_1, asdu.M_BO_TB_1, asdu.M_PS_NA_1, asdu.M_EP_TE_1, asdu.M_EP_TF_1:
		return point.Bits, true
	case asdu.M_ME_NA_1, asdu.M_ME_NB_1, asdu.M_ME_NC_1, asdu.M_ME_ND_1, asdu.M_ME_TD_1, asdu.M_ME_TE_1, asdu.M_ME_TF_1:
		return point.Float, true
	case asdu.M_IT_NA_1, asdu.M_IT_TB_1:
		return point.Counter, true
	default:
		return 0, false
	}
}
