package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"busbar/iec104"
	"busbar/iec104/asdu"
)

func askInterrogation(ctx context.Context, c *iec104.Client, o *masterOptions) (string, error) {
	res, err := c.Interrogate(ctx, o.ca, uint8(asdu.InterrogatedGeneral)+o.group)
	return fmt.Sprintf("%s of common address %s", count(res.Objects, "object"), stations(res)), err
}

func askCounters(ctx context.Context, c *iec104.Client, o *masterOptions) (string, error) {
	rqt := o.group
	if rqt == 0 {
		rqt = 5
	}
	res, err := c.Counters(ctx, o.ca, rqt, o.freeze)
	return fmt.Sprintf("%s of common address %s", count(res.Objects, "counter"), stations(res)), err
}

func askRead(ctx context.Context, c *iec104.Client, o *masterOptions) (string, error) {
	_, err := c.Read(ctx, o.ca, o.ioa)
	return "", err
}

func askClock(ctx context.Context, c *iec104.Client, o *masterOptions) (string, error) {
	res, err := c.ClockSync(ctx, o.ca, nil)
	return "clock synchronisation confirmed by common address " + stations(res), err
}

func askTest(ctx context.Context, c *iec104.Client, o *masterOptions) (string, error) {
	return fmt.Sprintf("test command confirmed by common address %d", o.ca), c.Test(ctx, o.ca, uint16(time.Now().Unix()))
}

func askReset(ctx context.Context, c *iec104.Client, o *masterOptions) (string, error) {
	_, err := c.Reset(ctx, o.ca, o.qrp)
	return fmt.Sprintf("reset process confirmed by common address %d", o.ca), err
}

// askNothing waits for the end of monitoring, which is not an error.
func askNothing(ctx context.Context, c *iec104.Client, o *masterOptions) (string, error) {
	if o.limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.timeout)
		defer cancel()
	}
	lost := c.Done()
	if o.link.several() {
		lost = nil // it goes on with the next connection
	}
	select {
	case <-ctx.Done():
		return "", nil
	case <-lost:
		return "", c.Err()
	}
}

// stations lists the common addresses that answered.
func stations(r iec104.Result) string {
	if len(r.Stations) == 0 {
		return "none"
	}
	return strings.Trim(strings.Join(strings.Fields(fmt.Sprint(r.Stations)), ", "), "[]")
}
