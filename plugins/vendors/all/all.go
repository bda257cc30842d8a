// Package all compiles the vendors in: a line each.
package all

import (
	_ "github.com/hookswitch/hookswitch/plugins/vendors/callrail"
	_ "github.com/hookswitch/hookswitch/plugins/vendors/mailgun"
	_ "github.com/hookswitch/hookswitch/plugins/vendors/mobiniti"
	_ "github.com/hookswitch/hookswitch/plugins/vendors/movement"
	_ "github.com/hookswitch/hookswitch/plugins/vendors/oneroute"
	_ "github.com/hookswitch/hookswitch/plugins/vendors/postmark"
	_ "github.com/hookswitch/hookswitch/plugins/vendors/sendgrid"
	_ "github.com/hookswitch/hookswitch/plugins/vendors/supersend"
	_ "github.com/hookswitch/hookswitch/plugins/vendors/telnyx"
	_ "github.com/hookswitch/hookswitch/plugins/vendors/twilio"
	_ "github.com/hookswitch/hookswitch/plugins/vendors/whatsapp"
)
