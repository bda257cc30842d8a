package webhook

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// pythonClient posts a file to each URL and prints the answers: with http.client over
// one connection, as long as the server keeps the connection open, and with urllib over
// a connection each.
const pythonClient = `
import http.client, ssl, sys, urllib.error, urllib.request
authority, file, urls = sys.argv[1], sys.argv[2], sys.argv[3:]
body = open(file, "rb").read()
context = ssl.create_default_context(cafile=authority)
host = urls[0].split("/")[2]
plain = urls[0].startswith("http:")
connection = http.client.HTTPConnection(host) if plain else http.client.HTTPSConnection(host, context=context)
for url in urls:
    connection.request("POST", "/" + url.split("/", 3)[3], body)
    response = connection.getresponse()
    print(response.status, response.read().decode().strip())
for url in urls:
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": "application/json"}), context=None if plain else context)
    except urllib.error.HTTPError as refusal:
        response = refusal
    print(response.status, response.read().decode().strip())
`

// Clients of several languages read a refusal that comes before the body is read,
// even those that write all of the body first, and go on to the next delivery.
func TestClientsReadRefusals(t *testing.T) {
	authority := newAuthority(t)
	files := authority.files(t)
	dir := t.TempDir()
	body := filepath.Join(dir, "body")
	require.NoError(t, os.WriteFile(body, []byte(strings.Repeat("x", 2<<20)), 0o600))
	script := filepath.Join(dir, "client.py")
	require.NoError(t, os.WriteFile(script, []byte(pythonClient), 0o600))

	paths := []string{"/any/callrail", "/movement/wrong", "/any/callrail", "/nowhere", "/any/callrail"}
	heard := "200 \n401 not verified\n200 \n404 no such path\n200 \n"
	curl := func(options ...string) func(t *testing.T, urls []string) *exec.Cmd {
		return func(t *testing.T, urls []string) *exec.Cmd {
			var args []string
			for i, url := range urls {
				if i > 0 {
					args = append(args, "--next")
				}
				args = append(args, "--silent", "--show-error", "--cacert", files.authority, "--header", "Expect:", "--data-binary", "@"+body,
					"--write-out", "%{http_code} %{http_version}\n", "--output", os.DevNull, url)
				args = append(args, options...)
			}
			return exec.CommandContext(t.Context(), tool(t, "curl"), args...)
		}
	}
	python := func(t *testing.T, urls []string) *exec.Cmd {
		return exec.CommandContext(t.Context(), tool(t, "python3"), append([]string{script, files.authority, body}, urls...)...)
	}
	for _, test := range []struct {
		name, scheme string
		command      func(*testing.T, []string) *exec.Cmd
		heard        string
	}{
		{"curl", "http", curl("--http1.1"), "200 1.1\n401 1.1\n200 1.1\n404 1.1\n200 1.1\n"},
		{"curl over TLS", "https", curl("--http1.1"), "200 1.1\n401 1.1\n200 1.1\n404 1.1\n200 1.1\n"},
		{"curl over HTTP2", "https", curl("--http2"), "200 2\n401 2\n200 2\n404 2\n200 2\n"},
		{"Python", "http", python, heard + heard},
		{"Python over TLS", "https", python, heard + heard},
	} {
		t.Run(test.name, func(t *testing.T) {
			tls := ""
			if test.scheme == "https" {
				tls = files.yaml
			}
			s := newStand(t, limited("body: 4MiB", tls), acks)
			var urls []string
			for _, path := range paths {
				urls = append(urls, test.scheme+"://"+s.address.String()+path)
			}
			cmd := test.command(t, urls)
			complaints := &strings.Builder{} // curl 7.88 may lose the text of a refusal over HTTP/2, and says so
			cmd.Stderr = complaints
			out, err := cmd.Output()
			require.NoError(t, err, complaints)
			require.Equal(t, test.heard, string(out), complaints)
		})
	}
}
