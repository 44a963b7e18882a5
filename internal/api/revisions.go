package api

import (
	"cmp"
	"context"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"busbar/internal/auth"
	"busbar/internal/manage"
	"busbar/internal/plantdoc"
)

// registerRevisions registers the routes of the history of the plant.
func registerRevisions(a *api) {
	register(a, op{
		ID: "listRevisions", Method: http.MethodGet, Path: "/plant/revisions", Tag: "plant", Role: auth.Viewer,
		Summary:     "The changes of the plant, newest first",
		Description: "A revision is one change: number, author, time, comment, origin, and how many objects it changed. Numbers have no gaps.",
	}, a.listRevisions)
	register(a, op{
		ID: "getRevision", Method: http.MethodGet, Path: "/plant/revisions/{number}", Tag: "plant", Role: auth.Viewer,
		Summary: "One change of the plant", Description: "With each object that it changed, before and after; before is absent for new ones, after for removed ones.", Errors: []int{http.StatusNotFound},
	}, a.getRevision)
	register(a, op{
		ID: "commentRevision", Method: http.MethodPatch, Path: "/plant/revisions/{number}", Tag: "plant", Role: auth.Engineer,
		Summary: "Change the comment of a change", Errors: []int{http.StatusNotFound},
	}, a.commentRevision)
	register(a, op{
		ID: "getRevisionDocument", Method: http.MethodGet, Path: "/plant/revisions/{number}/document", Tag: "plant", Role: auth.Viewer,
		Summary: "The whole plant as it was after a change, as JSON or YAML", Produces: documentTypes(), Errors: []int{http.StatusNotFound},
	}, a.getRevisionDocument)
	register(a, op{
		ID: "diffPlant", Method: http.MethodGet, Path: "/plant/diff", Tag: "plant", Role: auth.Viewer,
		Summary: "What differs between two revisions", Description: "Each object that is not the same in both, as it is in the one and in the other.", Errors: []int{http.StatusNotFound},
	}, a.diffPlant)
	register(a, op{
		ID: "restoreRevision", Method: http.MethodPost, Path: "/plant/revisions/{number}/restore", Tag: "plant", Role: auth.Engineer,
		Summary: "Make the plant what it was after a change", Description: "This is a new revision. Secrets that were deleted since are problems.",
		Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed},
	}, a.restoreRevision)
}

type listRevisionsInput struct{ Page }

type listRevisionsOutput struct{ Body list[Revision] }

func (a *api) listRevisions(ctx context.Context, in *listRevisionsInput) (*listRevisionsOutput, error) {
	view := viewOf("revisions")
	after, err := in.after(view)
	if err != nil {
		return nil, err
	}
	before, err := strconv.ParseInt(cmp.Or(after, "0"), 10, 64)
	if err != nil {
		return nil, err
	}
	stored, err := a.deps.Store.Revisions(ctx, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	rows := make([]Revision, len(stored))
	for i, r := range stored {
		rows[i] = revisionOf(r)
	}
	return &listRevisionsOutput{newList(in.Page, view, rows, func(r Revision) string { return strconv.FormatInt(r.Number, 10) })}, nil
}

// RevisionInput names a revision.
type RevisionInput struct {
	Number int64 `path:"number" minimum:"1" doc:"Number of the revision" example:"1"`
}

// RevisionChanges is a change of the plant with what it has changed.
type RevisionChanges struct {
	Revision
	Objects []ObjectChange `json:"objects" nullable:"false" doc:"The first 1000 objects that it has added, changed or removed"`
	More    bool           `json:"more" doc:"There are more than these"`
}

type revisionOutput struct{ Body RevisionChanges }

func (a *api) getRevision(ctx context.Context, in *RevisionInput) (*revisionOutput, error) {
	r, err := a.deps.Store.Revision(ctx, in.Number)
	if err != nil {
		return nil, err
	}
	changes, err := a.deps.Store.Changes(ctx, in.Number)
	if err != nil {
		return nil, err
	}
	out := RevisionChanges{Revision: revisionOf(r)}
	out.Objects, out.More = changesOf(changes)
	return &revisionOutput{out}, nil
}

type commentInput struct {
	RevisionInput
	Body struct {
		Comment string `json:"comment" maxLength:"1000" doc:"Why; takes the place of the one before"`
	}
}

type commentOutput struct{ Body Revision }

func (a *api) commentRevision(ctx context.Context, in *commentInput) (*commentOutput, error) {
	if err := a.deps.Store.Comment(ctx, in.Number, in.Body.Comment); err != nil {
		return nil, err
	}
	r, err := a.deps.Store.Revision(ctx, in.Number)
	if err != nil {
		return nil, err
	}
	noteChange(ctx, nil, in.Body)
	return &commentOutput{revisionOf(r)}, nil
}

func (a *api) getRevisionDocument(ctx context.Context, in *RevisionInput) (*huma.StreamResponse, error) {
	objs, err := a.documentAt(ctx, in.Number)
	if err != nil {
		return nil, err
	}
	return a.document(ctx, plantTag(in.Number), objs)
}

// documentAt returns the plant after a revision; 0 is the one before the first.
func (a *api) documentAt(ctx context.Context, number int64) ([]plantdoc.Object, error) {
	if number == 0 {
		return nil, nil
	}
	return a.deps.Store.DocumentAt(ctx, number)
}

type diffInput struct {
	From int64 `query:"from" minimum:"0" required:"true" doc:"Number of a revision; 0: the empty plant"`
	To   int64 `query:"to" minimum:"0" default:"0" doc:"Number of another one; absent: the newest"`
}

// PlantDiff is what leads from one plant to another.
type PlantDiff struct {
	From    int64          `json:"from"`
	To      int64          `json:"to"`
	Changed int            `json:"changed" doc:"Number of objects that differ"`
	Changes []ObjectChange `json:"changes" nullable:"false" doc:"The first 1000 of them"`
	More    bool           `json:"more" doc:"There are more than these"`
}

type diffOutput struct{ Body PlantDiff }

func (a *api) diffPlant(ctx context.Context, in *diffInput) (*diffOutput, error) {
	to := in.To
	if to == 0 {
		head, err := a.deps.Store.Head(ctx)
		if err != nil {
			return nil, err
		}
		to = head.Number
	}
	before, err := a.documentAt(ctx, in.From)
	if err != nil {
		return nil, err
	}
	after, err := a.documentAt(ctx, to)
	if err != nil {
		return nil, err
	}
	changes := plantdoc.Diff(before, after)
	d := PlantDiff{From: in.From, To: to, Changed: len(changes)}
	d.Changes, d.More = changesOf(changes)
	return &diffOutput{d}, nil
}

type restoreInput struct {
	RevisionInput
	Conditions
	ChangingWhole
}

func (a *api) restoreRevision(ctx context.Context, in *restoreInput) (*plantChangeOutput, error) {
	o := in.options()
	o.Comment = cmp.Or(o.Comment, manage.RollbackComment(in.Number))
	return a.changePlant(ctx, in.Conditions, o, func(e *manage.Edit) error { return e.Restore(in.Number) })
}
