package api

import (
	"context"
	"errors"
	"net/http"

	"busbar/internal/auth"
	"busbar/internal/connector"
)

func registerLinks(a *api) {
	register(a, op{
		ID: "listLinks", Method: http.MethodGet, Path: "/links", Tag: "links", Role: auth.Viewer,
		Summary:     "Links of IEC 60870-5-104 with their live state",
		Description: "Every association in both roles: where connectors listen or dial, open connections, and for an hour those that have ended, at most 32 of a connector.",
		Errors:      []int{},
	}, a.listLinks)
	register(a, op{
		ID: "getLink", Method: http.MethodGet, Path: "/links/{id}", Tag: "links", Role: auth.Viewer,
		Summary: "One link of IEC 60870-5-104 with its live state", Errors: []int{http.StatusNotFound},
	}, a.getLink)
	register(a, op{
		ID: "disconnectLink", Method: http.MethodPost, Path: "/links/{id}/disconnect", Tag: "links", Role: auth.Engineer,
		Summary:     "End the connection of a link",
		Description: "Whoever has established it may do so again at once. To keep a station away, disable its connector.",
		Status:      http.StatusNoContent, Errors: []int{http.StatusNotFound, http.StatusConflict}, OptionalBody: true,
	}, a.disconnectLink)
	register(a, op{
		ID: "blockCommands", Method: http.MethodPut, Path: "/links/{id}/command-block", Tag: "links", Role: auth.Operator,
		Summary: "Refuse commands over a link",
		Description: "Orders are answered negatively and recorded with the reason. It holds for all connections of the same other side, also later ones, and with the id of a connector for all its links, " +
			"until it is released or the process ends.",
		Errors: []int{http.StatusNotFound, http.StatusConflict}, OptionalBody: true,
	}, a.blockCommands)
	register(a, op{
		ID: "releaseCommandBlock", Method: http.MethodDelete, Path: "/links/{id}/command-block", Tag: "links", Role: auth.Operator,
		Summary: "Take commands over a link again", Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, a.releaseCommandBlock)
}

// LinkID names a link.
type LinkID struct {
	ID string `path:"id" doc:"Id of the link" example:"scada.17"`
}

type linksInput struct {
	Connector string `query:"connector" doc:"Only those of this connector"`
	State     string `query:"state" enum:"listening,connecting,connected,pending started,started,pending stopped,closed" doc:"Only those in this state"`
}

type linksOutput struct {
	Body struct {
		Items []connector.Link `json:"items" nullable:"false"`
	}
}

func (a *api) listLinks(_ context.Context, in *linksInput) (*linksOutput, error) {
	out := &linksOutput{}
	out.Body.Items = []connector.Link{}
	for _, l := range a.deps.Manager.Links() {
		if (in.Connector == "" || l.Connector == in.Connector) && (in.State == "" || string(l.State) == in.State) {
			out.Body.Items = append(out.Body.Items, l)
		}
	}
	return out, nil
}

type linkOutput struct{ Body connector.Link }

func (a *api) getLink(_ context.Context, in *LinkID) (*linkOutput, error) {
	l, err := a.deps.Manager.Link(in.ID)
	return &linkOutput{l}, linkProblem(err)
}

type disconnectInput struct {
	LinkID
	Body struct {
		Reason string `json:"reason,omitempty" maxLength:"200" doc:"For the log"`
	}
}

func (a *api) disconnectLink(ctx context.Context, in *disconnectInput) (*struct{}, error) {
	noteObject(ctx, "links/"+in.ID)
	noteDetail(ctx, in.Body.Reason)
	who, _ := auth.From(ctx)
	return nil, linkProblem(a.deps.Manager.Disconnect(in.ID, who.Name, in.Body.Reason))
}

type blockInput struct {
	LinkID
	Body struct {
		Reason string `json:"reason,omitempty" maxLength:"200" doc:"Shown with the link, and in the records of the orders that are refused"`
	}
}

type blockOutput struct{ Body connector.CommandBlock }

func (a *api) blockCommands(ctx context.Context, in *blockInput) (*blockOutput, error) {
	noteObject(ctx, "links/"+in.ID)
	noteDetail(ctx, in.Body.Reason)
	who, _ := auth.From(ctx)
	block, err := a.deps.Manager.BlockCommands(in.ID, who.Name, in.Body.Reason)
	return &blockOutput{block}, linkProblem(err)
}

func (a *api) releaseCommandBlock(ctx context.Context, in *LinkID) (*struct{}, error) {
	noteObject(ctx, "links/"+in.ID)
	return nil, linkProblem(a.deps.Manager.ReleaseCommands(in.ID))
}

// linkProblem turns an error about a link or connector into a problem.
func linkProblem(err error) error {
	switch {
	case errors.Is(err, connector.ErrNoLink), errors.Is(err, connector.ErrNoConnector):
		return notFound(err.Error())
	case errors.Is(err, connector.ErrNotOpen), errors.Is(err, connector.ErrNotRunning), errors.Is(err, connector.ErrTooManyBlocks):
		return conflict(err.Error())
	default:
		return err
	}
}
