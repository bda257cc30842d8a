// Package plugins compiles the vendors and the components in: a line each.
package plugins

import (
	"github.com/hookswitch/hookswitch/plugins/deadletter"
	"github.com/hookswitch/hookswitch/plugins/decode"
	"github.com/hookswitch/hookswitch/plugins/schema"
	"github.com/hookswitch/hookswitch/plugins/spool"
	"github.com/hookswitch/hookswitch/plugins/webhook"

	_ "github.com/hookswitch/hookswitch/plugins/vendors/callrail"
	_ "github.com/hookswitch/hookswitch/plugins/vendors/mobiniti"
	_ "github.com/hookswitch/hookswitch/plugins/vendors/movement"
	_ "github.com/hookswitch/hookswitch/plugins/vendors/oneroute"
	_ "github.com/hookswitch/hookswitch/plugins/vendors/supersend"
)

// Components are made of the vendors, so they are registered when all vendors are.
func init() {
	deadletter.Register()
	decode.Register()
	schema.Register()
	spool.Register()
	webhook.Register(spool.Room)
}
