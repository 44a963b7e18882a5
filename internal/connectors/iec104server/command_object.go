package iec104server

import (
	"errors"
	"slices"
	"time"

	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/point"
)

// owner is who commands: an originator on a connection.
type owner struct {
	conn uint64
	oa   uint8
}

// object is one address that takes commands, with the state that select before
// operate and one command at a time need. It knows neither the host nor the
// network; time is what its callers say.
type object struct {
	end       connector.CommandEnd
	keys      *Requester
	selection *selection // may have run out
	revoked   *selection // of what the object was before the plant has changed
	busy      bool       // the host is being asked, or an order is not confirmed yet
}

// selection is what an owner has selected.
type selection struct {
	owner     owner
	value     uint32
	qualifier uint8
	until     time.Time // monotonic
	release   func()    // tells the host
}

// stays reports whether the object is still the same with another end.
func (o *object) stays(e *connector.CommandEnd, r *Requester) bool {
	return o.end.Command == e.Command && o.end.Type == e.Type && o.keys.As == r.As
}

// selected returns the selection that is in force, and nil if there is none.
func (o *object) selected(now time.Time) *selection {
	if s := o.selection; s != nil && now.Before(s.until) {
		return s
	}
	return nil
}

// drop gives up the selection and adds what is to be called for it.
func (o *object) drop(releases []func()) []func() {
	if o.selection != nil {
		releases = append(releases, o.selection.release)
		o.selection = nil
	}
	return releases
}

// Why a command is refused by the station itself.
var (
	errBusy          = errors.New("another command to the object is not confirmed yet")
	errSelectedOther = errors.New("selected by another")
	errNotSelectable = errors.New("the object takes direct commands only")
	errNotSelected   = errors.New("not selected")
	errDiffers       = errors.New("differs from what was selected")
	errQualifier     = errors.New("qualifier is not accepted")
	errNothing       = errors.New("nothing is selected")
)

// highestQualifier is the highest QU that the standard has a meaning or reserves
// one for: those above are by agreement, or private.
const highestQualifier = 8

// order returns what an information object orders, and with which qualifier.
func (o *object) order(obj *asdu.Object, settings *CommandSettings) (point.Value, uint8, error) {
	qualifier := obj.Qualifier
	if o.keys.As.Untagged() != asdu.C_BO_NA_1 && !slices.Contains(o.end.Qualifiers, qualifier) {
		if settings.UnknownQualifiers != "zero" || qualifier <= highestQualifier || !slices.Contains(o.end.Qualifiers, 0) {
			return point.Value{}, qualifier, errQualifier
		}
		qualifier = 0
	}
	v, err := orderValue(&o.end, o.keys, obj)
	return v, qualifier, err
}

// selects decides on a select whose contents have the fault given, if any. With
// nil the host is to be asked, and the object is busy until it has answered.
// dropped is a selection that the select takes the place of.
func (o *object) selects(by owner, fault error, now time.Time) (dropped *selection, err error) {
	held := o.selected(now)
	switch {
	case !o.end.Select:
		return nil, errNotSelectable
	case held != nil && held.owner != by:
		return nil, errSelectedOther
	}
	dropped, o.selection, o.revoked = o.selection, nil, nil
	switch {
	case fault != nil:
		return dropped, fault
	case o.busy:
		return dropped, errBusy
	}
	o.busy = true
	return dropped, nil
}

// wasRevoked reports whether an owner has lost its selection, so that what it sends
// is no direct command. It is told once.
func (o *object) wasRevoked(by owner, now time.Time) bool {
	s := o.revoked
	if s == nil || s.owner != by {
		return false
	}
	o.revoked = nil
	return now.Before(s.until)
}

// executes decides on an execution, as selects does on a select. The selection
// is used up.
func (o *object) executes(by owner, obj *asdu.Object, fault error, now time.Time) (dropped *selection, err error) {
	held := o.selected(now)
	if held != nil && held.owner != by {
		return nil, errSelectedOther
	}
	dropped, o.selection = o.selection, nil
	switch {
	case held != nil && (held.value != obj.Value || held.qualifier != obj.Qualifier):
		return dropped, errDiffers
	case held == nil && (!o.end.Direct || o.wasRevoked(by, now)):
		return dropped, errNotSelected
	case fault != nil:
		return dropped, fault
	case o.busy:
		return dropped, errBusy
	}
	o.busy = true
	return dropped, nil
}

// cancels decides on a deactivation.
func (o *object) cancels(by owner, now time.Time) (dropped *selection, err error) {
	held := o.selected(now)
	switch {
	case held == nil:
		dropped, o.selection = o.selection, nil
		return dropped, errNothing
	case held.owner != by:
		return nil, errSelectedOther
	}
	o.selection = nil
	return held, nil
}
