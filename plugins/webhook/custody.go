package webhook

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// transaction is a delivery on its way through the pipeline. It owns the memory of
// the delivery until the pipeline has settled it or can no longer begin with it.
type transaction struct {
	message service.MessageBatch
	memory  *reservation
	route   *route
	state   atomic.Int32
	outcome chan outcome // what the sender is told, unless the process stops first
}

// A transaction waits until the pipeline begins with it or the sender's patience
// ends. Once begun, it ends by the verdict of the pipeline or the end of patience.
const (
	waiting int32 = iota
	withdrawn
	begun
	settled
	answered
)

// begin reports whether the pipeline may begin with the transaction.
func (t *transaction) begin() bool { return t.state.CompareAndSwap(waiting, begun) }

// withdraw reports whether the pipeline has not begun with the transaction, and
// never will.
func (t *transaction) withdraw() bool {
	if !t.state.CompareAndSwap(waiting, withdrawn) {
		return false
	}
	t.message = nil // the transaction may stand in the queue for a while
	t.memory.close()
	return true
}

// abandon reports whether the pipeline has begun with the transaction and not said
// its verdict, which then comes too late for the sender.
func (t *transaction) abandon() bool { return t.state.CompareAndSwap(begun, answered) }

// settle hears the verdict of the pipeline: it is the engine's AckFunc.
func (t *transaction) settle(_ context.Context, err error) error {
	t.memory.close()
	verdict := accepted
	if err != nil {
		verdict = refused
	}
	if t.state.CompareAndSwap(begun, settled) {
		t.outcome <- verdict
	} else {
		t.route.lates[verdict].Add(1)
	}
	return nil
}

// losePatience ends the wait of the sender.
func (t *transaction) losePatience() {
	switch {
	case t.withdraw():
		t.outcome <- untaken
	case t.abandon():
		t.outcome <- timeout
	}
}

// custody is where deliveries pass from the door to the engine.
type custody struct {
	pending chan *transaction
	unread  chan struct{} // closed when nobody reads pending any more
	closed  chan struct{} // closed when no verdict comes any more
}

func newCustody() custody {
	return custody{
		pending: make(chan *transaction, 1024),
		unread:  make(chan struct{}),
		closed:  make(chan struct{}),
	}
}

// hand gives a transaction to the pipeline and waits for its verdict, at most for
// the patience of the sender. A sender that leaves meanwhile changes nothing: what
// has arrived whole is delivered, since most vendors do not send a delivery again
// that they gave up themselves.
//
// A select costs more than all else here, so there is one on the usual way, of two
// channels.
func (c *custody) hand(t *transaction, patience time.Duration) outcome {
	timer := time.AfterFunc(patience, t.losePatience)
	defer timer.Stop()
	select {
	case c.pending <- t:
	default:
		select {
		case c.pending <- t:
		case o := <-t.outcome:
			return o
		case <-c.unread:
		}
	}
	select {
	case o := <-t.outcome:
		return o
	case <-c.unread:
	}
	if t.withdraw() {
		return draining
	}
	// The pipeline has begun, and its verdict comes unless the output hangs.
	select {
	case o := <-t.outcome:
		return o
	case <-c.closed:
	}
	if t.abandon() {
		return draining
	}
	return <-t.outcome // the verdict came just now
}
