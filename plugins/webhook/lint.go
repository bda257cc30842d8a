package webhook

import (
	"encoding/json"
	"sync"

	"github.com/redpanda-data/benthos/v4/public/bloblang"
)

// lintRule is the rule of the whole input. The engine parses it with the pure
// functions that are registered for the process, and gives it the fields of a
// configuration with their defaults.
const lintRule = `root = webhook_lint(this)`

// The linter and the constructor make one check: what lint accepts does not fail
// to start by its text, and both say the same.
func init() {
	bloblang.MustRegisterFunctionV2("webhook_lint",
		bloblang.NewPluginSpec().
			Category("Linting").
			Description("Returns what is wrong with the configuration of a `webhook` input, and an empty string if nothing is.").
			Param(bloblang.NewAnyParam("config").Description("The fields of the input.")),
		func(args *bloblang.ParsedParams) (bloblang.Function, error) {
			fields, err := args.Get("config")
			if err != nil {
				return nil, err
			}
			return func() (any, error) { return lint(fields), nil }, nil
		})
}

// parsingSpec is the spec that lint parses with.
var parsingSpec = sync.OnceValue(spec)

func lint(fields any) string {
	text, err := json.Marshal(withEmptyLists(fields)) // which is YAML
	if err != nil {
		return err.Error()
	}
	conf, err := parsingSpec().ParseYAML(string(text), nil)
	if err != nil {
		return err.Error()
	}
	if _, err = parseConfig(conf); err != nil {
		return err.Error()
	}
	return ""
}

// withEmptyLists returns the value with lists that hold nothing, where the engine has
// null for them, which it does not read.
func withEmptyLists(value any) any {
	switch value := value.(type) {
	case []any:
		list := make([]any, len(value))
		for i, v := range value {
			list[i] = withEmptyLists(v)
		}
		return list
	case map[string]any:
		object := make(map[string]any, len(value))
		for k, v := range value {
			object[k] = withEmptyLists(v)
		}
		return object
	}
	return value
}
