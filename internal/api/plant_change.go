package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"busbar/internal/manage"
	"busbar/internal/plant"
	"busbar/internal/plantdoc"
	"busbar/internal/store"
)

// Changing are the parameters of every route that changes the plant.
type Changing struct {
	Comment string `query:"comment" maxLength:"1000" doc:"Remark that the revision keeps"`
}

// ChangingWhole are those of a route that changes much at once.
type ChangingWhole struct {
	Changing
	DryRun bool `query:"dryRun" doc:"Only find out what would be changed, and what is wrong with it"`
}

func (c ChangingWhole) options() manage.ChangeOptions {
	return manage.ChangeOptions{Comment: c.Comment, DryRun: c.DryRun}
}

// author is who makes a request, for the revisions of the plant.
func author(ctx context.Context) manage.Actor {
	who := actor(ctx)
	origin := store.OriginAPI
	switch agent := requestOf(ctx).http.UserAgent(); {
	case who.Session != "":
		origin = store.OriginUI
	case agent == "busbar" || strings.HasPrefix(agent, "busbar/"):
		origin = store.OriginCLI
	}
	return manage.Actor{Name: who.Name, ID: who.ID, Address: who.Address, Origin: origin}
}

// plantProblem turns the errors of a change of the plant into problems; nil if it is none of them.
func plantProblem(err error) *Problem {
	var apply *manage.ApplyError
	var used *manage.SecretInUseError
	switch {
	case errors.Is(err, manage.ErrFileManaged):
		return problem(http.StatusConflict, "file-managed", err.Error())
	case errors.As(err, &apply):
		return problem(http.StatusConflict, "not-applied", err.Error())
	case errors.As(err, &used):
		return problem(http.StatusConflict, "in-use", err.Error())
	case errors.Is(err, store.ErrConflict):
		return conflict(err.Error())
	case errors.Is(err, store.ErrNotFound):
		return notFound(err.Error())
	case errors.Is(err, store.ErrNoKey), errors.Is(err, store.ErrFull), errors.Is(err, store.ErrReadOnly):
		return unavailable(err.Error())
	default:
		return nil
	}
}

// Revision is a change of the plant.
type Revision struct {
	Number  int64     `json:"number" doc:"Counts from 1; 0: nothing was ever stored"`
	At      time.Time `json:"at"`
	Author  string    `json:"author" doc:"Who has made it"`
	Comment string    `json:"comment" doc:"Of who made the change: why"`
	Origin  string    `json:"origin" doc:"Where it came from: file, api, ui or cli; empty: number is 0"`
	Changes int       `json:"changes" doc:"Number of objects that it has added, changed or removed"`
}

func revisionOf(r store.Revision) Revision {
	return Revision{Number: r.Number, At: r.At.UTC(), Author: r.Author, Comment: r.Comment, Origin: r.Origin, Changes: r.Changes}
}

// ObjectChange is what happens to one object of the plant.
type ObjectChange struct {
	Section string          `json:"section" enum:"connectors,points,commands"`
	ID      string          `json:"id"`
	Before  json.RawMessage `json:"before,omitempty" doc:"The object as it was; absent: it is new"`
	After   json.RawMessage `json:"after,omitempty" doc:"The object as it is; absent: it is removed"`
}

// maxChanges is the most changes that an answer shows.
const maxChanges = 1000

// changesOf returns the first of many changes, and whether there are more.
func changesOf(changes []plantdoc.Change) (list []ObjectChange, more bool) {
	list = make([]ObjectChange, 0, min(len(changes), maxChanges))
	for _, c := range changes[:min(len(changes), maxChanges)] {
		list = append(list, ObjectChange{Section: string(c.Section), ID: c.ID, Before: c.Before, After: c.After})
	}
	return list, len(changes) > maxChanges
}

// PlantChange is what became of a change of the plant.
type PlantChange struct {
	Revision Revision       `json:"revision" doc:"The one that holds the change; the one before, if nothing was changed or with dryRun"`
	Changed  int            `json:"changed" doc:"Number of objects that differ"`
	Changes  []ObjectChange `json:"changes" nullable:"false" doc:"The first 1000 of them"`
	More     bool           `json:"more" doc:"There are more than these"`
	Warnings []Fault        `json:"warnings" nullable:"false" doc:"What is right but may not be meant, in the whole plant"`
}

func plantChangeOf(r manage.Result) PlantChange {
	c := PlantChange{Revision: revisionOf(r.Revision), Changed: len(r.Changes), Warnings: faultsOf(r.Warnings)}
	c.Changes, c.More = changesOf(r.Changes)
	return c
}

func faultsOf(list []plant.Problem) []Fault {
	list = list[:min(len(list), maxRefused)]
	faults := make([]Fault, len(list))
	for i, p := range list {
		faults[i] = Fault{Location: p.Path, Message: p.Text}
	}
	return faults
}
