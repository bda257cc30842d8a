package twilio

import "github.com/hookswitch/hookswitch/plugins/vendors"

// rawOnly has the keys that no native event reads.
var rawOnly = []vendors.RawOnly{
	{Reason: "the older name of another key", Keys: []string{
		"Called", "CalledCity", "CalledCountry", "CalledState", "CalledZip",
		"Caller", "CallerCity", "CallerCountry", "CallerState", "CallerZip",
	}},
	{Reason: "the version of Twilio's interface", Keys: []string{"ApiVersion"}},
	{Reason: "the contact's number or id again, in another form", Keys: []string{"ChannelToAddress", "WaId"}},
	{Reason: "the number whose owner forwards the call", Keys: []string{"ForwardedFrom"}},
	{Reason: "how much the network vouches for the caller's number", Keys: []string{"StirPassportToken", "StirVerstat"}},
	{Reason: "how many there are, which message.media shows", Keys: []string{"NumMedia"}},
	{Reason: "the advertisement's own text and picture", Keys: []string{
		"ReferralBody", "ReferralHeadline", "ReferralMediaContentType", "ReferralMediaId", "ReferralMediaUrl", "ReferralNumMedia",
	}},
	{Reason: "what the channel says of the message, in its own form", Keys: []string{
		"ButtonType", "ChannelMetadata", "FlowData", "Forwarded", "FrequentlyForwarded", "InteractiveData",
	}},
	{Reason: "the text that our side gave the row below its title", Keys: []string{"ListDescription"}},
	{Reason: "who has written the message that this message answers, which reply_to_id tells", Keys: []string{"OriginalRepliedMessageSender"}},
}

// The keys of single native events.
var (
	incomingMessageRawOnly = []vendors.RawOnly{
		{Reason: "received, as every message that comes in is", Keys: []string{"SmsStatus"}},
	}
	messageStatusRawOnly = []vendors.RawOnly{
		{Reason: "the pool of our numbers that the number of the message is of", Keys: []string{"MessagingServiceSid"}},
		{Reason: "when the carrier has delivered, in minutes and without a time zone", Keys: []string{"RawDlrDoneDate"}},
		{Reason: "message.status_text again", Keys: []string{"EventType"}},
		{Reason: "how the message was sent, in Twilio's own terms", Keys: []string{"ChannelInstallSid", "StructuredMessage"}},
	}
	incomingCallRawOnly = []vendors.RawOnly{
		{Reason: "a key for other requests about the call, which is of no use after the call", Keys: []string{"CallToken"}},
		{Reason: "the application of ours that a program has called", Keys: []string{"ApplicationSid"}},
		{Reason: "what the caller has pressed", Keys: []string{"Digits"}},
	}
	callStatusRawOnly = []vendors.RawOnly{
		{Reason: "the order of the states, which their times and names tell", Keys: []string{"SequenceNumber"}},
		{Reason: "always the same", Keys: []string{"CallbackSource"}},
		{Reason: "call.duration_seconds again, in minutes that are begun", Keys: []string{"Duration"}},
		{Reason: "the recording's id, which its URL has", Keys: []string{"RecordingSid"}},
		{Reason: "the code of SIP of what call.disposition says", Keys: []string{"SipResponseCode"}},
	}
	recordingRawOnly = []vendors.RawOnly{
		{Reason: "how the recording was made", Keys: []string{"RecordingChannels", "RecordingSource", "RecordingTrack"}},
		{Reason: "when the recording began, not the call", Keys: []string{"RecordingStartTime"}},
		{Reason: "why there is no recording, 0 where there is one", Keys: []string{"ErrorCode"}},
	}
)
