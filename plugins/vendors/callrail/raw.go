package callrail

import "github.com/hookswitch/hookswitch/plugins/vendors"

// rawOnly has the keys that no native event reads.
var rawOnly = []vendors.RawOnly{
	{Reason: "a formatted twin of another key", Keys: []string{
		"formatted_business_phone_number", "formatted_call_type", "formatted_customer_location", "formatted_customer_name",
		"formatted_customer_name_or_phone_number", "formatted_customer_phone_number", "formatted_duration",
		"formatted_tracking_phone_number", "formatted_tracking_source", "formatted_value",
	}},
	{Reason: "the older name of another key", Keys: []string{
		"callercity", "callercountry", "callername", "callernum", "callerstate", "callsource", "datetime", "destinationnum",
		"landingpage", "referrermedium", "tag", "trackingnum",
	}},
	{Reason: "the name that the page gives customer_phone_number", Keys: []string{"customer_number"}},
	{Reason: "another form of the recording, transcription or tags", Keys: []string{
		"conversational_transcript", "detail_tags", "recording_player", "recording_redirect", "speaker_percent", "waveforms",
	}},
	{Reason: "what an analytics product or the customer's website keeps, and joins nothing", Keys: []string{
		"custom", "ga", "kissmetrics_id", "utma", "utmb", "utmc", "utmv", "utmz",
	}},
	{Reason: "the vendor's own record of leads and integrations", Keys: []string{"good_lead_call_id", "good_lead_call_time", "integration_data"}},
	{Reason: "what the caller has pressed", Keys: []string{"keypad_entries"}},
	{Reason: "the pages of the visit between the landing page and the call", Keys: []string{"last_requested_url", "referrer_domain"}},
	{Reason: "how one touch came about, where attribution has the same for the call", Keys: []string{
		"milestones.*.ad_position", "milestones.*.device", "milestones.*.landing_page_url_params", "milestones.*.match_type",
		"milestones.*.referrer_url_params", "milestones.*.session_browser", "milestones.*.url_utm_params",
	}},
	{Reason: "whether the text has media, which message.media says", Keys: []string{"message_type"}},
	{Reason: "an id of which no page says that it is the person_resource_id of other events", Keys: []string{"person_id"}},
}

// The keys of calls and forms that only other native events read.
var (
	callRawOnly = []vendors.RawOnly{
		{Reason: "the time of the vendor's record", Keys: []string{"created_at"}},
		{Reason: "start_time again", Keys: []string{"timestamp"}},
		{Reason: "empty, because a payload with form data is a form", Keys: []string{"form_data"}},
	}
	unfinishedCallRawOnly = append([]vendors.RawOnly{
		{Reason: "filled before the call has ended, and not true yet", Keys: []string{"answered", "call_type", "duration", "voicemail"}},
	}, callRawOnly...)
	formRawOnly = []vendors.RawOnly{
		{Reason: "the time of the vendor's record", Keys: []string{"timestamp"}},
		{Reason: "the vendor's page on the person, where form.url is the page that the form stands on", Keys: []string{"timeline_url"}},
	}
)
