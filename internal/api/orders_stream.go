package api

import (
	"context"
	"crypto/rand"
	"net/http"
	"strconv"
	"strings"

	"busbar/internal/auth"
)

// registerOrderStream registers the stream of stages.
func registerOrderStream(a *api) {
	s := orderStream{api: a, epoch: rand.Text()[:8]}
	registerStream(a, op{
		ID: "streamOrders", Method: http.MethodGet, Path: "/orders/stream", Tag: "orders", Role: auth.Viewer, Scope: scopePoints,
		Summary: "Orders as they go on",
		Description: "An event for each stage of each order, as it happens: what a line of the log of commands says. A client that comes again gets what it has missed of the newest 1000 stages; " +
			"if there was more, or the process was started anew, an event `gap` comes first.",
	}, map[string]any{"order": Order{}, "gap": orderGap{}}, s.open)
}

// orderStream makes streams of stages.
type orderStream struct {
	*api
	epoch string // of this process, in the ids of events
}

type orderStreamInput struct {
	StreamInput
	OrderFilter
}

// orderGap tells that stages are missing.
type orderGap struct {
	Reason string `json:"reason" enum:"missed" doc:"Stages are missing before the following event; the list of orders has what became of them"`
}

func (s orderStream) open(ctx context.Context, in *orderStreamInput) (func(context.Context, *stream) error, error) {
	who, _ := auth.From(ctx)
	manager := s.deps.Manager
	last := manager.LastCommandStage()
	if in.LastEventID != "" {
		last = s.parse(in.LastEventID)
	}
	return func(ctx context.Context, out *stream) error {
		for {
			stages, lost, more := manager.CommandStages(last)
			if lost {
				if err := out.Send(event{Name: "gap", Data: orderGap{Reason: "missed"}}); err != nil {
					return err
				}
				last = 0 // only if there was none yet
			}
			for i := range stages {
				last = stages[i].Number
				if !in.keep(who, &stages[i].Record) {
					continue
				}
				if err := out.Send(event{ID: s.id(last), Name: "order", Data: orderOf(&stages[i].Record)}); err != nil {
					return err
				}
			}
			select {
			case <-more:
			case <-ctx.Done():
				return nil
			}
		}
	}, nil
}

func (s orderStream) id(number uint64) string { return s.epoch + "-" + strconv.FormatUint(number, 10) }

// unknownStage is the number of no stage.
const unknownStage = 1<<64 - 1

// parse returns the number of the stage in the id of an event, unknownStage if it is none of this process.
func (s orderStream) parse(id string) uint64 {
	text, ok := strings.CutPrefix(id, s.epoch+"-")
	number, err := strconv.ParseUint(text, 10, 64)
	if !ok || err != nil {
		return unknownStage
	}
	return number
}
