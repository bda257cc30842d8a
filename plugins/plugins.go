// Package plugins compiles in all vendors, and the components: a line each.
package plugins

import (
	"github.com/hookswitch/hookswitch/plugins/deadletter"
	"github.com/hookswitch/hookswitch/plugins/decode"
	"github.com/hookswitch/hookswitch/plugins/schema"
	"github.com/hookswitch/hookswitch/plugins/spool"
	"github.com/hookswitch/hookswitch/plugins/webhook"

	_ "github.com/hookswitch/hookswitch/plugins/vendors/all"
)

// Components are made of the vendors, so they are registered when all vendors are.
func init() {
	deadletter.Register()
	decode.Register()
	schema.Register()
	spool.Register()
	webhook.Register(spool.Room)
}
