// Package webhook is the door: an input that takes webhooks in over HTTP, knows
// who sent them, bounds what strangers can take, and answers when the pipeline is
// done with a delivery.
package webhook

import (
	"context"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/hookswitch/hookswitch/plugins/delivery"
)

// Register registers the input. beyond says why what is behind the doors of this
// process takes no deliveries, or nil: then no door is ready.
func Register(beyond func() error) {
	uuid.EnableRandPool() // of the ids of deliveries, which are no secrets
	service.MustRegisterBatchInput("webhook", spec(), func(conf *service.ParsedConfig, mgr *service.Resources) (service.BatchInput, error) {
		return newInput(conf, mgr, beyond)
	})
}

// newMessage returns the message that carries a delivery: the body, and what the
// door knows of the delivery as metadata.
func newMessage(d *delivery.Delivery) *service.Message {
	msg := service.NewMessage(d.Body)
	set := func(key, value string) {
		if value != "" {
			msg.MetaSetMut(key, value)
		}
	}
	set(delivery.KeyID, d.ID)
	set(delivery.KeyReceivedAt, delivery.FormatTime(d.ReceivedAt))
	set(delivery.KeyRoute, d.Route)
	set(delivery.KeyVendor, d.Vendor)
	set(delivery.KeyAccount, d.Account)
	set(delivery.KeyEvent, d.Event)
	set(delivery.KeyContentType, d.ContentType)
	set(delivery.KeyContentEncoding, d.ContentEncoding)
	for _, h := range d.Headers {
		set(delivery.HeaderKey(h.Name), strings.Join(h.Values, ", "))
	}
	return msg
}

// input is the door as the engine sees it.
type input struct {
	door         *door
	log          *service.Logger
	certificates *certificates // nil for plain HTTP

	mu      sync.Mutex
	server  *server       // nil while it does not listen
	address net.Addr      // where it listens
	failed  chan struct{} // closed when the server has failed
	stopped sync.WaitGroup
	once    struct{ unread, closed, watch sync.Once }
}

func newInput(conf *service.ParsedConfig, mgr *service.Resources, beyond func() error) (*input, error) {
	c, err := newConfig(conf, os.LookupEnv, mgr.Logger())
	if err != nil {
		return nil, err
	}
	in := &input{log: mgr.Logger(), door: newDoor(c, newObserver(mgr, c.accessLog), beyond)}
	if c.tls.cert != "" {
		if in.certificates, err = newCertificates(c.tls, in.log); err != nil {
			return nil, err
		}
	}
	return in, nil
}

// Connect implements service.BatchInput: it listens.
func (in *input) Connect(ctx context.Context) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.server != nil {
		return nil
	}
	var plain net.ListenConfig
	plain.SetMultipathTCP(false) // no vendor speaks it, and refuseNew does not work with it
	l, err := plain.Listen(ctx, "tcp", in.door.address)
	if err != nil {
		return err
	}
	in.server, in.address, in.failed = newServer(in.door, l, in.certificates, in.log), l.Addr(), make(chan struct{})
	in.log.With("address", in.address.String()).Info("Receiving webhooks")
	in.stopped.Add(1)
	go in.serve(in.server, in.failed)
	go in.watch()
	doors.Store(in, struct{}{})
	return nil
}

// serve serves until the listener is stopped. If it fails, the engine connects anew.
func (in *input) serve(s *server, failed chan struct{}) {
	defer in.stopped.Done()
	if err := s.serve(); err != nil {
		in.log.With("error", err.Error()).Error("Receiving no more webhooks")
		_ = s.http.Close()
		in.mu.Lock()
		in.server = nil
		in.mu.Unlock()
		close(failed)
	}
}

// watch flushes what is observed, until the input is closed.
func (in *input) watch() {
	in.once.watch.Do(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case now := <-tick.C:
				in.door.observe.flush(in.door, now)
			case <-in.door.closed:
				return
			}
		}
	})
}

// ReadBatch implements service.BatchInput: one delivery, and how to settle it. Its
// context ends when the engine reads no more.
func (in *input) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	in.mu.Lock()
	failed := in.failed
	in.mu.Unlock()
	for {
		select {
		case t := <-in.door.pending:
			if t.begin() {
				return t.message, t.settle, nil
			}
		case <-failed:
			return nil, nil, service.ErrNotConnected
		case <-ctx.Done():
			in.readNoMore()
			return nil, nil, ctx.Err()
		}
	}
}

// leave prepares the end, which comes when the delay is over: load balancers are
// told, answers end their connections, deliveries are still taken. Near the end the
// listener is closed, so that what has arrived by then is finished when the engine
// reads no more.
func (in *input) leave(delay time.Duration) {
	in.door.leaving.Store(true)
	time.AfterFunc(delay-min(delay/4, time.Second), func() {
		in.mu.Lock()
		server := in.server
		in.mu.Unlock()
		if server != nil {
			server.stop(context.Background())
		}
	})
	// The engine does not tell an input whose output hangs.
	time.AfterFunc(delay, in.readNoMore)
}

// readNoMore gives up what the pipeline has not begun with.
func (in *input) readNoMore() {
	in.once.unread.Do(func() {
		in.door.leaving.Store(true)
		close(in.door.unread)
		in.door.memory.giveUpAll(errDraining)
	})
}

// lastWords is how long the senders that still wait have to read their answer once
// the input is closed.
const lastWords = 2 * time.Second

// Close implements service.BatchInput. Who still waits is told to send again: no
// verdict comes any more.
func (in *input) Close(ctx context.Context) error {
	doors.Delete(in)
	in.readNoMore()
	in.once.closed.Do(func() { close(in.door.closed) })
	in.mu.Lock()
	server := in.server
	in.mu.Unlock()
	if server == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lastWords)
	defer cancel()
	server.shutdown(ctx)
	in.stopped.Wait()
	in.door.observe.flush(in.door, time.Now().Add(warnEvery))
	return nil
}

// doors are the inputs that listen.
var doors sync.Map // *input

// Leave tells every door that the process was told to stop, and that the engine
// stops its inputs when the delay is over.
func Leave(delay time.Duration) {
	doors.Range(func(in, _ any) bool {
		in.(*input).leave(delay)
		return true
	})
}
