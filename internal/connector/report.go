package connector

import "fmt"

// Report is all that is known of one connector.
type Report struct {
	Status
	Sink    SinkStatus
	History []StateChange // the last 100, oldest first
}

func (i *instance) report() Report {
	return Report{Status: i.track.get(), Sink: i.sink.counts.get(), History: i.track.changesSoFar()}
}

// Reports returns the reports of all connectors, in order of their id.
func (m *Manager) Reports() []Report {
	list := m.list()
	reports := make([]Report, len(list))
	for n, i := range list {
		reports[n] = i.report()
	}
	return reports
}

// Report returns the report of a connector. It fails with ErrNoConnector.
func (m *Manager) Report(id string) (Report, error) {
	i := m.instance(id)
	if i == nil {
		return Report{}, fmt.Errorf("%w: %s", ErrNoConnector, id)
	}
	return i.report(), nil
}

// Messages returns the last 100 messages of a connector that speaks in messages, oldest
// first. It fails with ErrNoConnector.
func (m *Manager) Messages(id string) ([]LoggedMessage, error) {
	i := m.instance(id)
	if i == nil {
		return nil, fmt.Errorf("%w: %s", ErrNoConnector, id)
	}
	return i.messages.list(m.img.ID), nil
}

// Restart ends the present run of a connector and begins another at once, without
// back-off. It does not wait for it: the state shows how far it is. It fails with
// ErrNoConnector, and with ErrNotRunning if the connector is stopped.
func (m *Manager) Restart(id, by string) error {
	i := m.instance(id)
	switch {
	case i == nil:
		return fmt.Errorf("%w: %s", ErrNoConnector, id)
	case !i.super.again():
		return fmt.Errorf("%w: %s", ErrNotRunning, id)
	}
	m.log.Info("connector is restarted by hand", "connector", id, "by", by)
	return nil
}
