package webhook

import "net/http"

// outcome is what became of a request.
type outcome uint8

const (
	accepted      outcome = iota // the pipeline acknowledged
	refused                      // the pipeline did not acknowledge
	timeout                      // the pipeline took too long, and still has the delivery
	untaken                      // the pipeline took too long to begin: the delivery was withdrawn
	draining                     // the process stops
	noMemory                     // too many bytes are in flight
	noConnection                 // given up for another connection while its body was on the way
	unverified                   // by no live secret
	webPage                      // sent by a web page to a route that verifies nobody
	notFound                     // no route has the path
	badMethod                    // not POST
	tooLarge                     // as sent or inflated
	badCoding                    // an unknown Content-Encoding
	longTarget                   // path and query
	tooManyFields                // of the header
	incomplete                   // not all of the request came in time, or at the least rate
	broken                       // the body ended early, or was framed wrongly
	panicked                     // the door has a fault
	challenged                   // no delivery, but a vendor that has asked whether the URL is ours
	unreadable                   // net/http refused the request before the door saw it
	handshake                    // the handshake of TLS failed: there was no request
	outcomes                     // how many there are
)

// answers are what senders are told, and how metrics and logs call an outcome. The
// status is 0 where net/http answers, or nobody does.
var answers = [outcomes]struct {
	label  string
	status int
	text   string
}{
	accepted:      {"accepted", http.StatusOK, ""},
	refused:       {"refused", http.StatusServiceUnavailable, "not delivered, send it again"},
	timeout:       {"timeout", http.StatusServiceUnavailable, "not delivered in time, send it again"},
	untaken:       {"not_taken", http.StatusServiceUnavailable, "not delivered in time, send it again"},
	draining:      {"draining", http.StatusServiceUnavailable, "stopping, send it again"},
	noMemory:      {"no_memory", http.StatusServiceUnavailable, "busy, send it again"},
	noConnection:  {"no_connection", http.StatusServiceUnavailable, "busy, send it again"},
	unverified:    {"unverified", http.StatusUnauthorized, "not verified"},
	webPage:       {"web_page", http.StatusForbidden, "expected no web page"},
	notFound:      {"not_found", http.StatusNotFound, "no such path"},
	badMethod:     {"method", http.StatusMethodNotAllowed, "expected POST"},
	tooLarge:      {"too_large", http.StatusRequestEntityTooLarge, "too large"},
	badCoding:     {"coding", http.StatusUnsupportedMediaType, "expected gzip, deflate or no coding"},
	longTarget:    {"target", http.StatusRequestURITooLong, "path and query too long"},
	tooManyFields: {"fields", http.StatusRequestHeaderFieldsTooLarge, "too many header fields"},
	incomplete:    {"incomplete", http.StatusServiceUnavailable, "not complete in time, send it again"},
	broken:        {"broken", http.StatusBadRequest, "not complete"},
	panicked:      {"panic", http.StatusInternalServerError, "failed, send it again"},
	challenged:    {"challenged", http.StatusOK, ""},
	unreadable:    {"unreadable", 0, ""},
	handshake:     {"handshake", 0, ""},
}
