package main

import (
	"context"

	"github.com/redpanda-data/benthos/v4/public/service"

	_ "github.com/hookswitch/hookswitch/plugins"
)

func main() { service.RunCLI(context.Background()) }
