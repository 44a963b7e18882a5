package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"busbar/internal/auth"
	"busbar/internal/commandlog"
	"busbar/internal/connector"
	"busbar/internal/point"
)

// registerOrders registers the routes by which the log of commands is read.
func registerOrders(a *api) {
	register(a, op{
		ID: "listOrders", Method: http.MethodGet, Path: "/orders", Tag: "orders", Role: auth.Viewer, Scope: scopePoints,
		Summary:     "Orders, the newest first",
		Description: "What the log of commands has of every order, whoever has given it, with its last stage.",
	}, a.listOrders)
	register(a, op{
		ID: "getOrder", Method: http.MethodGet, Path: "/orders/{id}", Tag: "orders", Role: auth.Viewer, Scope: scopePoints,
		Summary: "One order", Errors: []int{http.StatusNotFound},
	}, a.getOrder)
	registerOrderStream(a)
}

// OrderFilter says which orders are wanted.
type OrderFilter struct {
	Command   string `query:"command" maxLength:"200" doc:"Id of a command, or the beginning of ids up to a /: ons4711 finds ons4711/q0/switch"`
	Requester string `query:"requester" maxLength:"300" doc:"Id of the connector that the order came through (api: this API), or who gave it: an address, or the name of a user"`
	Result    string `query:"result" enum:"running,positive,negative,unknown,late" doc:"running: under way. negative: refused or failed. unknown: failed, but the device may have operated. late: the device has operated although the order was said to have failed"`
}

// keep reports whether an order is wanted by who asks.
func (f *OrderFilter) keep(who auth.Principal, r *connector.CommandRecord) bool {
	return who.Sees(r.Order.Command) && below(r.Order.Command, f.Command) && f.by(&r.Order.Requester) && f.resulted(r)
}

func (f *OrderFilter) by(r *point.Requester) bool {
	user := r.Peer
	if at := strings.LastIndexByte(user, '@'); at >= 0 {
		user = user[:at]
	}
	return f.Requester == "" || f.Requester == r.Connector || f.Requester == r.Peer || f.Requester == user
}

func (f *OrderFilter) resulted(r *connector.CommandRecord) bool {
	failed := r.Confirmation.Stage != 0 && !r.Confirmation.Positive || r.Termination.Stage != 0 && !r.Termination.Positive || r.Failure != ""
	switch f.Result {
	case "running":
		return !r.Ended()
	case "positive":
		return r.Ended() && !failed
	case "negative":
		return failed
	case "unknown":
		return r.Unknown
	case "late":
		return r.Late != 0
	default:
		return true
	}
}

type ordersInput struct {
	Page
	OrderFilter
	From time.Time `query:"from" doc:"Received at this time or later"`
	To   time.Time `query:"to" doc:"Received before this time"`
}

type ordersOutput struct{ Body list[Order] }

func (a *api) listOrders(ctx context.Context, in *ordersInput) (*ordersOutput, error) {
	view := viewOf("orders", in.Command, in.Requester, in.Result, in.From.UTC().String(), in.To.UTC().String())
	key, err := in.after(view)
	if err != nil {
		return nil, err
	}
	who, _ := auth.From(ctx)
	q := commandlog.Query{Limit: in.Limit, Before: placeOf(key), Keep: func(r *connector.CommandRecord) bool {
		at := r.Received.Time()
		return (in.From.IsZero() || !at.Before(in.From)) && (in.To.IsZero() || at.Before(in.To)) && in.keep(who, r)
	}}
	records, more, err := a.deps.Orders.Orders(ctx, q, a.deps.Manager.CommandRecords())
	if err != nil {
		return nil, err
	}
	out := &ordersOutput{list[Order]{Items: make([]Order, len(records))}}
	for i := range records {
		out.Body.Items[i] = orderOf(&records[i])
	}
	if more {
		last := commandlog.PlaceOf(&records[len(records)-1])
		out.Body.Next = encodeCursor(view, strconv.FormatInt(int64(last.Received), 10)+" "+last.ID)
	}
	return out, nil
}

// placeOf reads the key of a cursor.
func placeOf(key string) commandlog.Place {
	received, id, _ := strings.Cut(key, " ")
	n, _ := strconv.ParseInt(received, 10, 64) // empty: from the newest on
	return commandlog.Place{Received: point.Instant(n), ID: id}
}

type orderInput struct {
	ID string `path:"id" doc:"Id of the order" example:"2K7QJ5XN4DTLWZ3R6VYBHMAPCE"`
}

type orderOutput struct{ Body Order }

func (a *api) getOrder(ctx context.Context, in *orderInput) (*orderOutput, error) {
	r, found, err := a.findOrder(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if who, _ := auth.From(ctx); !found || !who.Sees(r.Order.Command) {
		return nil, notFound("there is no order " + in.ID)
	}
	return &orderOutput{orderOf(&r)}, nil
}

// findOrder returns the record of an order, from memory or from the log.
func (a *api) findOrder(ctx context.Context, id string) (r connector.CommandRecord, found bool, err error) {
	if id == "" {
		return r, false, nil
	}
	if r, found = a.deps.Manager.CommandRecord(id); found {
		return r, true, nil
	}
	return a.deps.Orders.Order(ctx, id)
}
