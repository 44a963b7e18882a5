package mqtt

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"busbar/internal/dispatch"
)

const (
	// batchSize is how many filters go into one packet. Some cloud brokers take no more.
	batchSize = 8
	// batchesAtOnce is how many batches wait for their answer at most.
	batchesAtOnce = 16
)

// subscriber keeps the subscriptions of one connection.
type subscriber struct {
	c          *Connector
	client     client
	subscribed map[string]subscription // what the broker granted on this connection

	mu      sync.Mutex
	refused map[string]string // filter -> reason
}

// follow subscribes to what points need, and to changes of that, until ctx ends.
func (c *Connector) follow(ctx context.Context, cl client, l *link) error {
	s := &subscriber{c: c, client: cl, subscribed: make(map[string]subscription)}
	for {
		ends, changed := c.env.Sink.Sources()
		duties, reassigned := c.duties()
		requests, requested := c.counter.follow()
		if err := s.apply(ctx, c.wanted(ends, duties, requests)); errors.Is(err, errGone) {
			if wait(ctx, answerTimeout) { // for whoever knows why
				return err
			}
			return nil
		} else if err != nil {
			return err
		}
		c.alive.settled(c.env.Sink)
		c.resumed = true
		s.report()
		l.grant(s.subscribed, s.refused)
		select {
		case <-changed:
		case <-reassigned:
		case <-requested:
		case <-ctx.Done():
			return nil
		}
	}
}

// wanted returns the filters of points, the topics of replies and requests and the
// alive topic, with their QoS.
func (c *Connector) wanted(ends []any, duties []dispatch.End, requests map[string]byte) map[string]byte {
	filter, matched := make(map[string]byte, len(ends)+1), make(map[string]bool, len(ends))
	shared := make(map[string]bool)
	for _, end := range ends {
		source := end.(*Source)
		filter[source.Topic] = max(filter[source.Topic], source.qos(c.settings))
		matched[unshared(source.Topic)] = true
		if isShared(source.Topic) {
			shared[unshared(source.Topic)] = true
		}
	}
	c.shared.Store(filtersOf(maps.Keys(shared)))
	for topic, qos := range requests {
		filter[topic] = max(filter[topic], qos)
	}
	points := filtersOf(maps.Keys(matched))
	c.points.Store(points)
	for _, topic := range c.desk.Expect(duties) {
		filter[topic] = max(filter[topic], 1)
	}
	if topic := c.settings.Alive.Topic; topic != "" {
		c.aliveWanted.Store(points.matches(topic) || c.desk.Expects(topic))
		filter[topic] = max(filter[topic], 1)
	}
	return filter
}

// apply makes the subscriptions those for the wanted filters. New ones come
// first, so that nothing is missed where one takes the place of another.
func (s *subscriber) apply(ctx context.Context, wanted map[string]byte) error {
	s.refused = make(map[string]string)
	var plan map[string]subscription
	for {
		refused := len(s.refused)
		plan = s.c.planner.plan(wanted, s.refused)
		if err := s.subscribe(ctx, plan); err != nil {
			return err
		}
		if len(s.refused) == refused {
			break
		}
	}
	var gone []string
	for filter := range s.c.held {
		if _, ok := plan[filter]; !ok {
			gone = append(gone, filter)
		}
	}
	slices.Sort(gone)
	for batch := range slices.Chunk(gone, batchSize) {
		if err := s.client.unsubscribe(ctx, batch); err != nil {
			return fmt.Errorf("unsubscribe: %w", err)
		}
		for _, filter := range batch {
			delete(s.c.held, filter)
			delete(s.subscribed, filter)
		}
	}
	s.c.figures.subscriptions.Store(int64(len(s.subscribed)))
	s.c.figures.refused.Store(int64(len(s.refused)))
	return nil
}

// subscribe asks for what the plan has and the broker has not yet granted.
func (s *subscriber) subscribe(ctx context.Context, plan map[string]subscription) error {
	var plain []request
	var batches [][]request
	for _, filter := range slices.Sorted(maps.Keys(plan)) {
		sub := plan[filter]
		if have, ok := s.subscribed[filter]; ok && have == sub {
			continue
		}
		// A new process knows no values, so it wants the retained messages also
		// of subscriptions that the session had already.
		r := request{filter: filter, subscription: sub, resend: !s.c.resumed || filter == s.c.settings.Alive.Topic}
		if sub.id != 0 {
			batches = append(batches, []request{r}) // an identifier is for all of a packet
		} else {
			plain = append(plain, r)
		}
		s.c.held[filter] = struct{}{}
	}
	batches = slices.AppendSeq(batches, slices.Chunk(plain, batchSize))
	if err := s.askAll(ctx, batches); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	for filter := range s.refused {
		delete(s.c.held, filter)
		delete(s.subscribed, filter)
	}
	return nil
}

// askAll sends batches, each as soon as fewer than batchesAtOnce wait for their
// answer, and waits for all answers. It never lets the line fall silent in
// between: a broker whose TCP waits for acknowledgements would answer once in 40 ms.
func (s *subscriber) askAll(ctx context.Context, batches [][]request) error {
	var next atomic.Int64
	errs := make([]error, min(batchesAtOnce, len(batches)))
	var wg sync.WaitGroup
	for w := range errs {
		wg.Go(func() {
			for i := int(next.Add(1)); i <= len(batches) && errs[w] == nil; i = int(next.Add(1)) {
				if errs[w] = s.ask(ctx, batches[i-1]); errs[w] != nil {
					next.Store(int64(len(batches))) // the others end, too
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// ask sends one batch and notes what was granted.
func (s *subscriber) ask(ctx context.Context, batch []request) error {
	codes, err := s.client.subscribe(ctx, batch)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, r := range batch {
		if codes[i] < 0x80 {
			s.subscribed[r.filter] = r.subscription
		} else {
			s.refused[r.filter] = s.client.refusal(codes[i])
		}
	}
	return nil
}

// report shows whether all subscriptions were granted.
func (s *subscriber) report() {
	if len(s.refused) == 0 {
		s.c.connected("")
		return
	}
	first := slices.Min(slices.Collect(maps.Keys(s.refused)))
	text := fmt.Sprintf("broker refuses the subscription to %s: %s", first, s.refused[first])
	if more := len(s.refused) - 1; more > 0 {
		text += fmt.Sprintf(", and %d more", more)
	}
	s.c.connected(text)
}
