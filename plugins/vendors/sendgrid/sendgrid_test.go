package sendgrid

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/signing"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

// TestPublishedSignature verifies the delivery, and refuses the key, that the vendor's own
// libraries are tested with: test/unit/test_eventwebhook.py of sendgrid/sendgrid-python.
func TestPublishedSignature(t *testing.T) {
	const (
		key      = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g=="
		otherKey = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqTxd43gyp8IOEto2LdIfjRQrIbsd4SXZkLW6jDutdhXSJCWHw8REntlo7aNDthvj+y7GjUuFDb/R1NGe1OPzpA=="
		body     = `[{"email":"hello@world.com","event":"dropped","reason":"Bounced Address",` +
			`"sg_event_id":"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA",` +
			`"sg_message_id":"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0",` +
			`"smtp-id":"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>","timestamp":1600112492}]` + "\r\n"
		signature      = "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM="
		otherSignature = "MEUCIQCtIHJeH93Y+qpYeWrySphQgpNGNr/U+UyUlBkU6n7RAwIgJTz2C+8a8xonZGi6BpSzoQsbVRamr2nlxFDWYNH3j/0="
		timestamp      = "1600112502"
	)
	sent := time.Unix(1600112502, 0)
	v, ok := vendors.Get("sendgrid")
	require.True(t, ok)
	verify := func(secret, body, signature, timestamp string, now time.Time) int {
		verifier, err := v.Signing.Verifier([]string{secret})
		require.NoError(t, err)
		header := http.Header{}
		header.Set("X-Twilio-Email-Event-Webhook-Signature", signature)
		header.Set("X-Twilio-Email-Event-Webhook-Timestamp", timestamp)
		return verifier.Verify(&signing.Request{Header: header, Body: []byte(body), Now: now})
	}
	require.Equal(t, 1, verify(key, body, signature, timestamp, sent))
	require.Equal(t, 1, verify(key, body, signature, timestamp, sent.Add(24*time.Hour)), "the last retry")
	require.Zero(t, verify(key, body, signature, timestamp, sent.Add(31*time.Hour)), "a replay")
	require.Zero(t, verify(otherKey, body, signature, timestamp, sent))
	require.Zero(t, verify(key, strings.TrimSpace(body), signature, timestamp, sent))
	require.Zero(t, verify(key, body, otherSignature, timestamp, sent))
	require.Zero(t, verify(key, body, signature, "1600112503", sent))
}
