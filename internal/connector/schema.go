package connector

import (
	"fmt"

	"busbar/internal/plant"
)

// Schema is the JSON Schema of keys of the plant file, see [plant.Schema]. Types that decode
// themselves tell theirs with a method JSONSchema() Schema.
type Schema = plant.Schema

// EnumSchema returns the schema of a text that is one of some words.
func EnumSchema(words ...string) Schema { return plant.EnumSchema(words...) }

// DurationSchema returns the schema of any duration.
func DurationSchema() Schema { return plant.DurationSchema() }

// TextSchema returns the schema of any text.
func TextSchema() Schema { return plant.TextSchema() }

// KindSchemas are the schemas of what the plant file says of connectors of one kind and of
// ends at them, generic keys included. An end that the kind does not have is nil.
type KindSchemas struct {
	Connector Schema // an entry of `connectors`
	Source    Schema // the `from` of a point
	Target    Schema // an entry of the `to` of a point
	Requester Schema // an entry of the `from` of a command
	Executor  Schema // the `to` of a command
}

// Schemas returns the schemas of the kind with the given name.
func (r *Registry) Schemas(name string) (KindSchemas, error) {
	k, ok := r.kinds[name]
	if !ok {
		return KindSchemas{}, fmt.Errorf("there is no kind %s", name)
	}
	g, err := plant.Generic()
	if err != nil {
		return KindSchemas{}, err
	}
	return k.schemas(g), nil
}

func (k Kind) schemas(g plant.GenericSchemas) KindSchemas {
	settings, source, target := k.spec.schemas()
	named := g.Connector.Merge(settings).With("kind", Schema{"const": k.name})
	required, _ := named["required"].([]string)
	named["required"] = append([]string{"kind"}, required...)
	s := KindSchemas{Connector: named}
	if k.spec.canSource() {
		s.Source = g.Source.Merge(source)
		if k.spec.decodes() {
			s.Source["x-decodes"] = true
		}
	}
	if k.spec.canTarget() {
		s.Target = g.Target.Merge(target)
	}
	if r := k.spec.requester(); r.exists() {
		s.Requester = g.Request.Merge(r.schema())
	}
	if e := k.spec.executor(); e.exists() {
		s.Executor = g.Execution.Merge(e.schema())
	}
	return s
}

// PlantSchemas are the schemas of the entries of a plant file over all kinds: what depends on
// the kind of a connector fits if it fits that of any.
type PlantSchemas struct {
	Connector, Point, SystemPoint, Command Schema
}

// PlantSchemas returns the schemas over all kinds.
func (r *Registry) PlantSchemas() (PlantSchemas, error) {
	g, err := plant.Generic()
	if err != nil {
		return PlantSchemas{}, err
	}
	var connectors, sources, targets, requesters, executors []Schema
	for _, name := range r.names {
		s := r.kinds[name].schemas(g)
		connectors = append(connectors, s.Connector)
		sources, targets = appendGiven(sources, s.Source), appendGiven(targets, s.Target)
		requesters, executors = appendGiven(requesters, s.Requester), appendGiven(executors, s.Executor)
	}
	requesters = append(requesters, g.Request) // of orders that come through the API
	to := Schema{"type": "array", "items": Schema{"anyOf": targets}, "maxItems": plant.MaxTargets}
	return PlantSchemas{
		Connector:   Schema{"oneOf": connectors},
		Point:       g.Point.With("from", Schema{"anyOf": sources}).With("to", to),
		SystemPoint: g.SystemPoint.With("to", to),
		Command:     g.Command.With("from", Schema{"type": "array", "items": Schema{"anyOf": requesters}}).With("to", Schema{"anyOf": executors}),
	}, nil
}

func appendGiven(list []Schema, s Schema) []Schema {
	if s == nil {
		return list
	}
	return append(list, s)
}

// File returns the schema of a plant file.
func (s PlantSchemas) File() Schema {
	section := func(of Schema) Schema { return Schema{"type": []string{"object", "null"}, "additionalProperties": of} }
	points := section(s.Point)
	points["patternProperties"] = Schema{"^sys/": s.SystemPoint}
	return Schema{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Plant file of Busbar", "type": "object",
		"properties": Schema{
			"version": Schema{"const": 1}, "connectors": section(s.Connector), "points": points, "commands": section(s.Command),
		},
		"required": []string{"version"}, "additionalProperties": false,
	}
}

// SystemPoints returns the system points of a connector whose kind has the given ones: with those
// that every connector has.
func SystemPoints(own []SystemPoint) []SystemPoint {
	return append(plant.ConnectorPoints(), own...)
}
