package iec104client

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/iec104keys"
	"busbar/internal/point"
)

// Executor is the keys of a command that goes to a connector of kind iec104-client.
type Executor struct {
	CA         iec104keys.CommonAddress `json:"ca" required:"true" doc:"common address, 1 to 65534"`
	IOA        iec104keys.ObjectAddress `json:"ioa" required:"true" doc:"information object address, 1 to 16777215"`
	As         iec104keys.CommandType   `json:"as" required:"true" doc:"type identification of the command, such as C_DC_NA_1"`
	Select     bool                     `json:"select" doc:"select the object before it is operated"`
	Terminates bool                     `json:"terminates" doc:"whether the station tells the end of a command (ACTTERM)"`
	Scale      float64                  `json:"scale" doc:"of set points: what the value is multiplied with"`
	Offset     float64                  `json:"offset" doc:"of set points: what is added then"`
	Range      Range                    `json:"range" doc:"of C_SE_NA_1 and C_SE_TA_1: the values of −1 and 1"`
}

// Range is the key range of an executor.
type Range struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Place implements [connector.Addressed].
func (e *Executor) Place() uint64 { return addressOf(uint16(e.CA), uint32(e.IOA)) }

func executorDefaults() Executor { return Executor{Terminates: true, Scale: 1} }

// Staged tells the host that the station says that it will carry out an order, and
// later that it has.
func (e *Executor) Staged() bool { return e.Terminates }

// Validate implements connector.Validator.
func (e *Executor) Validate() []connector.Problem {
	var problems []connector.Problem
	as := e.As.Untagged()
	if e.Select && as == asdu.C_BO_NA_1 {
		problems = append(problems, connector.Faultf("select", "%s cannot be selected", e.As))
	}
	if e.Scale == 0 || math.IsNaN(e.Scale) || math.IsInf(e.Scale, 0) {
		problems = append(problems, connector.Faultf("scale", "is %v, want a number other than 0", e.Scale))
	}
	if math.IsNaN(e.Offset) || math.IsInf(e.Offset, 0) {
		problems = append(problems, connector.Faultf("offset", "is %v, want a number", e.Offset))
	}
	if (e.Scale != 1 || e.Offset != 0) && !setPoint(as) {
		problems = append(problems, connector.Faultf("", "scale and offset have no effect on %s", e.As))
	}
	switch {
	case e.Range == Range{}:
	case as != asdu.C_SE_NA_1:
		problems = append(problems, connector.Faultf("range", "has no effect on %s, want it for C_SE_NA_1 or C_SE_TA_1 only", e.As))
	case !(e.Range.Low < e.Range.High) || math.IsInf(e.Range.High-e.Range.Low, 0):
		problems = append(problems, connector.Faultf("range", "is %v to %v, want low < high", e.Range.Low, e.Range.High))
	}
	return problems
}

// checkExecutor reports a command that its type cannot carry.
func checkExecutor(e Executor, c *connector.CommandKeys) []connector.Problem {
	types := iec104keys.Carries(e.As.TypeID)
	var names []string
	for _, t := range types {
		names = append(names, t.String())
	}
	if !slices.Contains(types, c.Type) {
		return []connector.Problem{connector.Faultf("as", "%s cannot carry a command of type %s, want a command of type %s", e.As, c.Type, strings.Join(names, " or "))}
	}
	if e.As.Untagged() == asdu.C_BO_NA_1 && len(c.Qualifiers) > 0 && c.Qualifiers[len(c.Qualifiers)-1] != 0 {
		return []connector.Problem{connector.Faultf("as", "%s has no qualifier, want no other than 0 among the qualifiers of the command", e.As)}
	}
	return nil
}

// checkCommands reports addresses that the octets cannot hold.
func checkCommands(settings Settings, _ []connector.End[connector.None], commands []connector.OrderEnd) (problems []connector.Problem) {
	for _, c := range commands {
		e, ok := c.End.(*Executor)
		if !ok {
			continue
		}
		if key, text := settings.Octets.Fault(uint16(e.CA), uint32(e.IOA)); key != "" {
			problems = append(problems, c.Faultf(key, "%s", text))
		}
	}
	return problems
}

func setPoint(untagged asdu.TypeID) bool {
	return untagged == asdu.C_SE_NA_1 || untagged == asdu.C_SE_NB_1 || untagged == asdu.C_SE_NC_1
}

// operation returns what an order is for the station. The error says why its value
// cannot be sent: nothing is clamped.
func (e *Executor) operation(o *point.Order) (iec104.Operation, error) {
	value, err := e.element(o.Value)
	return iec104.Operation{
		CA: uint16(e.CA), IOA: uint32(e.IOA), Type: e.As.TypeID, Value: value, Qualifier: o.Qualifier, Select: e.Select, Unterminated: !e.Terminates,
	}, err
}

// element returns the raw value of the information element.
func (e *Executor) element(v point.Value) (uint32, error) {
	as := e.As.Untagged()
	switch as {
	case asdu.C_BO_NA_1:
		return v.Bits(), nil
	case asdu.C_SE_NA_1, asdu.C_SE_NB_1, asdu.C_SE_NC_1:
		return e.number(as, v)
	}
	on := false
	switch {
	case v.Type() == point.Single:
		on = v.Single()
	case v.Type() == point.Double && (v.Double() == point.DoubleOff || v.Double() == point.DoubleOn):
		on = v.Double() == point.DoubleOn
	case v.Type() == point.Step:
		position, _ := v.Step()
		if position != -1 && position != 1 {
			return 0, fmt.Errorf("step %d cannot be ordered, only −1 and 1", position)
		}
		on = position > 0
	default:
		return 0, fmt.Errorf("%s cannot be ordered", v)
	}
	raw := uint32(0)
	if on {
		raw = 1
	}
	if as != asdu.C_SC_NA_1 {
		raw++ // off, lower 1; on, higher 2
	}
	return raw, nil
}

// number returns the raw value of a set point.
func (e *Executor) number(as asdu.TypeID, v point.Value) (uint32, error) {
	n, _ := v.Number()
	if e.Scale != 1 || e.Offset != 0 {
		n = float64(n*e.Scale) + e.Offset
	}
	switch as {
	case asdu.C_SE_NC_1:
		f := float32(n)
		if math.IsNaN(n) || math.IsInf(float64(f), 0) {
			return 0, fmt.Errorf("%v does not fit into %s", n, e.As)
		}
		return math.Float32bits(f), nil
	case asdu.C_SE_NA_1:
		if e.Range != (Range{}) {
			n = (n-e.Range.Low)/(e.Range.High-e.Range.Low)*2 - 1
		}
		if n == 1 {
			n = math.MaxInt16 // the fraction 1 has no place: it is the nearest below
		} else {
			n *= 32768
		}
	}
	raw := math.Round(n)
	if !(raw >= math.MinInt16 && raw <= math.MaxInt16) {
		return 0, fmt.Errorf("%s does not fit into %s", v, e.As)
	}
	return uint32(int32(raw)), nil
}
