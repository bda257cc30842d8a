package payload

import (
	"mime"
	"strings"
)

const (
	urlencodedType = "application/x-www-form-urlencoded"
	multipartType  = "multipart/form-data"
)

// ParseBody reads the body of a delivery, which has a content type: a form as a JSON object,
// any other body as [Parse] does. A form is known by the content type and by the first bytes
// of the body. A body that begins like a JSON object, array or string is no form, whatever
// the content type says, unless the body is like [a]=1.
//
// In the object of a form the members stand in the order sent. A value is a string. The
// value of a repeated name is an array, that of a[]=c an array too, that of a[b]=c an object.
// A name that has both values and names within (a=1&a[b]=2) gives an array of the values with
// the object behind them, so that nothing is lost. A file of a multipart/form-data body is an
// object of three strings: its name as sent, its content type as sent, and its bytes in base64,
//
//	{"filename":"a.txt","content_type":"text/plain","base64":"aGVsbG8="}
//
// The text of a form is UTF-8, or of the charset that the content type names. In a
// multipart/form-data body the value of a part that names its own charset is of that charset.
// The object is mended as [Parse] mends a document.
//
// ParseBody refuses a form with a broken percent encoding, a part that is not whole, a
// charset that the Encoding Standard of WHATWG does not have, text that is not of its
// charset, no field, names that are nested deeper than [MaxDepth], or more than
// [MaxFormParts] names and values. The time and the memory that a form takes grow with the
// body alone: at most 80 bytes for each byte of the body, those included that are garbage at
// the end.
func ParseBody(body, contentType string) (Value, error) {
	if mediaType, params, ok := FormOf(body, contentType); ok {
		return parseForm(body, mediaType, params)
	}
	return Parse(body)
}

// FormOf reports whether [ParseBody] reads a body as a form, and returns the media type and
// the parameters of the content type, "" and none where the content type cannot be read. A
// form whose media type is not multipart/form-data is URL-encoded.
func FormOf(body, contentType string) (mediaType string, params map[string]string, ok bool) {
	if strings.HasPrefix(body, "{") {
		return "", nil, false // as almost all bodies begin
	}
	mediaType, params, _ = mime.ParseMediaType(contentType) // which gives no parameters where it cannot read them
	return mediaType, params, isForm(body, mediaType)
}

// isForm reports whether a body is a form.
func isForm(body, mediaType string) bool {
	body = strings.TrimLeft(strings.TrimPrefix(body, byteOrderMark), " \t\r\n")
	if strings.HasPrefix(body, "{") {
		return false
	}
	name, _, found := strings.Cut(body, "=")
	switch {
	case mediaType == multipartType:
		return true
	case strings.HasSuffix(mediaType, "json"):
		return false
	case mediaType != urlencodedType:
		return found && !strings.ContainsAny(name, " \t\r\n\"<>[]{}:")
	case body != "" && (body[0] == '[' || body[0] == '"'):
		return found && !strings.ContainsRune(name, '"')
	}
	return true
}
