package main

import "github.com/urfave/cli/v2"

func init() { cli.AppHelpTemplate = appHelp }

// appHelp is the page of hookswitch --help. The engine's own page speaks of the engine, and
// has no option that changes it.
const appHelp = `hookswitch: the front door for webhooks of communication vendors

It receives a vendor's delivery, checks who sent it, decodes it into one unified event
(CloudEvents), and hands it to Kafka, S3, HTTP or another output. A YAML config says which.

USAGE
   hookswitch COMMAND [flags] [arguments]

EXAMPLES
   hookswitch vendors                                        who can send, and how each signs
   hookswitch vendors callrail                               what to enter at the vendor
   hookswitch samples mobiniti/inbound                       a body, as the vendor sends it
   hookswitch decode --vendor mobiniti --event inbound FILE  the events of a body
   hookswitch schema call.completed                          what the events of a type are like
   hookswitch run configs/kafka.yaml                         a stream, from the door to Kafka
   hookswitch send --vendor callrail --event post_call URL   a sample, posted as the vendor does
   hookswitch test ./configs/...                             the tests of configs
   hookswitch docs webhook_decode                            what a component does, field by field

COMMANDS{{range .VisibleCommands}}
   {{printf "%-10s" .Name}}{{.Usage}}{{end}}

Each explains itself: hookswitch COMMAND --help. A command fails with 1 where its work
failed, and decode, vendors, samples and schema with 2 where the arguments are wrong.
The flags --set, --env-file and the like belong to run: hookswitch run --help.
`
