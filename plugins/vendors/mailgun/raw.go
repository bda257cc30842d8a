package mailgun

import "github.com/hookswitch/hookswitch/plugins/vendors"

// rawOnly has the keys that no native event reads.
var rawOnly = append([]vendors.RawOnly{
	{Reason: "how serious the event is in the vendor's log", Keys: []string{"event-data.log-level"}},
	{Reason: "the domain or the provider of the recipient", Keys: []string{"event-data.recipient-domain", "event-data.recipient-provider"}},
	{Reason: "the domain of our side that the vendor has sent for, with which its Message-ID ends", Keys: []string{"event-data.domain"}},
	{Reason: "how our side has handed the e-mail to the vendor, and how the vendor signs it", Keys: []string{
		"event-data.api-key-id", "event-data.method", "event-data.originating-ip", "event-data.primary-dkim",
	}},
	{Reason: "where the vendor keeps the e-mail for some days", Keys: []string{"event-data.storage"}},
	{Reason: "how the vendor carries the e-mail", Keys: []string{
		"event-data.envelope.sending-ip", "event-data.envelope.targets", "event-data.envelope.transport", "event-data.envelope.mail-from",
	}},
	{Reason: "what the vendor notes of the sending, such as that it was a test", Keys: []string{
		"event-data.flags.is-authenticated", "event-data.flags.is-big", "event-data.flags.is-delayed-bounce",
		"event-data.flags.is-system-test", "event-data.flags.is-test-mode",
	}},
	{Reason: "a size in bytes", Keys: []string{"event-data.message.attachments[].size", "event-data.message.size"}},
	{Reason: "how an attempt to deliver went, or when the next one is", Keys: []string{
		"event-data.delivery-status.attempt-no", "event-data.delivery-status.certificate-verified",
		"event-data.delivery-status.first-delivery-attempt-seconds", "event-data.delivery-status.mx-host",
		"event-data.delivery-status.mx-host-ip", "event-data.delivery-status.retry-seconds",
		"event-data.delivery-status.session-seconds", "event-data.delivery-status.tls", "event-data.delivery-status.utf8",
	}},
	{Reason: "the code of the recipient's server once more, with which the message begins", Keys: []string{"event-data.delivery-status.enhanced-code"}},
	{Reason: "when the e-mail was delivered, which is another event", Keys: []string{"event-data.delivered-at"}},
	{Reason: "the kind of the program whose name client.name has", Keys: []string{"event-data.client-info.client-type"}},
	{Reason: "the time zone of the place that contact.location has", Keys: []string{"event-data.geolocation.timezone"}},
	{Reason: "the vendor's ids of the mailing list", Keys: []string{"event-data.mailing-list.list-id", "event-data.mailing-list.sid"}},
}, formRawOnly...)

// formRawOnly has the keys of the older webhooks that no native event reads.
var formRawOnly = []vendors.RawOnly{
	{Reason: "what the vendor has signed, random and worth nothing without the signature", Keys: []string{"token"}},
	{Reason: "the domain of our side that the vendor has sent for, with which its Message-ID ends", Keys: []string{"domain"}},
	{Reason: "the vendor's own id of the recipient", Keys: []string{"X-Mailgun-Sid"}},
	{Reason: "how many attachments the e-mail has", Keys: []string{"attachment-count"}},
	{Reason: "the kind of the program whose name client.name has", Keys: []string{"client-type"}},
}

// sentRawOnly has the keys of an e-mail of our side that only other native events read.
var sentRawOnly = []vendors.RawOnly{
	{Reason: "the mailing list that the e-mail was sent to", Keys: []string{"event-data.mailing-list.address", "mailing-list"}},
	{Reason: "empty, but in an e-mail that was received", Keys: []string{"body-plain"}},
	{Reason: "all recipients of the e-mail, where the event is about one", Keys: []string{"event-data.message.recipients"}},
	{Reason: "what the recipient's server has sent back", Keys: []string{"attachment-1"}},
}

// routeRawOnly has the keys of an e-mail that a route posts.
var routeRawOnly = []vendors.RawOnly{
	{Reason: "the text without what it quotes and without its signature, or the signature", Keys: []string{"stripped-html", "stripped-signature", "stripped-text"}},
	{Reason: "the header of the e-mail, whose fields stand beside it", Keys: []string{"message-headers"}},
	{Reason: "a field of the e-mail's header, of which another key tells or which joins nothing", Keys: []string{
		"Content-Type", "From", "Mime-Version", "event", "event-data", "Received", "References", "Subject", "To", "X-Envelope-From", "X-Mailgun-Incoming",
	}},
	{Reason: "where an attachment stands in the text", Keys: []string{"content-id-map"}},
	{Reason: "the attachment itself", Keys: []string{"attachment-1.base64"}},
	{Reason: "where the vendor keeps the e-mail for some days", Keys: []string{"message-url"}},
}
