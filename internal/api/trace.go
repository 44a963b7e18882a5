package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"busbar/iec104/apci"
	"busbar/iec104/asdu"
	"busbar/internal/auth"
	"busbar/internal/trace"
)

func registerTrace(a *api) {
	register(a, op{
		ID: "getTrace", Method: http.MethodGet, Path: "/trace", Tag: "trace", Role: auth.Viewer,
		Summary:     "The last frames of links of IEC 60870-5-104, decoded, oldest first",
		Description: "Of each link as many as its memory holds, which shows no process values to principals that are limited to subtrees.",
	}, a.getTrace)
	registerStream(a, op{
		ID: "streamTrace", Method: http.MethodGet, Path: "/trace/stream", Tag: "trace", Role: auth.Viewer,
		Summary:     "Frames of links as they come, decoded",
		Description: "A client that is too slow, or a link with more than 20,000 frames in a second, is told by an entry of direction `lost` what is missing; no link ever waits.",
	}, map[string]any{"frame": trace.Entry{}}, a.streamTrace)
	register(a, op{
		ID: "getTraceFile", Method: http.MethodGet, Path: "/trace/pcapng", Tag: "trace", Role: auth.Viewer,
		Summary:     "The last frames of links as a capture file for Wireshark",
		Description: "Real addresses and ports; Ethernet, IP and TCP are made up. Frames of links with TLS are shown as inside of it. Where the port is not 2404, tell Wireshark to decode it as IEC 60870-5-104.",
		Produces:    []string{pcapngType}, Errors: []int{http.StatusTooManyRequests},
	}, a.getTraceFile)
}

const pcapngType = "application/x-pcapng"

// TraceFilter chooses frames. It is embedded, which the library follows for exported types only.
type TraceFilter struct {
	Connector string    `query:"connector" doc:"Id of a connector"`
	Link      string    `query:"link" doc:"Id of a link" example:"scada.17"`
	Direction string    `query:"direction" enum:"sent,received" doc:"As Busbar sees it"`
	Formats   []string  `query:"format" enum:"I,S,U" doc:"Formats of frames, separated by commas"`
	Types     []string  `query:"type" doc:"Type identifications, mnemonic or number, separated by commas" example:"[\"M_ME_TF_1\"]"`
	Causes    []int     `query:"cot" minimum:"1" maximum:"63" doc:"Numbers of causes of transmission, separated by commas" example:"[3]"`
	CA        uint16    `query:"ca" doc:"Common address"`
	IOA       uint32    `query:"ioa" maximum:"16777215" doc:"Object address of one of the objects"`
	Point     string    `query:"point" doc:"Id of the point or command of one of the objects"`
	Errors    bool      `query:"errors" doc:"Only frames with which something is wrong, and refusals"`
	Quiet     bool      `query:"quiet" doc:"Neither S frames nor TESTFR"`
	From      time.Time `query:"from" doc:"Not before"`
	To        time.Time `query:"to" doc:"Before"`
}

// filter returns the filter for the trace.
func (f *TraceFilter) filter() (trace.Filter, error) {
	out := trace.Filter{
		Connector: f.Connector, Link: f.Link, Direction: f.Direction, CA: f.CA, IOA: f.IOA, Point: f.Point, Errors: f.Errors, Quiet: f.Quiet, From: f.From, To: f.To,
	}
	for _, name := range f.Formats {
		out.Formats = append(out.Formats, map[string]apci.Format{"I": apci.FormatI, "S": apci.FormatS, "U": apci.FormatU}[name])
	}
	for n, name := range f.Types {
		t, ok := asdu.ParseTypeID(strings.TrimSpace(name))
		if !ok {
			return out, invalid("there is no such type identification", Fault{Location: "query.type[" + strconv.Itoa(n) + "]", Message: "want a mnemonic such as M_ME_TF_1, or a number", Value: name})
		}
		out.Types = append(out.Types, t)
	}
	for _, c := range f.Causes {
		out.Causes = append(out.Causes, asdu.Cause(c))
	}
	return out, nil
}

type traceInput struct {
	TraceFilter
	Limit int `query:"limit" minimum:"1" maximum:"10000" default:"1000" doc:"Most frames"`
}

type traceOutput struct {
	Body struct {
		Items []trace.Entry `json:"items" nullable:"false"`
	}
}

func (a *api) getTrace(_ context.Context, in *traceInput) (*traceOutput, error) {
	f, err := in.filter()
	if err != nil {
		return nil, err
	}
	out := &traceOutput{}
	out.Body.Items = a.deps.Trace.Snapshot(f, in.Limit)
	return out, nil
}

type traceStreamInput struct {
	StreamInput
	TraceFilter
}

func (a *api) streamTrace(_ context.Context, in *traceStreamInput) (func(context.Context, *stream) error, error) {
	f, err := in.filter()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, s *stream) error {
		return a.deps.Trace.Follow(ctx, f, func(entries []trace.Entry) error {
			for i := range entries {
				if err := s.Send(event{Name: "frame", Data: &entries[i]}); err != nil {
					return err
				}
			}
			return nil
		})
	}, nil
}

type traceFileInput struct{ TraceFilter }

func (a *api) getTraceFile(ctx context.Context, in *traceFileInput) (*huma.StreamResponse, error) {
	f, err := in.filter()
	if err != nil {
		return nil, err
	}
	file, err := a.deps.Trace.Capture(ctx, f)
	if errors.Is(err, trace.ErrBusy) {
		return nil, tooMany(streamRetry, "other capture files are being made")
	}
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, file.Close) // whatever becomes of the answer
	name := "busbar-" + time.Now().UTC().Format("20060102-150405") + ".pcapng"
	return a.download(requestOf(ctx), pcapngType, name, func(w io.Writer) error {
		defer file.Close()
		return file.Write(ctx, w)
	}), nil
}
