package api

import (
	"encoding/json"
	"time"

	"busbar/internal/commandlog"
	"busbar/internal/connector"
	"busbar/internal/point"
)

// Order is what is known of an order. The members are those of a line of the log of commands.
type Order struct {
	ID         string          `json:"id" doc:"Id of the order"`
	Stage      string          `json:"stage" enum:"received,confirmed,terminated" doc:"How far it has come: recorded, answered (or refused), over"`
	Ended      bool            `json:"ended" doc:"Nothing more will be told of it in time"`
	Positive   *bool           `json:"positive,omitempty" doc:"Result of the stage; absent with received"`
	Reason     string          `json:"reason,omitempty" doc:"Why it is not positive"`
	Unknown    bool            `json:"unknown,omitempty" doc:"It has failed, but the device may have operated"`
	Command    string          `json:"command" doc:"Id of the command"`
	Type       string          `json:"type,omitempty" enum:"single,double,step,int,float,bits" doc:"Type of the value"`
	Value      json.RawMessage `json:"value,omitempty" doc:"What was ordered: the name of a state, or a number"`
	Qualifier  uint8           `json:"qualifier" doc:"QU, or QL of a set point"`
	Select     bool            `json:"select,omitempty" doc:"It was a selection: nothing was executed"`
	Requester  OrderRequester  `json:"requester"`
	Executor   string          `json:"executor,omitempty" doc:"Id of the connector that carries it out"`
	Terminates bool            `json:"terminates,omitempty" doc:"A termination follows a positive confirmation"`
	Failure    string          `json:"failure,omitempty" doc:"What went wrong after the confirmation of a command without termination"`
	Skipped    uint64          `json:"skipped,omitempty" doc:"Orders that the connector had refused before this one, and that were not recorded as there were too many"`
	Issued     *time.Time      `json:"issued,omitempty" doc:"Time of the order"`
	Expires    *time.Time      `json:"expires,omitempty" doc:"After this nothing may be done"`
	Received   *time.Time      `json:"received,omitempty" doc:"When it came"`
	Accepted   *time.Time      `json:"accepted,omitempty" doc:"When the device, or its broker, had it"`
	Replied    *time.Time      `json:"replied,omitempty" doc:"When the device answered"`
	Confirmed  *time.Time      `json:"confirmed,omitempty" doc:"When it was confirmed or refused"`
	Terminated *time.Time      `json:"terminated,omitempty" doc:"When it was terminated"`
	Late       *time.Time      `json:"late,omitempty" doc:"When it was found that the device has operated, or will, although the order was said to have failed"`
}

// OrderRequester is who has given an order.
type OrderRequester struct {
	Connector   string `json:"connector" doc:"Id of the connector that it came through; api: this API"`
	Peer        string `json:"peer" doc:"Address of the control centre; user@address of an order through the API"`
	Certificate string `json:"certificate,omitempty" doc:"What its certificate calls it"`
	Originator  uint8  `json:"originator" doc:"Originator address; 0: none"`
}

// orderOf returns the order of a record.
func orderOf(r *connector.CommandRecord) Order {
	o := Order{
		ID: r.Order.ID, Stage: "received", Ended: r.Ended(), Unknown: r.Unknown, Command: r.Order.Command, Qualifier: r.Order.Qualifier, Select: r.Select,
		Requester: OrderRequester(r.Order.Requester), Executor: r.Executor, Terminates: r.Terminates, Failure: r.Failure, Skipped: r.Skipped,
		Issued: timeOf(r.Order.Issued), Expires: timeOf(r.Order.Expires), Received: timeOf(r.Received), Accepted: timeOf(r.Accepted),
		Replied: timeOf(r.Replied), Confirmed: timeOf(r.Confirmed), Terminated: timeOf(r.Terminated), Late: timeOf(r.Late),
	}
	switch {
	case r.Termination.Stage != 0:
		o.Stage, o.Positive, o.Reason = "terminated", &r.Termination.Positive, r.Termination.Reason
	case r.Confirmation.Stage != 0:
		o.Stage, o.Positive, o.Reason = "confirmed", &r.Confirmation.Positive, r.Confirmation.Reason
	}
	if v := r.Order.Value; v.Type() != 0 {
		o.Type = v.Type().String()
		o.Value, _ = commandlog.EncodeValue(v) // every value has a JSON
	}
	return o
}

// timeOf returns a time, nil if it has not happened.
func timeOf(i point.Instant) *time.Time {
	if i == 0 {
		return nil
	}
	t := i.Time()
	return &t
}

// outcome says what became of an order, for the audit log.
func (o *Order) outcome() string {
	switch {
	case o.Positive == nil:
		return "order " + o.ID + " is under way"
	case *o.Positive:
		return "order " + o.ID + " is " + o.Stage
	case o.Unknown:
		return "order " + o.ID + " has failed, outcome unknown: " + o.Reason
	default:
		return "order " + o.ID + " has failed: " + o.Reason
	}
}
