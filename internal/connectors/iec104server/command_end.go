package iec104server

import (
	"fmt"
	"math"

	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/iec104keys"
	"busbar/internal/point"
)

// Requester is the keys of an entry of the `from` of a command that names an
// iec104-server.
type Requester struct {
	CA     CommonAddress `json:"ca" required:"true" doc:"common address, 1 to 65534"`
	IOA    ObjectAddress `json:"ioa" required:"true" doc:"information object address, 1 to 16777215"`
	As     CommandType   `json:"as" required:"true" doc:"type identification of the command, such as C_DC_NA_1"`
	Scale  float64       `json:"scale" doc:"of C_SE_NB_1 and C_SE_NC_1: what the value is multiplied with"`
	Offset float64       `json:"offset" doc:"of C_SE_NB_1 and C_SE_NC_1: what is added then"`
}

// Place implements [connector.Addressed].
func (r *Requester) Place() uint64 { return uint64(r.CA)<<24 | uint64(r.IOA) }

func requesterDefaults() Requester { return Requester{Scale: 1} }

// Validate implements connector.Validator.
func (r *Requester) Validate() []connector.Problem {
	var problems []connector.Problem
	if r.Scale == 0 || math.IsNaN(r.Scale) || math.IsInf(r.Scale, 0) {
		problems = append(problems, connector.Faultf("scale", "is %v, want a number other than 0", r.Scale))
	}
	if math.IsNaN(r.Offset) || math.IsInf(r.Offset, 0) {
		problems = append(problems, connector.Faultf("offset", "is %v, want a number", r.Offset))
	}
	as := r.As.Untagged()
	if (r.Scale != 1 || r.Offset != 0) && as != asdu.C_SE_NB_1 && as != asdu.C_SE_NC_1 {
		problems = append(problems, connector.Faultf("", "scale and offset have no effect on %s", r.As))
	}
	return problems
}

// setPoint reports whether t carries a number.
func setPoint(t asdu.TypeID) bool {
	types := iec104keys.Carries(t)
	return types != nil && types[0] == point.Float
}

// orderValue returns the value that an information object orders, of the type
// of the command in the plant. The error says why it is none.
func orderValue(e *connector.CommandEnd, r *Requester, o *asdu.Object) (point.Value, error) {
	if setPoint(r.As.TypeID) {
		return setPointValue(e, r, o)
	}
	state := o.Value
	switch r.As.Untagged() {
	case asdu.C_BO_NA_1:
		return point.BitsValue(state), nil
	case asdu.C_SC_NA_1:
		state++ // off 1, on 2, as of a double command
	default:
		if state != 1 && state != 2 {
			return point.Value{}, fmt.Errorf("state %d is not permitted", state)
		}
	}
	switch e.Type {
	case point.Single:
		return point.SingleValue(state == 2), nil
	case point.Double:
		return point.DoubleValue(point.DoubleState(state)), nil
	default:
		return point.StepValue(int(state)*2-3, false), nil // lower −1, higher +1
	}
}

// setPointValue is orderValue for numbers: nothing is clamped.
func setPointValue(e *connector.CommandEnd, r *Requester, o *asdu.Object) (point.Value, error) {
	var v float64
	switch r.As.Untagged() {
	case asdu.C_SE_NA_1:
		v = o.Normalized()
		if e.Range != nil {
			v = e.Range.Low + (v+1)/2*(e.Range.High-e.Range.Low)
		}
	case asdu.C_SE_NB_1:
		v = float64(o.Int())*r.Scale + r.Offset
	default:
		v = float64(o.Float())*r.Scale + r.Offset
	}
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return point.Value{}, fmt.Errorf("%v is not a number", v)
	case e.Range != nil && (v < e.Range.Low || v > e.Range.High):
		return point.Value{}, fmt.Errorf("%v is outside %v to %v", v, e.Range.Low, e.Range.High)
	case e.Type == point.Float:
		return point.FloatValue(v), nil
	case math.Abs(v) > maxExact:
		return point.Value{}, fmt.Errorf("%v is too large for an integer", v)
	default:
		return point.IntValue(int64(math.Round(v))), nil
	}
}

// maxExact is the largest integer up to which a float64 holds every one.
const maxExact = 1 << 53
