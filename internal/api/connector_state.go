package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
	"unicode/utf8"

	"busbar/internal/auth"
	"busbar/internal/connector"
	"busbar/internal/manage"
	"busbar/internal/plantdoc"
)

func registerConnectorState(a *api) {
	register(a, op{
		ID: "getConnectorStatus", Method: http.MethodGet, Path: "/connectors/{id}/status", Tag: "connectors", Role: auth.Viewer,
		Summary: "State of a connector, and what it has received", Description: "State with its reason and since when, counters, and the faults of single points.", Errors: []int{http.StatusNotFound},
	}, a.getConnectorStatus)
	register(a, op{
		ID: "listConnectorStates", Method: http.MethodGet, Path: "/connectors/{id}/states", Tag: "connectors", Role: auth.Viewer,
		Summary: "The last 100 changes of state of a connector, newest first", Errors: []int{http.StatusNotFound},
	}, a.listConnectorStates)
	register(a, op{
		ID: "listConnectorMessages", Method: http.MethodGet, Path: "/connectors/{id}/messages", Tag: "connectors", Role: auth.Viewer,
		Summary:     "The last 100 messages of a connector, newest first",
		Description: "Of connectors that speak in messages, such as MQTT; of those of IEC 60870-5-104 see the trace.", Errors: []int{http.StatusNotFound},
	}, a.listConnectorMessages)
	register(a, op{
		ID: "restartConnector", Method: http.MethodPost, Path: "/connectors/{id}/restart", Tag: "connectors", Role: auth.Engineer,
		Summary:     "End the run of a connector and begin another",
		Description: "It is asked for and not waited for: the status shows how far it is.",
		Status:      http.StatusAccepted, Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, a.restartConnector)
	register(a, op{
		ID: "enableConnector", Method: http.MethodPost, Path: "/connectors/{id}/enable", Tag: "connectors", Role: auth.Engineer,
		Summary: "Let a connector run", Description: "Changes the key `enabled` of the plant: a revision, kept over restarts.", Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, a.enableConnector)
	register(a, op{
		ID: "disableConnector", Method: http.MethodPost, Path: "/connectors/{id}/disable", Tag: "connectors", Role: auth.Engineer,
		Summary: "Keep a connector from running", Description: "Changes the key `enabled` of the plant: a revision, kept over restarts. Its links are closed, its points become not topical.", Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, a.disableConnector)
}

type connectorID struct {
	ID string `path:"id" doc:"Id of the connector" example:"scada"`
}

// ConnectorStatus is the state of a connector.
type ConnectorStatus struct {
	ID       string     `json:"id"`
	Kind     string     `json:"kind"`
	State    string     `json:"state" doc:"stopped, starting, connecting, up, degraded, failed, refused or disabled"`
	Reason   string     `json:"reason,omitempty" doc:"Why it is not up"`
	Since    time.Time  `json:"since" doc:"Of the state"`
	Failures uint64     `json:"failures" doc:"How often it has failed and was restarted since it was configured"`
	Restarts uint64     `json:"restarts" doc:"How often it was restarted by hand"`
	Last     *LastError `json:"lastError,omitempty"`

	Messages uint64      `json:"messages" doc:"Received, useful or not"`
	Values   uint64      `json:"values" doc:"Updates of points that were made of them"`
	Refused  uint64      `json:"refused" doc:"Batches of updates that were not kept"`
	Faults   []SinkFault `json:"faults" nullable:"false" doc:"Why messages or values were not taken as they were"`
}

// LastError is the last failure of a connector.
type LastError struct {
	At   time.Time `json:"at"`
	Text string    `json:"text"`
}

// SinkFault is a reason for which messages or values were not taken as they were.
type SinkFault struct {
	Reason  string    `json:"reason"`
	Count   uint64    `json:"count"`
	At      time.Time `json:"at" doc:"Of the example"`
	Point   string    `json:"point,omitempty" doc:"Of the example"`
	Example string    `json:"example,omitempty"`
}

type connectorStatusOutput struct{ Body ConnectorStatus }

func (a *api) getConnectorStatus(_ context.Context, in *connectorID) (*connectorStatusOutput, error) {
	r, err := a.deps.Manager.Report(in.ID)
	if err != nil {
		return nil, linkProblem(err)
	}
	s := ConnectorStatus{
		ID: r.ID, Kind: r.Kind, State: r.State.String(), Reason: r.Reason, Since: r.Since.UTC(), Failures: r.Restarts, Restarts: r.Repeats,
		Messages: r.Sink.Messages, Values: r.Sink.Values, Refused: r.Sink.Refused, Faults: []SinkFault{},
	}
	if r.LastError != "" {
		s.Last = &LastError{At: r.LastErrorAt.UTC(), Text: r.LastError}
	}
	for _, f := range r.Sink.Faults {
		s.Faults = append(s.Faults, SinkFault{Reason: f.Reason, Count: f.Count, At: f.At.UTC(), Point: f.PointID, Example: f.Text})
	}
	return &connectorStatusOutput{s}, nil
}

// StateChange is a change of the state of a connector.
type StateChange struct {
	At     time.Time `json:"at"`
	State  string    `json:"state"`
	Reason string    `json:"reason,omitempty"`
}

type statesOutput struct {
	Body struct {
		Items []StateChange `json:"items" nullable:"false"`
	}
}

func (a *api) listConnectorStates(_ context.Context, in *connectorID) (*statesOutput, error) {
	r, err := a.deps.Manager.Report(in.ID)
	if err != nil {
		return nil, linkProblem(err)
	}
	out := &statesOutput{}
	out.Body.Items = make([]StateChange, 0, len(r.History))
	for n := len(r.History) - 1; n >= 0; n-- {
		c := r.History[n]
		out.Body.Items = append(out.Body.Items, StateChange{At: c.At.UTC(), State: c.State.String(), Reason: c.Reason})
	}
	return out, nil
}

// Message is one of the last messages of a connector.
type Message struct {
	At        time.Time `json:"at"`
	Direction string    `json:"direction" enum:"sent,received"`
	Topic     string    `json:"topic" doc:"At most its first 256 octets"`
	Payload   string    `json:"payload" doc:"At most its first 1024 octets, as text"`
	Base64    []byte    `json:"payloadBase64,omitempty" doc:"The same, where it is not text"`
	Octets    int       `json:"octets" doc:"Of the whole payload"`
	Cut       bool      `json:"cut" doc:"The payload is longer than what is shown"`
	Retained  bool      `json:"retained"`
	Points    int       `json:"points" doc:"Updates of points that were made of it"`
	Result    string    `json:"result,omitempty" doc:"What was wrong with it, or what it was"`
	Point     string    `json:"point,omitempty" doc:"That the result is about"`
}

type messagesOutput struct {
	Body struct {
		Items []Message `json:"items" nullable:"false"`
	}
}

func (a *api) listConnectorMessages(_ context.Context, in *connectorID) (*messagesOutput, error) {
	list, err := a.deps.Manager.Messages(in.ID)
	if err != nil {
		return nil, linkProblem(err)
	}
	out := &messagesOutput{}
	out.Body.Items = make([]Message, 0, len(list))
	for n := len(list) - 1; n >= 0; n-- {
		out.Body.Items = append(out.Body.Items, messageOf(&list[n]))
	}
	return out, nil
}

func messageOf(l *connector.LoggedMessage) Message {
	m := Message{
		At: l.At.UTC(), Direction: "received", Topic: l.Topic, Octets: l.Octets, Cut: l.Octets > len(l.Payload), Retained: l.Retained,
		Points: l.Points, Result: l.Result, Point: l.Point,
	}
	if l.Sent {
		m.Direction = "sent"
	}
	text := l.Payload
	for n := 0; m.Cut && n < utf8.UTFMax && !utf8.Valid(text) && len(text) > 0; n++ { // a character that was cut
		text = text[:len(text)-1]
	}
	if utf8.Valid(text) {
		m.Payload = string(text)
	} else {
		m.Base64 = l.Payload
	}
	return m
}

func (a *api) restartConnector(ctx context.Context, in *connectorID) (*struct{}, error) {
	noteObject(ctx, "connectors/"+in.ID)
	who, _ := auth.From(ctx)
	return nil, linkProblem(a.deps.Manager.Restart(in.ID, who.Name))
}

type enabledOutput struct{ Body Revision }

func (a *api) enableConnector(ctx context.Context, in *connectorID) (*enabledOutput, error) {
	return a.setEnabled(ctx, in.ID, true)
}

func (a *api) disableConnector(ctx context.Context, in *connectorID) (*enabledOutput, error) {
	return a.setEnabled(ctx, in.ID, false)
}

// setEnabled changes the key enabled of a connector.
func (a *api) setEnabled(ctx context.Context, id string, on bool) (*enabledOutput, error) {
	noteObject(ctx, "connectors/"+id)
	result, err := a.deps.Manage.Change(ctx, author(ctx), manage.ChangeOptions{}, func(e *manage.Edit) error {
		body, ok := e.Body(plantdoc.Connectors, id)
		if !ok {
			return notFound("there is no connector " + id)
		}
		var keys map[string]json.RawMessage
		if err := json.Unmarshal(body, &keys); err != nil {
			return err
		}
		if keys["enabled"] = json.RawMessage("false"); on {
			delete(keys, "enabled") // it is the default
		}
		changed, err := json.Marshal(keys)
		if err == nil {
			e.Put(plantdoc.Connectors, id, changed)
		}
		return err
	})
	if p := plantProblem(err); p != nil {
		return nil, p
	}
	if err != nil {
		return nil, err
	}
	return &enabledOutput{revisionOf(result.Revision)}, nil
}
