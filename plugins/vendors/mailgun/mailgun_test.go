package mailgun_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/signing"
	"github.com/hookswitch/hookswitch/plugins/vendors"

	_ "github.com/hookswitch/hookswitch/plugins/vendors/mailgun"
)

// TestPublishedSignature verifies the signature in the tests of the vendor's own library for
// PHP, mailgun/mailgun-php.
func TestPublishedSignature(t *testing.T) {
	const (
		key       = "key-3ax6xnjp29jd6fds4gc373sgvjxteol0"
		token     = "5egbgr1vjgqxtrnp65xfznchgdccwh5d6i09vijqi3whgowmn6"
		other     = "owyldpe6nxhmrn78epljl6bj0orrki1u3d2v5e6cnlmmuox8jr"
		signature = "9cfc5c41582e51246e73c88d34db3af0a3a2692a76fbab81492842f000256d33"
	)
	signedAt := time.Unix(1403645220, 0)
	v, ok := vendors.Get("mailgun")
	require.True(t, ok)
	verifier, err := v.Signing.Verifier([]string{"another", key})
	require.NoError(t, err)
	json := func(timestamp, token string) *signing.Request {
		return &signing.Request{
			Header: http.Header{"Content-Type": {"application/json"}},
			Body: []byte(`{"signature":{"timestamp":"` + timestamp + `","token":"` + token + `","signature":"` + signature + `"},` +
				`"event-data":{"event":"opened"}}`),
			Now: signedAt,
		}
	}
	form := func(token string) *signing.Request {
		return &signing.Request{
			Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
			Body:   []byte("event=opened&timestamp=1403645220&token=" + token + "&signature=" + signature),
			Now:    signedAt,
		}
	}
	require.Equal(t, 2, verifier.Verify(json("1403645220", token)))
	require.Zero(t, verifier.Verify(json("1403645220", other)))
	require.Zero(t, verifier.Verify(json("1403645221", token)))
	require.Equal(t, 2, verifier.Verify(form(token)))
	require.Zero(t, verifier.Verify(form(other)))

	again := json("1403645220", token)
	again.Now = signedAt.Add(8*time.Hour + 5*time.Minute) // the last time that the vendor sends
	require.Equal(t, 2, verifier.Verify(again))
	again.Now = signedAt.Add(12*time.Hour + time.Second)
	require.Zero(t, verifier.Verify(again))
}
