package payload

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"strings"
)

// maxBoundary is how long the boundary of a multipart body may be, by RFC 2046.
const maxBoundary = 70

// readMultipart reads the fields of a multipart/form-data body. Its errors quote none of the
// library's errors, because these quote lines of the body.
func (f *form) readMultipart(body, boundary string, charset charset) error {
	if boundary == "" || len(boundary) > maxBoundary {
		return fmt.Errorf("expected a content type with a boundary of 1 to %d bytes", maxBoundary)
	}
	// The last boundary may lack its line end. A body that ends early must not look whole:
	// the library returns io.EOF, too, where the body ends within the header of a part.
	lineEnd := "\n"
	if firstLine, _, _ := strings.Cut(body, "\n"); strings.HasSuffix(firstLine, "\r") {
		lineEnd = "\r\n"
	}
	parts := multipart.NewReader(io.MultiReader(strings.NewReader(body), strings.NewReader(lineEnd), early{}), boundary)
	var content bytes.Buffer
	for n := 1; ; n++ {
		part, err := parts.NextPart() // which decodes quoted-printable
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("expected part %d to be whole, or the last boundary in its place", n)
		}
		name, v, err := readPart(part, &content, charset)
		if err != nil {
			return fmt.Errorf("part %d: %w", n, err)
		}
		if err := f.add(name, v); err != nil {
			return err
		}
	}
}

// early is behind the end of a body.
type early struct{}

func (early) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// readPart reads the field of a part. The buffer is for the part's content.
func readPart(part *multipart.Part, content *bytes.Buffer, charset charset) (name string, v value, err error) {
	disposition, params, _ := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	name, named := params["name"]
	if disposition != "form-data" || !named {
		return "", value{}, errors.New("expected a Content-Disposition of form-data with a name")
	}
	if name, err = charset.decode(name, name); err != nil {
		return "", value{}, err
	}
	var from io.Reader = part
	switch coding := strings.ToLower(strings.TrimSpace(part.Header.Get("Content-Transfer-Encoding"))); coding {
	case "", "7bit", "8bit", "binary": // NextPart takes quoted-printable away
	case "base64":
		from = base64.NewDecoder(base64.StdEncoding, part)
	default:
		return "", value{}, fmt.Errorf("expected a Content-Transfer-Encoding that RFC 2045 has, got %.64q", coding)
	}
	content.Reset()
	if _, err := content.ReadFrom(from); err != nil {
		return "", value{}, errors.New("expected its content to be whole, and encoded as its Content-Transfer-Encoding says")
	}
	contentType := part.Header.Get("Content-Type")
	if fileName, isFile := params["filename"]; isFile {
		if fileName, err = charset.decode(fileName, name); err == nil {
			contentType, err = charset.decode(contentType, name)
		}
		return name, value{file(fileName, contentType, content.Bytes()), true}, err
	}
	if _, ofType, _ := mime.ParseMediaType(contentType); ofType["charset"] != "" {
		if charset, err = charsetOf(ofType["charset"]); err != nil {
			return "", value{}, err
		}
	}
	text, err := charset.decode(content.String(), name)
	return name, value{text: text}, err
}

// file returns the JSON of a file.
func file(name, contentType string, content []byte) string {
	size := base64.StdEncoding.EncodedLen(len(content))
	b := make([]byte, 0, size+len(name)+len(contentType)+len(`{"filename":"","content_type":"","base64":""}`))
	b = AppendString(append(b, `{"filename":`...), name)
	b = AppendString(append(b, `,"content_type":`...), contentType)
	b = base64.StdEncoding.AppendEncode(append(b, `,"base64":"`...), content)
	return string(append(b, `"}`...))
}
