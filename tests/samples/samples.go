// Package samples reads the samples in the vendors' testdata:
// <vendor>/testdata/<declared native event>/<case>.<ending>, packed where the
// ending goes on with .gz.
package samples

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/vendors"
)

// contentTypes are what a sample's ending says of it.
var contentTypes = map[string]string{
	".json":      "application/json",
	".form":      "application/x-www-form-urlencoded",
	".multipart": "multipart/form-data; boundary=", // the boundary follows, from the body's first line
	".body":      "",                               // a sender that says nothing
}

// Sample is a recorded body, and what its path says of it.
type Sample struct {
	Path, Vendor, Event, ContentType string
	Body                             []byte
}

// At returns the sample of a file.
func At(t testing.TB, path string) Sample {
	t.Helper()
	contentType, ok := contentTypes[filepath.Ext(strings.TrimSuffix(path, ".gz"))]
	require.True(t, ok, "%s: a sample ends in .json, .form, .multipart or .body, .gz behind it if it is packed", path)
	folder := filepath.Dir(path)
	s := Sample{
		Path:        path,
		Vendor:      filepath.Base(filepath.Dir(filepath.Dir(folder))),
		Event:       filepath.Base(folder),
		ContentType: contentType,
	}
	if s.Event == vendors.Undeclared {
		s.Event = ""
	}
	var err error
	s.Body, err = os.ReadFile(path)
	require.NoError(t, err)
	if strings.HasSuffix(path, ".gz") {
		r, err := gzip.NewReader(bytes.NewReader(s.Body))
		require.NoError(t, err)
		s.Body, err = io.ReadAll(r)
		require.NoError(t, err)
	}
	if strings.HasPrefix(contentType, "multipart/") {
		boundary, _, _ := bytes.Cut(s.Body, []byte("\r\n"))
		s.ContentType += strings.TrimPrefix(string(boundary), "--")
	}
	return s
}
