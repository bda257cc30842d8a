// Package telnyx decodes the webhooks of Telnyx: messages and calls. Every payload names its
// native event, and gives the native event an id that is the same in every attempt to deliver
// it.
//
// https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks
// https://developers.telnyx.com/docs/voice/programmable-voice/voice-api-webhooks
package telnyx

import (
	"embed"
	"time"

	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/payload"
	"github.com/hookswitch/hookswitch/plugins/signing"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

//go:embed testdata/*/*.json
var samples embed.FS

func init() {
	vendors.Register(vendors.Vendor{
		Name:      "telnyx",
		Title:     "Telnyx",
		Page:      "https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks",
		Setup:     "Mission Control Portal > the messaging profile and the Voice API application: webhook URL `/telnyx`, API version 2; the public key is in Keys & Credentials.",
		Signing:   signing.Ed25519{Header: "Telnyx-Signature-Ed25519", Signed: signing.Signed{Timestamp: "Telnyx-Timestamp", Separator: "|", Tolerance: 5 * time.Minute}},
		SecretEnv: "TELNYX_PUBLIC_KEY",
		Samples:   samples,
		Events: []vendors.NativeEvent{
			{Name: "call.answered", Types: []string{event.CallAnswered}, Convert: callAnswered, RawOnly: callRawOnly},
			{Name: "call.bridged", Types: []string{"telnyx.call.bridged"}, Convert: other, RawOnly: callRawOnly},
			{Name: "call.hangup", Types: []string{event.CallCompleted}, Convert: callHangup, RawOnly: callRawOnly},
			{Name: "call.initiated", Types: []string{event.CallStarted}, Convert: callInitiated},
			{Name: "call.recording.saved", Types: []string{event.CallUpdated}, Convert: callRecordingSaved, RawOnly: recordingRawOnly},
			{Name: "call.recording.transcription.saved", Types: []string{event.CallUpdated}, Convert: callTranscriptionSaved},
			{Name: "link_clicked", Types: []string{"telnyx.link_clicked"}, Convert: linkClicked, RawOnly: clickRawOnly},
			{Name: "message.finalized", Types: []string{event.MessageDelivered, event.MessageFailed, event.MessageStatusUnknown, "telnyx.message.finalized"}, Split: outbound(finalType), RawOnly: outboundRawOnly},
			{Name: "message.read", Types: []string{event.MessageRead, "telnyx.message.read"}, Split: outbound(always(event.MessageRead)), RawOnly: outboundRawOnly},
			{Name: "message.received", Types: []string{event.MessageReceived, event.ContactUnsubscribed, event.ContactSubscribed}, Split: messageReceived, RawOnly: receivedRawOnly},
			{Name: "message.sent", Types: []string{event.MessageSent, "telnyx.message.sent"}, Split: outbound(always(event.MessageSent)), RawOnly: outboundRawOnly},
		},
		RawOnly: rawOnly,
		Named:   named,
		Other:   other,
	})
}

// named returns the native event that the payload names. A click names itself by the type of the
// record, which is event in all other payloads.
func named(r *vendors.Reader, p payload.Value) string {
	data := p.Get("data")
	eventType := data.Get("event_type")
	if eventType.Absent() {
		if recordType, _ := data.Get("record_type").Scalar(); recordType == "link_clicked" {
			return recordType
		}
	}
	return r.Text("vendorevent", eventType)
}

// native data structures

type webhook struct {
	Data payload.Value `json:"data"`
}

type occurrence struct {
	ID         payload.Value `json:"id"` // the same in every attempt to deliver it
	OccurredAt payload.Value `json:"occurred_at"`
	Payload    payload.Value `json:"payload"` // a call or a message
}

// native data structure conversion

// read reads what all native events have in common.
func read(in *vendors.Input) (*vendors.Reader, occurrence) {
	r := in.Read()
	w := payload.Bind[webhook](in.Payload)
	return r, vendors.Object[occurrence](r, "vendorevent", w.Data)
}

// other converts a payload of a native event that has no type in the catalogue. All native
// events of calls have the same keys for the call.
func other(in *vendors.Input) vendors.Draft {
	draft, _, _ := convertCall(in, "")
	if draft.Subject.ID == "" && draft.Data.Call.SessionID == "" {
		draft.Data.Channel, draft.Data.Call = "", nil // it is no event of a call
	}
	return draft
}
