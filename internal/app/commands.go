package app

import (
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"

	"busbar/internal/commandlog"
	"busbar/internal/connector"
)

// openCommands opens the log of commands in the data directory. The manager gets
// what is known from before, and records there.
func openCommands(dir string, log *Log, m *connector.Manager) (*commandlog.Log, error) {
	disk, err := commandlog.NewDisk(filepath.Join(dir, "commands"))
	if err != nil {
		return nil, err
	}
	l, records, err := commandlog.Open(disk, log.Logger, commandlog.Options{})
	if err != nil {
		return nil, err
	}
	m.RestoreCommands(records)
	m.RecordCommands(l)
	return l, nil
}

// commandMetrics are the figures of the log of commands.
func commandMetrics(l *commandlog.Log) []prometheus.Collector {
	gauge := func(name, help string, value func(commandlog.Status) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return value(l.Status()) })
	}
	counter := func(name, help string, value func(commandlog.Status) uint64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(value(l.Status())) })
	}
	return []prometheus.Collector{
		gauge("busbar_command_log_up", "1 while records of commands are kept, 0 while they are not, so that orders are refused.", func(s commandlog.Status) float64 {
			if s.Failed != nil {
				return 0
			}
			return 1
		}),
		gauge("busbar_command_log_files", "Files of the log of commands.", func(s commandlog.Status) float64 { return float64(s.Files) }),
		gauge("busbar_command_log_bytes", "Size of the log of commands.", func(s commandlog.Status) float64 { return float64(s.Octets) }),
		gauge("busbar_command_log_waiting_bytes", "Records of commands that wait for the disk.", func(s commandlog.Status) float64 { return float64(s.Waiting) }),
		counter("busbar_command_log_records_total", "Records of commands that were written and synced.", func(s commandlog.Status) uint64 { return s.Records }),
		counter("busbar_command_log_failures_total", "Attempts to write records of commands that failed.", func(s commandlog.Status) uint64 { return s.Failures }),
	}
}
