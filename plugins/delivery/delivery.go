// Package delivery is what was received: one HTTP attempt of a vendor, before it
// is decoded.
package delivery

import (
	"context"
	"regexp"
	"time"
)

// Delivery is one HTTP attempt. What can be told of it without the text of a
// sender is the route, the vendor, the account and the secret.
type Delivery struct {
	ID              string    // minted once where the delivery was received; "" where nothing minted one
	ReceivedAt      time.Time // stamped once where the delivery was received; zero where nothing stamped it
	Route           string    // the path of the route as configured; "" where nothing routed it
	Secret          int       // which of the route's secrets verified it, counted from 1; 0 if none did
	RemoteAddr      string    // IP address of the peer; "" if unknown
	Vendor          string    // who sends, as the route says; "" for one without a decoder
	Account         string    // a label from the configuration, see ValidAccount; "" for none
	Event           string    // the native event that the route or configuration declares; "" for none
	Headers         []Header  // those that the route lets through
	ContentType     string    // the media type as sent; "" if unknown
	ContentEncoding string    // of a body that does not inflate, which is kept as sent; else ""
	Body            []byte    // inflated, and otherwise as sent; not to be changed
}

// Header is a header of the request, its name in canonical form.
type Header struct{ Name, Value string }

// AccountLabel is what ValidAccount takes, in words; AccountPattern is the pattern
// of a field that may also be empty.
const (
	AccountLabel   = "1 to 64 of a to z, 0 to 9 and -"
	AccountPattern = `^[a-z0-9-]{0,64}$`
)

var account = regexp.MustCompile(AccountPattern)

// ValidAccount reports whether a label may tell two accounts of one vendor apart.
// It stands in the source of events, which tells occurrences apart, so it must
// not be text that a sender chooses.
func ValidAccount(label string) bool { return label != "" && account.MatchString(label) }

// The metadata of a delivery's message: what the door sets for configs, and what
// the decoders read of a message that no door has made.
const (
	MetaVendor      = "webhook_vendor"
	MetaEvent       = "webhook_event"
	MetaAccount     = "webhook_account"
	MetaContentType = "webhook_content_type"
)

type contextKey struct{}

// NewContext returns a context that carries the delivery: the way it travels
// through the engine, out of reach of anything that a request holds.
func NewContext(ctx context.Context, d *Delivery) context.Context {
	return context.WithValue(ctx, contextKey{}, d)
}

// FromContext returns the delivery that a context carries.
func FromContext(ctx context.Context) (*Delivery, bool) {
	d, ok := ctx.Value(contextKey{}).(*Delivery)
	return d, ok
}
