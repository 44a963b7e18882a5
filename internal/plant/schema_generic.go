package plant

import (
	"busbar/internal/point"
)

// GenericSchemas are the schemas of the generic keys of a plant file. Where the keys of a kind are beside them
// they are merged with [Schema.Merge].
type GenericSchemas struct {
	Connector, Point, SystemPoint, Source, Target, Command, Request, Execution Schema
}

// Generic returns the schemas of the generic keys. The keys from and to of points and
// commands fit anything; [Schema.With] gives them theirs.
func Generic() (GenericSchemas, error) {
	var s structs
	if err := s.plan(); err != nil {
		return GenericSchemas{}, err
	}
	return GenericSchemas{
		Connector:   s.connector.Schema(connectorKeys{Enabled: true}),
		Point:       s.point.Schema(pointKeys{Since: "arrival"}),
		SystemPoint: s.system.Schema(systemKeys{}),
		Source:      s.source.Schema(sourceKeys{Scale: 1, Missing: "ignore"}),
		Target:      s.target.Schema(targetKeys{Report: "change", Keep: "every", Scale: 1}),
		Command: s.command.Schema(commandKeys{
			Timeout: DefaultTimeout, SelectTimeout: DefaultSelectTimeout, FeedbackTimeout: DefaultFeedbackTimeout,
		}),
		Request:   s.request.Schema(requestKeys{Mode: "direct"}),
		Execution: s.execution.Schema(executionKeys{}),
	}, nil
}

// MaxTargets is how many targets a point has at most.
const MaxTargets = maxTargets

// JSONSchema implements [Describer].
func (typeName) JSONSchema() Schema { return EnumSchema(typeNames()...) }

// JSONSchema implements [Describer].
func (commandType) JSONSchema() Schema { return EnumSchema(commandTypeNames()...) }

// JSONSchema implements [Describer].
func (Deadband) JSONSchema() Schema {
	return Schema{"type": []string{"number", "string"}, "minimum": 0, "pattern": `^[^%]*[0-9][^%]*%$`}
}

// JSONSchema implements [Describer].
func (qualityWords) JSONSchema() Schema {
	words := []string{"good"}
	for q := point.Quality(1); q != 0; q <<= 1 {
		words = append(words, q.Words()...)
	}
	word := EnumSchema(words...)
	return Schema{"anyOf": []Schema{word, {"type": "array", "items": word}}}
}
