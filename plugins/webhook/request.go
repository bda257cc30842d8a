package webhook

import (
	"bytes"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// maxFields is how many fields a header may have. One takes many times the memory
// of its text.
const maxFields = 100

// What is wrong with a request whose header is here. All are answered, and the
// connection closed: where two readers could take a request in two ways, someone
// may have meant them to.
var (
	errHeaderTooLarge = errors.New("reading header: expected less")
	errVersion        = errors.New("reading request: expected HTTP/1.1")
	errTransferCoding = errors.New("reading header: expected no transfer coding but chunked")
	errExpectation    = errors.New("reading header: expected no expectation but 100-continue")
	errRequest        = errors.New("reading request: expected one of HTTP/1.1")
)

// headerScan looks for the end of a header that comes piece by piece.
type headerScan struct{ at, lines int }

// end returns where the header at the start of text ends, behind its empty line,
// or 0 if the text does not hold all of it. The next text begins with this one.
func (h *headerScan) end(text []byte) (int, error) {
	for {
		size := bytes.IndexByte(text[h.at:], '\n')
		if size < 0 {
			return 0, nil
		}
		if size == 0 || text[h.at+size-1] != '\r' { // some take it for the end of a line, others do not
			return 0, errRequest
		}
		h.at += size + 1
		if size == 1 {
			return h.at, nil
		}
		if h.lines++; h.lines > 1+maxFields {
			return 0, errHeaderTooLarge
		}
	}
}

// parseRequest reads the header of a request, which ends in an empty line, by
// RFC 9112, and as strictly as that allows. Of its fields it keeps those that are
// wanted, by their canonical names. The request's Header is reused, its Body not
// set.
//
// FuzzRequest holds it to net/http.
func parseRequest(req *http.Request, text string, wanted []string) error {
	fields := req.Header
	if fields == nil {
		fields = http.Header{}
	}
	clear(fields)
	*req = http.Request{Header: fields}

	line, rest, _ := strings.Cut(text, "\r\n")
	method, line, ok1 := strings.Cut(line, " ")
	target, version, ok2 := strings.Cut(line, " ")
	if !ok1 || !ok2 || !httpguts.ValidHeaderFieldName(method) || method == http.MethodConnect { // whose target is no path
		return errRequest
	}
	var ok bool
	if req.ProtoMajor, req.ProtoMinor, ok = http.ParseHTTPVersion(version); !ok {
		return errRequest
	}
	if req.ProtoMajor != 1 {
		return errVersion
	}
	var err error
	if req.URL, err = url.ParseRequestURI(target); err != nil {
		return errRequest
	}
	req.Method, req.RequestURI, req.Proto = method, target, version
	req.Close = req.ProtoMinor == 0 // it knows of kept connections only what some have agreed on

	hosts, lengths, codings := 0, 0, 0
	for {
		if line, rest, _ = strings.Cut(rest, "\r\n"); line == "" {
			break
		}
		name, value, ok := parseField(line)
		if !ok {
			return errRequest
		}
		switch {
		case strings.EqualFold(name, "Host"):
			hosts++
			req.Host = value
		case strings.EqualFold(name, "Content-Length"):
			n, err := strconv.ParseUint(value, 10, 63)
			if err != nil || lengths > 0 && int64(n) != req.ContentLength {
				return errRequest
			}
			lengths++
			req.ContentLength = int64(n)
		case strings.EqualFold(name, "Transfer-Encoding"):
			if codings++; codings > 1 || !strings.EqualFold(value, "chunked") {
				return errTransferCoding
			}
		case strings.EqualFold(name, "Connection"):
			req.Close = req.Close || httpguts.HeaderValuesContainsToken([]string{value}, "close")
		case strings.EqualFold(name, "Expect"):
			if !strings.EqualFold(value, "100-continue") {
				return errExpectation
			}
			fields["Expect"] = append(fields["Expect"], value)
		default:
			for _, w := range wanted {
				if strings.EqualFold(name, w) {
					fields[w] = append(fields[w], value)
				}
			}
		}
	}
	switch {
	case hosts > 1 || hosts == 0 && req.ProtoMinor > 0 || !httpguts.ValidHostHeader(req.Host):
		return errRequest
	case codings > 0 && (lengths > 0 || req.ProtoMinor == 0):
		return errRequest
	case codings > 0:
		req.ContentLength = -1
	}
	return nil
}

// parseField reads a line of a header or trailer. No name begins with a space, so
// that no line goes on in the next one.
func parseField(line string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(line, ":")
	value = strings.Trim(value, " \t")
	return name, value, ok && httpguts.ValidHeaderFieldName(name) && httpguts.ValidHeaderFieldValue(value)
}
