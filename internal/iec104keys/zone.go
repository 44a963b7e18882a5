package iec104keys

import (
	"fmt"
	"time"
	_ "time/tzdata" // so that zones are known on machines that have no database of them

	"busbar/internal/connector"
)

// Zone is the clock that time tags show.
type Zone struct{ *time.Location }

// UnmarshalNode implements plant.NodeDecoder.
func (z *Zone) UnmarshalNode(n *connector.Node) error {
	const want = "want utc, local or an IANA time zone such as Europe/Berlin"
	text, err := n.Str()
	if err != nil {
		return fmt.Errorf("%s", want)
	}
	switch text {
	case "utc":
		z.Location = time.UTC
	case "local":
		z.Location = time.Local
	case "":
		return fmt.Errorf("is empty, %s", want)
	default:
		if z.Location, err = time.LoadLocation(text); err != nil {
			return fmt.Errorf("is %s, %s", text, want)
		}
	}
	return nil
}

// Key returns how the plant file writes the zone.
func (z Zone) Key() string {
	switch z.Location {
	case time.UTC:
		return "utc"
	case time.Local:
		return "local"
	default:
		return z.String()
	}
}
