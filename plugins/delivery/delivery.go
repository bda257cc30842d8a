// Package delivery is what was received: one HTTP attempt of a vendor, before it is
// decoded, and the names under which a message of the engine carries it. The
// message's bytes are the body; its metadata are everything else that the door
// knows. So a delivery passes through a buffer, through Kafka (as headers) and back,
// and gives the same events in the end.
package delivery

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Delivery is one HTTP attempt. A field is empty where nothing is known.
type Delivery struct {
	ID              string    // UUIDv7, minted where the delivery was received
	ReceivedAt      time.Time // stamped where the delivery was received
	Route           string    // path of the route as configured
	Vendor          string    // who sends, as the route or the path says
	Account         string    // a label of the configuration, see ValidAccount
	Event           string    // the native event that the route or the path declares
	ContentType     string    // the media type as sent
	ContentEncoding string    // the coding of a body that does not inflate, and is kept as sent
	Headers         []Header  // those that the route lists
	Body            []byte    // inflated, and otherwise as sent; not to be changed
}

// Header is a field of the request's header, its name in canonical form. A field
// that was sent several times has several values.
type Header struct {
	Name   string
	Values []string
}

// Metadata keys of a message that carries a delivery. Only the door sets them.
const (
	Prefix = "webhook_" // of all keys

	KeyID              = Prefix + "delivery_id"
	KeyReceivedAt      = Prefix + "received_at" // RFC 3339 with up to nine digits of the second, in UTC
	KeyRoute           = Prefix + "route"
	KeyVendor          = Prefix + "vendor"
	KeyAccount         = Prefix + "account"
	KeyEvent           = Prefix + "event"
	KeyContentType     = Prefix + "content_type"
	KeyContentEncoding = Prefix + "content_encoding"

	headerPrefix = Prefix + "header_"
)

// HeaderKey returns the metadata key of a header field: webhook_header_ and the
// name in lower case with _ for -. Several values are joined by a comma and a space.
func HeaderKey(name string) string {
	return headerPrefix + strings.ReplaceAll(strings.ToLower(name), "-", "_")
}

// FormatTime returns a time as ParseTime reads it, without loss.
func FormatTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// ParseTime reads the value of KeyReceivedAt. An empty text is the zero time.
func ParseTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if year := t.UTC().Year(); err != nil || year < 0 || year > 9999 { // in UTC, as it is written, RFC 3339 knows no other year
		return time.Time{}, fmt.Errorf("reading %s: expected a time such as 2026-07-01T15:13:12.04Z, got %.40q", KeyReceivedAt, text)
	}
	return t, nil
}

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
