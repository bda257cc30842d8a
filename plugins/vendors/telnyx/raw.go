package telnyx

import "github.com/hookswitch/hookswitch/plugins/vendors"

// rawOnly has the keys that no native event reads.
var rawOnly = []vendors.RawOnly{
	{Reason: "about the attempt to deliver the native event, not about what happened", Keys: []string{"meta"}},
	{Reason: "always the same", Keys: []string{"data.payload.record_type"}},
	{Reason: "the native event says the same", Keys: []string{"data.record_type", "data.payload.state"}},
	{Reason: "the handle for commands to a running call; only call_leg_id is in all native events of a call", Keys: []string{"data.payload.call_control_id"}},
	{Reason: "how our side has set up the vendor's account", Keys: []string{
		"data.payload.connection_codecs", "data.payload.connection_id",
		"data.payload.webhook_failover_url", "data.payload.webhook_url",
	}},
	{Reason: "how the network carries the call", Keys: []string{
		"data.payload.call_quality_stats", "data.payload.call_screening_result", "data.payload.calling_party_type", "data.payload.codec",
		"data.payload.custom_headers", "data.payload.from_sip_uri", "data.payload.offered_codecs", "data.payload.sampling_rate",
		"data.payload.shaken_stir_attestation", "data.payload.shaken_stir_validated", "data.payload.sip_headers", "data.payload.to_sip_uri",
	}},
	{Reason: "says more about the cause that hangup_cause names", Keys: []string{
		"data.payload.hangup_source", "data.payload.sip_hangup_cause", "data.payload.telnyx_error",
	}},
	{Reason: "a property of the vendor's recording or transcription, not of the call", Keys: []string{
		"data.payload.channels", "data.payload.format", "data.payload.recording_ended_at", "data.payload.recording_id",
		"data.payload.recording_started_at", "data.payload.recording_transcription_id", "data.payload.status",
	}},
	{Reason: "the network that the number belongs to", Keys: []string{
		"data.payload.from.carrier", "data.payload.from.line_type", "data.payload.to[].carrier", "data.payload.to[].line_type",
	}},
	{Reason: "what became of the message is the recipient's status", Keys: []string{"data.payload.from.status"}},
	{Reason: "the other members of a group conversation", Keys: []string{"data.payload.cc"}},
	{Reason: "what the cost is made of", Keys: []string{"data.payload.cost_breakdown"}},
	{Reason: "how the text was encoded", Keys: []string{
		"data.payload.encoding", "data.payload.num_chars", "data.payload.smart_encoding_applied",
	}},
	{Reason: "how the sender is registered with the carriers", Keys: []string{
		"data.payload.tcr_campaign_billable", "data.payload.tcr_campaign_id", "data.payload.tcr_campaign_registered",
	}},
	{Reason: "a time of the vendor's queue; occurred_at is the time of the native event", Keys: []string{
		"data.payload.completed_at", "data.payload.received_at", "data.payload.valid_until", "data.payload.wait_seconds",
	}},
	{Reason: "the subject line of an MMS, which the texts of other vendors do not have", Keys: []string{"data.payload.subject"}},
	{Reason: "tags of the number or of the message, for which events have no field", Keys: []string{"data.payload.tags"}},
	{Reason: "a guess of the vendor", Keys: []string{"data.payload.is_spam"}},
	{Reason: "where an error is explained, and what it is about: an error that is about another recipient is left out", Keys: []string{
		"data.payload.errors[].meta", "data.payload.errors[].source",
	}},
	{Reason: "for a check of the file", Keys: []string{
		"data.payload.body.user_file.payload.file_size_bytes", "data.payload.media[].hash_sha256", "data.payload.media[].sha256",
		"data.payload.media[].size",
	}},
	{Reason: "a smaller copy of the file", Keys: []string{"data.payload.body.user_file.thumbnail"}},
}

// The keys that a native event does not read, but another one does.
var (
	clickRawOnly = []vendors.RawOnly{
		{Reason: "where the link leads, for which a message has no field", Keys: []string{"data.url"}},
	}
	callRawOnly = []vendors.RawOnly{{
		Reason: "the native event does not say the direction, so it does not tell which number is the contact's",
		Keys:   []string{"data.payload.from", "data.payload.to"},
	}}
	recordingRawOnly = append([]vendors.RawOnly{{
		Reason: "when the recording began and ended, not the call",
		Keys:   []string{"data.payload.end_time", "data.payload.start_time"},
	}}, callRawOnly...)
	outboundRawOnly = []vendors.RawOnly{
		{Reason: "the native event says the same", Keys: []string{"data.payload.direction"}},
		{Reason: "how our side has set up the vendor's account", Keys: []string{"data.payload.messaging_profile_id"}},
	}
	receivedRawOnly = []vendors.RawOnly{
		{Reason: "the native event says the same", Keys: []string{"data.payload.direction"}},
		{Reason: "not used for a message that was received", Keys: []string{"data.payload.errors", "data.payload.sent_at"}},
		{Reason: "whether the vendor has delivered the message to our side", Keys: []string{"data.payload.to[].status"}},
	}
)
