package connector

import "busbar/internal/plant"

// What the declaration of a kind needs of the plant.
type (
	// Node is a node of the syntax tree. A type decodes itself with a method
	// UnmarshalNode(*Node) error on its pointer.
	Node = plant.Node
	// Later is the type of a key that is not supported by this version.
	Later = plant.Later
	// PointKeys are the generic keys of a point.
	PointKeys = plant.Point
	// TargetKeys are the generic keys of an entry of `to`.
	TargetKeys = plant.Target
	// CommandKeys are the generic keys of a command.
	CommandKeys = plant.Command
	// SystemPoint declares a system point of a kind, see [Spec.System]. Its id in
	// the plant is sys/connectors/<connector>/<name>.
	SystemPoint = plant.SystemPoint
	// RequestKeys are the generic keys of an entry of the `from` of a command.
	RequestKeys = plant.Request
)
