package point

// Order is a command on its way from a requester to the executor of the
// command. It is never stored and never repeated: a command is executed at most
// once, and expires.
type Order struct {
	ID        string // unique; correlates the reply of the device
	Command   string // id of the command in the plant
	Value     Value  // of the type of the command; Step is −1 lower, +1 higher
	Qualifier uint8  // QU 0 … 31 of a command, QL 0 … 127 of a set point
	Issued    Instant
	Expires   Instant // after it nothing may be executed
	Requester Requester
	Link      uint64 // number of the connection that it came over, 0: there is none. Not recorded
	Selected  bool   // its requester has selected the command before. Not recorded
}

// Requester says who issued an order.
type Requester struct {
	Connector   string // id of the connector
	Peer        string // address of the controlling station, name of the user
	Certificate string // what its certificate calls it, empty without TLS
	Originator  uint8  // originator address, 0 is none
}

// Stage is how far an order has come.
type Stage uint8

// The stages.
const (
	Confirmed  Stage = iota + 1 // accepted, or refused: exactly one confirmation
	Terminated                  // over, only after a positive confirmation
)

// Result is the outcome of a stage.
type Result struct {
	Stage    Stage
	Positive bool
	Reason   string // why not, for the log and the record
	Unknown  bool   // negative, but the device may have operated
}
