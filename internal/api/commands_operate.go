package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"time"

	"busbar/internal/auth"
	"busbar/internal/connector"
	"busbar/internal/dispatch"
	"busbar/internal/point"
)

// registerOperate registers the routes by which commands are selected and ordered.
func registerOperate(a *api) {
	register(a, op{
		ID: "selectCommand", Method: http.MethodPost, Path: "/commands/{id}/select", Tag: "commands", Role: auth.Operator, Scope: scopePoints,
		Summary: "Select a command before it is ordered",
		Description: "Checks all that an order is checked for, and holds the command for who asks until it is ordered, released, or the time is over. " +
			"Nothing is executed. A refusal is a result: 200 with `positive` false and the reason.",
		Errors: []int{http.StatusNotFound},
	}, a.selectCommand)
	register(a, op{
		ID: "issueCommand", Method: http.MethodPost, Path: "/commands/{id}/issue", Tag: "commands", Role: auth.Operator, Scope: scopePoints,
		Summary: "Order a command",
		Description: "The order is recorded, then carried out at most once, also if the client leaves. 200: it has ended, well or not, or was refused; " +
			"`positive` and `reason` say so. 202: it is under way; its record tells what becomes of it. 409: an order with this id was given before, and nothing is done; " +
			"the value of the fault is the record of the first.",
		Errors: []int{http.StatusAccepted, http.StatusNotFound, http.StatusConflict},
	}, a.issueCommand)
	answers := a.huma.OpenAPI().Paths["/commands/{id}/issue"].Post.Responses
	answers["202"].Content = answers["200"].Content
	register(a, op{
		ID: "releaseSelection", Method: http.MethodDelete, Path: "/commands/{id}/selection", Tag: "commands", Role: auth.Operator, Scope: scopePoints,
		Summary: "End the own selection of a command",
		Errors:  []int{http.StatusNotFound},
	}, a.releaseSelection)
}

// CommandID names a command.
type CommandID struct {
	ID string `path:"id" doc:"Id of the command" example:"ons4711/q0/switch"`
}

// SelectRequest is what is selected or ordered.
type SelectRequest struct {
	Value     json.RawMessage `json:"value" doc:"true, false, on or off of a single or double command; 1, -1, higher or lower of a step; otherwise a number"`
	Qualifier uint8           `json:"qualifier,omitempty" maximum:"127" doc:"QU, or QL of a set point; one that the command takes"`
}

type selectInput struct {
	CommandID
	Body SelectRequest
}

// Selection is the result of a selection.
type Selection struct {
	Order
	Until *time.Time `json:"until,omitempty" doc:"When it ends by itself; absent: it was refused"`
}

type selectOutput struct{ Body Selection }

func (a *api) selectCommand(ctx context.Context, in *selectInput) (*selectOutput, error) {
	o, err := a.orderFor(ctx, in.ID, in.Body)
	if err != nil {
		return nil, err
	}
	record, until := a.operators().Select(o)
	s := Selection{Order: orderOf(&record)}
	if !until.IsZero() {
		until = until.UTC()
		s.Until = &until
	}
	noteDetail(ctx, s.outcome())
	noteChange(ctx, nil, s)
	return &selectOutput{s}, nil
}

// IssueRequest is an order.
type IssueRequest struct {
	SelectRequest
	OrderID  string     `json:"id,omitempty" minLength:"1" maxLength:"100" pattern:"^[A-Za-z0-9._:-]+$" doc:"Names the order, so that a request that is repeated does nothing again. Default: a random one"`
	Expires  *time.Time `json:"expires,omitempty" doc:"After this nothing is done. Default: as the command says"`
	Selected bool       `json:"selected,omitempty" doc:"The order is refused unless the command is selected by who asks"`
}

type issueInput struct {
	CommandID
	Wait string `query:"wait" default:"0s" maxLength:"20" doc:"How long to wait for the end of the order, 0s to 5m. It is carried out also if it takes longer" example:"30s"`
	Body IssueRequest
}

type issueOutput struct {
	Status   int
	Location string `header:"Location" doc:"Where the record of the order is"`
	Body     Order
}

func (a *api) issueCommand(ctx context.Context, in *issueInput) (*issueOutput, error) {
	o, err := a.orderFor(ctx, in.ID, in.Body.SelectRequest)
	if err != nil {
		return nil, err
	}
	wait, err := parseWait(in.Wait)
	if err != nil {
		return nil, err
	}
	o.ID, o.Selected = in.Body.OrderID, in.Body.Selected
	if e := in.Body.Expires; e != nil {
		if o.Expires = point.InstantOf(*e); o.Expires <= 0 || e.Year() > 2261 { // beyond, nanoseconds overflow
			return nil, invalid("the order cannot expire then", Fault{Location: "expires", Message: "want a time from 1970 to 2261"})
		}
	}
	if first, found, err := a.findOrder(ctx, o.ID); err != nil || found {
		return nil, a.givenBefore(ctx, first, err)
	}
	issued := a.operators().Issue(o)
	if o.ID != "" && issued.ID != o.ID {
		first, _, err := a.findOrder(ctx, o.ID)
		return nil, a.givenBefore(ctx, first, err)
	}
	if err := a.await(ctx, issued, wait); err != nil {
		return nil, err
	}
	return a.issued(ctx, issued.ID)
}

// issued answers with the record of an order that was given.
func (a *api) issued(ctx context.Context, id string) (*issueOutput, error) {
	record, found, err := a.findOrder(ctx, id)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, fmt.Errorf("order %s: %w", id, errNoRecord)
	}
	out := &issueOutput{Status: http.StatusOK, Location: base + "/orders/" + id, Body: orderOf(&record)}
	if !out.Body.Ended {
		out.Status = http.StatusAccepted
	}
	noteDetail(ctx, out.Body.outcome())
	noteChange(ctx, nil, out.Body)
	return out, nil
}

var errNoRecord = errors.New("was given and has no record")

// await waits for the end of an order, and at least until it is recorded or refused. The
// order does not depend on it.
func (a *api) await(ctx context.Context, issued connector.Issued, wait time.Duration) error {
	deadline := time.Now().Add(wait + 2*streamWrite)
	if err := http.NewResponseController(requestOf(ctx).answer).SetWriteDeadline(deadline); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	<-issued.Recorded // within seconds, whatever the disk does
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-issued.Ended:
	default: // what has ended is told also if there is no time to wait
		select {
		case <-issued.Ended:
		case <-timer.C:
		case <-ctx.Done():
		case <-a.deps.Stopping:
		}
	}
	return nil
}

// longestWait is how long a request may wait for the end of an order.
const longestWait = 5 * time.Minute

func parseWait(text string) (time.Duration, error) {
	wait, err := time.ParseDuration(text)
	if err != nil || wait < 0 || wait > longestWait {
		return 0, invalid("the order cannot be waited for so long", Fault{Location: "query.wait", Message: "want a duration from 0s to 5m, such as 30s", Value: text})
	}
	return wait, nil
}

// givenBefore is the answer to an order whose id was used before, which shows the first one if who asks may see it.
func (a *api) givenBefore(ctx context.Context, first connector.CommandRecord, err error) error {
	if err != nil {
		return err
	}
	fault := Fault{Location: "id", Message: connector.GivenBefore}
	if who, _ := auth.From(ctx); who.Sees(first.Order.Command) {
		fault.Value = orderOf(&first)
	}
	p := problem(http.StatusConflict, "given-before", connector.GivenBefore+"; this one is not carried out", fault)
	return p
}

func (a *api) releaseSelection(ctx context.Context, in *CommandID) (*struct{}, error) {
	if _, err := a.commandType(ctx, in.ID); err != nil {
		return nil, err
	}
	by, link := operator(ctx)
	if !a.operators().Release(in.ID, by, link) {
		return nil, notFound("you have not selected command " + in.ID)
	}
	return nil, nil
}

// orderFor makes an order of who asks.
func (a *api) orderFor(ctx context.Context, id string, d SelectRequest) (o point.Order, err error) {
	typ, err := a.commandType(ctx, id)
	if err != nil {
		return o, err
	}
	v, err := dispatch.ParseValue(d.Value, typ)
	if err != nil {
		return o, invalid("the value is none of command "+id, Fault{Location: "value", Message: err.Error()})
	}
	o = point.Order{Command: id, Value: v, Qualifier: d.Qualifier}
	o.Requester, o.Link = operator(ctx)
	return o, nil
}

// commandType returns the type of a command that who asks sees.
func (a *api) commandType(ctx context.Context, id string) (point.Type, error) {
	who, _ := auth.From(ctx)
	if who.Sees(id) {
		if typ, ok := a.operators().Type(id); ok {
			return typ, nil
		}
	}
	return 0, notFound("there is no command " + id)
}

func (a *api) operators() *connector.Operators { return a.deps.Manager.Operators() }

// operator returns who asks as a requester. The link tells sessions, and principals of one name, apart.
func operator(ctx context.Context) (by point.Requester, link uint64) {
	who := actor(ctx)
	h := fnv.New64a()
	_, _ = h.Write([]byte(who.ID + "\x00" + who.Session)) // never fails
	return point.Requester{Peer: who.Name + "@" + who.Address}, h.Sum64()
}
