package whatsapp

import "github.com/hookswitch/hookswitch/plugins/vendors"

// rawOnly has the keys that no native event reads.
var rawOnly = []vendors.RawOnly{
	{Reason: "the same in all payloads", Keys: []string{"object", "entry[].changes[].value.messaging_product"}},
	{Reason: "an internal id of our number, which the event has", Keys: []string{"entry[].changes[].value.metadata.phone_number_id"}},
	{Reason: "an id of the person that is the same for several businesses; the event has the id that is for this business", Keys: []string{
		"entry[].changes[].value.contacts[].parent_user_id",
		"entry[].changes[].value.calls[].from_parent_user_id",
		"entry[].changes[].value.calls[].to_parent_user_id",
		"entry[].changes[].value.messages[].from_parent_user_id",
		"entry[].changes[].value.message_echoes[].to_parent_user_id",
		"entry[].changes[].value.statuses[].parent_user_id",
		"entry[].changes[].value.statuses[].parent_recipient_user_id",
		"entry[].changes[].value.statuses[].recipient_participant_parent_user_id",
		"entry[].changes[].value.user_preferences[].parent_user_id",
	}},
	{Reason: "a name that the person may change at any time", Keys: []string{"entry[].changes[].value.contacts[].profile.username"}},
	{Reason: "a hash of the person's identity", Keys: []string{
		"entry[].changes[].value.contacts[].identity_key_hash",
		"entry[].changes[].value.statuses[].recipient_identity_key_hash",
	}},
	{Reason: "how the message came about, for which a message has no field", Keys: []string{
		"entry[].changes[].value.messages[].context.forwarded",
		"entry[].changes[].value.messages[].context.frequently_forwarded",
		"entry[].changes[].value.messages[].context.referred_product",
		"entry[].changes[].value.messages[].origin",
	}},
	{Reason: "who has written the message that this message answers, which reply_to_id tells", Keys: []string{
		"entry[].changes[].value.messages[].context.from",
		"entry[].changes[].value.messages[].edit.message.context.from",
	}},
	{Reason: "what kind of answer it is, which its key tells", Keys: []string{
		"entry[].changes[].value.messages[].interactive.type",
		"entry[].changes[].value.messages[].interactive.nfm_reply.name",
	}},
	{Reason: "the kind of the earlier message", Keys: []string{"entry[].changes[].value.messages[].edit.message.type"}},
	{Reason: "a property of the file, for which an attachment has no field", Keys: []string{
		"entry[].changes[].value.messages[].image.sha256",
		"entry[].changes[].value.messages[].video.sha256",
		"entry[].changes[].value.messages[].audio.sha256",
		"entry[].changes[].value.messages[].audio.voice",
		"entry[].changes[].value.messages[].document.sha256",
		"entry[].changes[].value.messages[].sticker.sha256",
		"entry[].changes[].value.messages[].sticker.animated",
		"entry[].changes[].value.messages[].edit.message.image.sha256",
	}},
	{Reason: "other people's cards, which the contact shares", Keys: []string{"entry[].changes[].value.messages[].contacts"}},
	{Reason: "the text that our side gave the row below its title", Keys: []string{"entry[].changes[].value.messages[].interactive.list_reply.description"}},
	{Reason: "how long our side may call, for which a message has no field", Keys: []string{
		"entry[].changes[].value.messages[].interactive.call_permission_reply.expiration_timestamp",
		"entry[].changes[].value.messages[].interactive.call_permission_reply.is_permanent",
		"entry[].changes[].value.messages[].interactive.call_permission_reply.response_source",
	}},
	{Reason: "the goods that were ordered, for which a message has no field", Keys: []string{
		"entry[].changes[].value.messages[].order.catalog_id",
		"entry[].changes[].value.messages[].order.product_items",
	}},
	{Reason: "what the ad or post looks like", Keys: []string{
		"entry[].changes[].value.messages[].referral.headline",
		"entry[].changes[].value.messages[].referral.body",
		"entry[].changes[].value.messages[].referral.media_type",
		"entry[].changes[].value.messages[].referral.image_url",
		"entry[].changes[].value.messages[].referral.video_url",
		"entry[].changes[].value.messages[].referral.thumbnail_url",
		"entry[].changes[].value.messages[].referral.welcome_message",
	}},
	{Reason: "a page on the code of the error", Keys: []string{
		"entry[].changes[].value.messages[].errors[].href",
		"entry[].changes[].value.statuses[].errors[].href",
	}},
	{Reason: "the kind of the message that the vendor does not pass on", Keys: []string{"entry[].changes[].value.messages[].unsupported"}},
	{Reason: "how the message is charged, without an amount", Keys: []string{
		"entry[].changes[].value.statuses[].conversation",
		"entry[].changes[].value.statuses[].pricing",
	}},
	{Reason: "how the voices travel", Keys: []string{"entry[].changes[].value.calls[].session", "entry[].changes[].value.calls[].connection"}},
	{Reason: "what went wrong with a call, or with no message in particular, for which there is no field", Keys: []string{"entry[].changes[].value.errors"}},
	{Reason: "the vendor's sentence for the value", Keys: []string{"entry[].changes[].value.user_preferences[].detail"}},
}

// preferenceRawOnly has the key that other native events read.
var preferenceRawOnly = []vendors.RawOnly{
	{Reason: "our number, for which a subscription has no field", Keys: []string{"entry[].changes[].value.metadata.display_phone_number"}},
}
