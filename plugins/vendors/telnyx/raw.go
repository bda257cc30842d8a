package telnyx

import "github.com/hookswitch/hookswitch/plugins/vendors"

// rawOnly has the keys that no native event reads.
var rawOnly = []vendors.RawOnly{
	{Reason: "on the attempt to deliver the native event", Keys: []string{"meta"}},
	{Reason: "the same for all native events of the kind", Keys: []string{"data.record_type", "data.payload.record_type"}},
	{Reason: "the native event says the same", Keys: []string{"data.payload.state"}},
	{Reason: "a handle for commands on a call that goes on; call_leg_id is the id in all native events", Keys: []string{"data.payload.call_control_id"}},
	{Reason: "how the vendor's customer has set up calls or messages", Keys: []string{
		"data.payload.connection_codecs", "data.payload.connection_id", "data.payload.messaging_profile_id",
		"data.payload.webhook_failover_url", "data.payload.webhook_url",
	}},
	{Reason: "how the network carries the call", Keys: []string{
		"data.payload.call_quality_stats", "data.payload.call_screening_result", "data.payload.calling_party_type", "data.payload.codec",
		"data.payload.custom_headers", "data.payload.from_sip_uri", "data.payload.offered_codecs", "data.payload.sampling_rate",
		"data.payload.shaken_stir_attestation", "data.payload.shaken_stir_validated", "data.payload.sip_headers", "data.payload.to_sip_uri",
	}},
	{Reason: "more on the cause of the end, of which hangup_cause is the word", Keys: []string{
		"data.payload.hangup_source", "data.payload.sip_hangup_cause", "data.payload.telnyx_error",
	}},
	{Reason: "the network of a number, as of today", Keys: []string{
		"data.payload.from.carrier", "data.payload.from.line_type", "data.payload.to[].carrier", "data.payload.to[].line_type",
	}},
	{Reason: "the recipient's status is that of the message", Keys: []string{"data.payload.from.status"}},
	{Reason: "the other participants of a group", Keys: []string{"data.payload.cc"}},
	{Reason: "on the error, and where in the payload it is", Keys: []string{"data.payload.errors[].meta", "data.payload.errors[].source"}},
	{Reason: "the parts of the cost", Keys: []string{"data.payload.cost_breakdown"}},
	{Reason: "how the text was made ready for the network", Keys: []string{
		"data.payload.encoding", "data.payload.num_chars", "data.payload.smart_encoding_applied",
	}},
	{Reason: "the registration of the sender with the carriers", Keys: []string{
		"data.payload.tcr_campaign_billable", "data.payload.tcr_campaign_id", "data.payload.tcr_campaign_registered",
	}},
	{Reason: "a time of the vendor's queue", Keys: []string{
		"data.payload.completed_at", "data.payload.received_at", "data.payload.valid_until", "data.payload.wait_seconds",
	}},
	{Reason: "the subject line of an MMS; the texts of other vendors have none", Keys: []string{"data.payload.subject"}},
	{Reason: "tags of the number or of the sending program, not of the contact", Keys: []string{"data.payload.tags"}},
	{Reason: "what the vendor made of the text: a guess at spam, or an answer to a keyword such as STOP that the vendor itself has given", Keys: []string{
		"data.payload.autoresponse_type", "data.payload.is_spam",
	}},
	{Reason: "on the recording or its transcription as a record of the vendor", Keys: []string{
		"data.payload.channels", "data.payload.format", "data.payload.recording_ended_at", "data.payload.recording_id",
		"data.payload.recording_started_at", "data.payload.recording_transcription_id", "data.payload.status",
	}},
	{Reason: "a check of the file, or a smaller twin of it", Keys: []string{
		"data.payload.media[].hash_sha256", "data.payload.media[].sha256", "data.payload.media[].size",
		"data.payload.body.user_file.payload.file_size_bytes", "data.payload.body.user_file.thumbnail",
	}},
}

// The keys that a native event does not read, but another one does.
var (
	callRawOnly = []vendors.RawOnly{{
		Reason: "the native event does not say the direction, so neither which number is the contact's",
		Keys:   []string{"data.payload.from", "data.payload.to"},
	}}
	bridgedRawOnly   = append([]vendors.RawOnly{{Reason: "call.initiated has told it", Keys: []string{"data.payload.start_time"}}}, callRawOnly...)
	recordingRawOnly = append([]vendors.RawOnly{{
		Reason: "when the recording began and ended, not the call",
		Keys:   []string{"data.payload.end_time", "data.payload.start_time"},
	}}, callRawOnly...)
	messageRawOnly  = []vendors.RawOnly{{Reason: "the native event says the same", Keys: []string{"data.payload.direction"}}}
	receivedRawOnly = append([]vendors.RawOnly{{
		Reason: "empty, or only on the way to us, because nothing is left to happen to a message that was received",
		Keys:   []string{"data.payload.errors", "data.payload.sent_at", "data.payload.to[].status"},
	}}, messageRawOnly...)
)
