package services

import (
	"crypto/rand"
	"encoding/hex"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"
)

const (
	region   = "us-east-1"
	versity  = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"
	password = "hookswitch-test"
)

// S3 is a server of objects.
type S3 struct {
	URL string
	Env []string // what the shipped configs need to reach it

	client  *s3.Client
	process *process
}

// StartS3 returns the server that HOOKSWITCH_TEST_S3 names, else one that all tests
// of the package share.
func StartS3(t testing.TB) *S3 {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.s3 == nil {
		if url := os.Getenv("HOOKSWITCH_TEST_S3"); url != "" {
			shared.s3 = newS3(url, os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"))
		} else {
			s := newServer(t, filepath.Join(scratch, "s3"))
			atEnd = append(atEnd, s.process.stop)
			shared.s3 = s
		}
	}
	return shared.s3
}

// NewS3 starts a server of the test's own, that it may stop.
func NewS3(t testing.TB) *S3 {
	t.Helper()
	s := newServer(t, t.TempDir())
	t.Cleanup(s.process.stop)
	return s
}

// Stop stops the server.
func (s *S3) Stop() { s.process.stop() }

func newServer(t testing.TB, dir string) *S3 {
	t.Helper()
	path, err := cache("versitygw-1.8.0", func(path string) error {
		say("compiling an S3 server")
		return command([]string{"GOBIN=" + path}, "go", "install", versity)
	})
	if err != nil {
		Missing(t, "an S3 server has to be compiled", err)
	}
	data, sidecar := filepath.Join(dir, "data"), filepath.Join(dir, "attributes")
	require.NoError(t, os.MkdirAll(data, 0o755))
	require.NoError(t, os.MkdirAll(sidecar, 0o755))
	address := FreeAddress(t)
	say("starting an S3 server at %s", address)
	cmd := exec.Command(filepath.Join(path, "versitygw"), "--quiet", "--access", password, "--secret", password, "--region", region,
		"--port", address, "posix", "--sidecar", sidecar, data)
	log := filepath.Join(dir, "log")
	p, err := start(cmd, log, log)
	require.NoError(t, err)
	if err := p.await(address); err != nil {
		p.stop()
		require.NoError(t, err, tailOf(log))
	}
	s := newS3("http://"+address, password, password)
	s.process = p
	return s
}

func newS3(url, id, secret string) *S3 {
	return &S3{
		URL: url,
		Env: []string{
			"AWS_ACCESS_KEY_ID=" + id, "AWS_SECRET_ACCESS_KEY=" + secret,
			"HOOKSWITCH_S3_ENDPOINT=" + url, "HOOKSWITCH_S3_PATH_STYLE=true", "HOOKSWITCH_S3_REGION=" + region,
		},
		client: s3.New(s3.Options{
			Region: region, BaseEndpoint: &url, UsePathStyle: true,
			Credentials: credentials.NewStaticCredentialsProvider(id, secret, ""),
		}),
	}
}

// Bucket makes a bucket and returns its name.
func (s *S3) Bucket(t testing.TB) string {
	t.Helper()
	suffix := make([]byte, 4)
	_, _ = rand.Read(suffix)
	name := "hookswitch-test-" + hex.EncodeToString(suffix)
	_, err := s.client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name})
	require.NoError(t, err)
	return name
}

// Object is an object of a bucket.
type Object struct {
	Key         string
	ContentType string
	Metadata    map[string]string // that its writer has set
	Body        []byte
}

// Objects returns all that a bucket holds, by key.
func (s *S3) Objects(t testing.TB, bucket string) []Object {
	t.Helper()
	var objects []Object
	pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{Bucket: &bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		require.NoError(t, err)
		for _, listed := range page.Contents {
			key := aws.ToString(listed.Key)
			if strings.HasSuffix(key, "/") {
				continue
			}
			got, err := s.client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
			require.NoError(t, err)
			body, err := io.ReadAll(got.Body)
			require.NoError(t, err)
			require.NoError(t, got.Body.Close())
			objects = append(objects, Object{key, aws.ToString(got.ContentType), got.Metadata, body})
		}
	}
	sort.Slice(objects, func(i, j int) bool { return objects[i].Key < objects[j].Key })
	return objects
}

// WriteObjects writes objects as files below a folder, at the paths that are their keys.
func WriteObjects(t testing.TB, dir string, objects []Object) {
	t.Helper()
	for _, o := range objects {
		path := filepath.Join(dir, filepath.FromSlash(o.Key))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, o.Body, 0o600))
	}
}
