package schema

import (
	"context"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// name is the name of the processor and of the metadata that it sets.
const name = "event_common_schema"

// Register registers event_common_schema.
func Register() {
	service.MustRegisterProcessor(name, spec(), func(*service.ParsedConfig, *service.Resources) (service.Processor, error) {
		return processor{}, nil
	})
}

func spec() *service.ConfigSpec {
	return service.NewConfigSpec().Stable().Categories("Mapping").
		Summary("Sets the metadata `"+name+"` of a message: the schema of an event, for an encoder that follows the messages' own schema.").
		Description(`
The metadata is a schema of the engine's common form, and holds every field of an event of any vendor and type: one table for all events. Encoders take it by their field `+"`schema_metadata`"+`, so that no config has to list columns. It stays the same value for all messages, and is not copied until an encoder asks for it.

It expects events whose `+"`raw`"+` is text or left out, as `+"`webhook_decode: { raw: text }`"+` writes them: a table has no column for an open object. Times are timestamps in microseconds, numbers are floats of 64 bits, and all fields but those that every event has are optional. A field that is absent is null; an absent array may be read as an empty one.

Place it directly before the encoder. Elsewhere it costs time: an output that filters metadata, such as `+"`kafka_franz`"+`, and every other processor that reads all metadata as text, turns the schema into 24 KB of text for each message.

With `+"`schema_registry_encode`"+` and the format avro, set `+"`avro.raw_json`"+`, because events are plain JSON and not the JSON of Avro.`).
		Example("Parquet", "Events as Parquet, one row an event.", `
pipeline:
  processors:
    - webhook_decode: { raw: text }
output:
  switch:
    cases:
      - check: errored()
        output: { file: { path: dead_letters.jsonl } }
      - output:
          reject_errored:
            file: { path: "${! uuid_v4() }.parquet", codec: all-bytes }
          processors:
            - event_common_schema: {}
            - parquet_encode:
                schema_metadata: event_common_schema
                default_compression: zstd
                default_timestamp_unit: MICROSECOND
`)
}

// shared is the value of the metadata of all messages.
var shared = service.ImmutableAny{V: common.ToAny()}

type processor struct{}

// Process implements service.Processor.
func (processor) Process(_ context.Context, msg *service.Message) (service.MessageBatch, error) {
	msg.MetaSetImmut(name, shared)
	return service.MessageBatch{msg}, nil
}

// Close implements service.Processor.
func (processor) Close(context.Context) error { return nil }
