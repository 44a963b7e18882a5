package connector

import (
	"errors"
	"time"
)

// Errors of what is asked of a link or connector.
var (
	ErrNoConnector   = errors.New("there is no such connector")
	ErrNoLink        = errors.New("there is no such link")
	ErrNotOpen       = errors.New("the link has no connection")
	ErrTooManyBlocks = errors.New("commands of too many peers are blocked already")
	ErrNotRunning    = errors.New("the connector does not run")
)

// Linker is implemented by connectors that have links whose state is of interest, such
// as associations of IEC 60870-5-104. The methods may be called from any goroutine,
// also while Run is not running.
type Linker interface {
	// Links returns the links: where it listens or dials, the open connections, and
	// for a while those that have ended. It costs the links nothing when nobody asks.
	Links() []Link
	// Disconnect ends the connection of a link, with a reason for the log. Who has
	// established it may do so again. It fails with ErrNoLink and ErrNotOpen.
	Disconnect(id, reason string) error
}

// LinkState is the state of a link.
type LinkState string

// The states of a link.
const (
	LinkListening  LinkState = "listening"       // waits for connections
	LinkConnecting LinkState = "connecting"      // is dialled, see the reason
	LinkStopped    LinkState = "connected"       // data transfer is stopped (STOPDT)
	LinkStarting   LinkState = "pending started" // STARTDT act was sent
	LinkStarted    LinkState = "started"
	LinkStopping   LinkState = "pending stopped"
	LinkClosed     LinkState = "closed"
)

// Link is the state of one link, as it is at a moment. Numbers that do not apply are 0.
type Link struct {
	ID          string    `json:"id" doc:"<connector>.<number>; that of a place that is listened on is the connector"`
	Connector   string    `json:"connector"`
	Role        string    `json:"role" enum:"controlled,controlling" doc:"what this side is: the station that is asked, or the one that asks"`
	Conn        uint64    `json:"conn,omitempty" doc:"number of the connection at its connector"`
	Local       string    `json:"local,omitempty" doc:"own address and port"`
	Peer        string    `json:"peer,omitempty" doc:"address and port of the other side"`
	Certificate string    `json:"certificate,omitempty" doc:"what the certificate of the other side calls it"`
	State       LinkState `json:"state" enum:"listening,connecting,connected,pending started,started,pending stopped,closed" doc:"connected: data transfer is stopped"`
	Testing     bool      `json:"testing" doc:"TESTFR act was sent and is not confirmed"`
	Reason      string    `json:"reason,omitempty" doc:"why the connection ended or is not made"`
	Since       time.Time `json:"since" doc:"of the connection, or of the state where there is none"`
	StateSince  time.Time `json:"stateSince"`

	Group  string `json:"group,omitempty" doc:"redundancy group"`
	Member string `json:"member,omitempty" enum:"active,standby,beside" doc:"of the group: has its events, waits to take over, or has events of its own from the start on"`

	CommonAddresses     []uint16 `json:"commonAddresses,omitempty" doc:"at most 64"`
	CommonAddressNumber int      `json:"commonAddressNumber"`

	SendNumber     uint16 `json:"sendNumber" doc:"V(S)"`
	ReceiveNumber  uint16 `json:"receiveNumber" doc:"V(R)"`
	Acknowledged   uint16 `json:"acknowledged" doc:"last N(R) received"`
	Unacknowledged int    `json:"unacknowledged" doc:"own I frames not acknowledged, of k"`
	K              int    `json:"k"`
	Owed           int    `json:"owed" doc:"I frames received since the last acknowledgement, of w"`
	W              int    `json:"w"`

	T1Ms        int64   `json:"t1Ms" doc:"until the connection is closed unless an acknowledgement or confirmation comes; 0: not running"`
	T2Ms        int64   `json:"t2Ms" doc:"until an acknowledgement is sent; 0: not running"`
	T3Ms        int64   `json:"t3Ms" doc:"until the link is tested; 0: not running"`
	RoundTripMs float64 `json:"roundTripMs,omitempty" doc:"of the last TESTFR"`

	Received FrameCounts `json:"received"`
	Sent     FrameCounts `json:"sent"`

	Queue         *LinkQueue     `json:"queue,omitempty" doc:"events that wait; of a controlled station"`
	Interrogation *Interrogation `json:"interrogation,omitempty" doc:"the last one"`
	Clock         *LinkClock     `json:"clock,omitempty"`
	Reconnects    int            `json:"reconnects" doc:"further connections of the same other side in 24 h"`
	Block         *CommandBlock  `json:"block,omitempty" doc:"commands are refused"`

	// PeerKey names the other side over connections, for what has to outlast them.
	PeerKey string `json:"-"`
}

// FrameCounts count frames and octets in one direction since the connection.
type FrameCounts struct {
	I      uint64 `json:"i"`
	S      uint64 `json:"s"`
	U      uint64 `json:"u"`
	Octets uint64 `json:"octets"`
}

// LinkQueue is what waits for the other side.
type LinkQueue struct {
	Status      uint64 `json:"status" doc:"events of class status"`
	Counter     uint64 `json:"counter"`
	Measured    uint64 `json:"measured"`
	Unconfirmed uint64 `json:"unconfirmed" doc:"events sent and not acknowledged"`
	OldestMs    int64  `json:"oldestMs" doc:"age of the oldest event that waits"`
	Dropped     uint64 `json:"dropped" doc:"events that did not fit"`
}

// Interrogation is an interrogation that was asked for or answered.
type Interrogation struct {
	CommonAddress uint16    `json:"commonAddress"`
	Qualifier     uint8     `json:"qualifier"`
	Begun         time.Time `json:"begun"`
	TookMs        float64   `json:"tookMs"`
	Objects       int       `json:"objects"`
	Result        string    `json:"result" doc:"running, completed, refused, cancelled, broken off, or what went wrong"`
}

// LinkClock is what clock synchronisation and time tags show.
type LinkClock struct {
	Synchronised *time.Time `json:"synchronised,omitempty" doc:"when the clock was last synchronised over the link"`
	OffsetMs     *float64   `json:"offsetMs,omitempty" doc:"clock of the other side minus own clock"`
}

// Milliseconds returns a duration in the unit that links are shown with.
func Milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
