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

// Register registers the input.
func Register() {
	uuid.EnableRandPool() // of the ids of deliveries, which are no secrets
	service.MustRegisterBatchInput("webhook", spec(), func(conf *service.ParsedConfig, mgr *service.Resources) (service.BatchInput, error) {
		return newInput(conf, mgr)
	})
}

// The metadata that a config may use beside what package delivery names. Decoders
// read the delivery itself.
const (
	metaRoute           = "webhook_route"
	metaContentEncoding = "webhook_content_encoding"
	metaDeliveryID      = "webhook_delivery_id"
	metaHeader          = "webhook_header_"
)

func newMessage(d *delivery.Delivery, r *route) *service.Message {
	msg := service.NewMessageWithContext(delivery.NewContext(context.Background(), d), d.Body)
	for _, m := range r.metadata {
		msg.MetaSetMut(m.key, m.value)
	}
	set := func(key, value string) {
		if value != "" {
			msg.MetaSetMut(key, value)
		}
	}
	if r.vendor == "" {
		set(delivery.MetaVendor, d.Vendor)
	}
	if r.event == "" {
		set(delivery.MetaEvent, d.Event)
	}
	set(delivery.MetaContentType, d.ContentType)
	set(metaContentEncoding, d.ContentEncoding)
	set(metaDeliveryID, d.ID)
	for _, h := range d.Headers {
		set(metaHeader+strings.ReplaceAll(strings.ToLower(h.Name), "-", "_"), h.Value)
	}
	return msg
}

// metadata is some that all messages of a route have.
type metadata struct {
	key   string
	value any // a string, which is not allocated again for each message
}

func (r *route) setMetadata() {
	for _, m := range []metadata{{metaRoute, r.path}, {delivery.MetaVendor, r.vendor}, {delivery.MetaAccount, r.account}, {delivery.MetaEvent, r.event}} {
		if m.value != "" {
			r.metadata = append(r.metadata, m)
		}
	}
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
	once    struct{ unread, closed sync.Once }
}

func newInput(conf *service.ParsedConfig, mgr *service.Resources) (*input, error) {
	c, err := newConfig(conf, os.LookupEnv, mgr.Logger())
	if err != nil {
		return nil, err
	}
	in := &input{log: mgr.Logger(), door: newDoor(c, newObserver(mgr, c.accessLog))}
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
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", in.door.address)
	if err != nil {
		return err
	}
	in.server, in.address, in.failed = newServer(in.door, l, in.certificates, in.log), l.Addr(), make(chan struct{})
	in.log.With("address", in.address.String()).Info("Receiving webhooks")
	in.stopped.Add(2)
	go in.serve(in.server, in.failed)
	go in.watch(in.failed)
	doors.Store(in.door, struct{}{})
	return nil
}

func (in *input) serve(s *server, failed chan struct{}) {
	defer in.stopped.Done()
	defer close(failed)
	if err := s.serve(); err != nil {
		in.log.With("error", err.Error()).Error("Receiving no more webhooks")
		s.close()
		in.mu.Lock()
		in.server = nil
		in.mu.Unlock()
	}
}

// watch flushes what is observed, until the server ends.
func (in *input) watch(failed chan struct{}) {
	defer in.stopped.Done()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			in.door.observe.flush(in.door, now)
		case <-failed:
			return
		}
	}
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
			if t.take() {
				return t.message, t.settle, nil
			}
		case <-failed:
			return nil, nil, service.ErrNotConnected
		case <-ctx.Done():
			in.once.unread.Do(func() { close(in.door.unread) })
			return nil, nil, ctx.Err()
		}
	}
}

// lastWords is how long the senders that still wait have to read their answer once
// the input is closed.
const lastWords = 2 * time.Second

// Close implements service.BatchInput. Who still waits is told to send again: no
// verdict comes any more.
func (in *input) Close(ctx context.Context) error {
	in.door.draining.Store(true)
	doors.Delete(in.door)
	in.once.unread.Do(func() { close(in.door.unread) })
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

// doors are those that are open.
var doors sync.Map // *door

// Drain makes every door answer new requests 503, and close their connections. It
// is for when the process is told to stop: the engine tells no input of it whose
// output hangs.
func Drain() {
	doors.Range(func(d, _ any) bool {
		d.(*door).draining.Store(true)
		return true
	})
}
