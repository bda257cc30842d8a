// Package deadletter makes the record of a delivery that could not become events.
package deadletter

import (
	_ "embed"

	"github.com/redpanda-data/benthos/v4/public/service"
)

//go:embed dead_letter.yaml
var template string

// Register registers the processor.
func Register() { service.MustRegisterTemplateYAML(template) }
