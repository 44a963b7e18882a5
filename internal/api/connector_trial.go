package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"busbar/internal/auth"
	"busbar/internal/connector"
)

func registerConnectorTest(a *api) {
	register(a, op{
		ID: "testConnector", Method: http.MethodPost, Path: "/connectors/test", Tag: "connectors", Role: auth.Engineer,
		Summary: "Try out a connector before it is saved",
		Description: "Step by step, for at most 15 s, with the secrets that it refers to. Connectors that run are not disturbed: where a test could, it leaves the step out or says why it will not. " +
			"Nothing is stored.",
		Errors: []int{http.StatusConflict},
	}, a.testConnector)
}

type connectorTestInput struct {
	Body struct {
		ID            string         `json:"id" pattern:"^[a-z0-9-]{1,63}$" doc:"Of the connector that it is, or is to be" example:"scada"`
		Connector     map[string]any `json:"connector" doc:"The connector as in the plant, with its kind"`
		CommonAddress uint16         `json:"commonAddress,omitempty" maximum:"65534" doc:"Of an iec104-client: interrogate this common address and count the objects"`
		Topics        []string       `json:"topics,omitempty" nullable:"false" maxItems:"20" doc:"Of mqtt: whether these may be subscribed to"`
	}
}

// ConnectorTest is what a test has found.
type ConnectorTest struct {
	OK    bool                 `json:"ok" doc:"Every step went well"`
	Steps []connector.TestStep `json:"steps" nullable:"false"`
}

type connectorTestOutput struct{ Body ConnectorTest }

func (a *api) testConnector(ctx context.Context, in *connectorTestInput) (*connectorTestOutput, error) {
	noteObject(ctx, "connectors/"+in.Body.ID)
	delete(in.Body.Connector, "enabled") // it is tried out all the same
	body, err := json.Marshal(in.Body.Connector)
	if err != nil {
		return nil, err
	}
	p, err := a.deps.Manage.Try(ctx, in.Body.ID, body)
	if err != nil {
		return nil, err
	}
	steps, err := a.deps.Manager.Test(ctx, &p.Connectors[0], connector.TestRequest{CommonAddress: in.Body.CommonAddress, Topics: in.Body.Topics})
	if errors.Is(err, connector.ErrNoTest) {
		return nil, conflict(err.Error())
	}
	if err != nil {
		return nil, err
	}
	out := ConnectorTest{OK: true, Steps: append([]connector.TestStep{}, steps...)}
	for _, s := range steps {
		out.OK = out.OK && s.OK
	}
	noteDetail(ctx, in.Body.ID+": "+map[bool]string{true: "every step went well", false: "a step failed"}[out.OK])
	return &connectorTestOutput{out}, nil
}
