package schema_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/linkedin/goavro/v2"
	"github.com/parquet-go/parquet-go"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	_ "github.com/redpanda-data/connect/v4/public/components/confluent"
	_ "github.com/redpanda-data/connect/v4/public/components/pure/extended"

	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/schema"
	"github.com/hookswitch/hookswitch/tests/samples"
)

const parquetEncode = "parquet_encode: { schema_metadata: event_common_schema, default_compression: zstd, default_timestamp_unit: MICROSECOND }"

// events returns events whose raw is text: those of all samples, those of deliveries of
// which nothing is known, and some that have everything that is hard to encode.
func events(t testing.TB) service.MessageBatch {
	t.Helper()
	decode := processors(t, "webhook_decode: { raw: text }")
	withoutRaw := processors(t, "webhook_decode: { raw: none }")
	paths, err := filepath.Glob("../vendors/*/testdata/*/*.*")
	require.NoError(t, err)
	var all service.MessageBatch
	for _, path := range paths {
		if strings.HasSuffix(path, ".golden") || strings.HasSuffix(path, ".gz") {
			continue
		}
		s := samples.At(t, path)
		for _, run := range []func(service.MessageBatch) service.MessageBatch{decode, withoutRaw} {
			for _, body := range [][]byte{s.Body, []byte("{}")} {
				msg := service.NewMessage(body)
				msg.MetaSetMut("webhook_vendor", s.Vendor)
				msg.MetaSetMut("webhook_event", s.Event)
				msg.MetaSetMut("webhook_content_type", s.ContentType)
				for _, e := range run(service.MessageBatch{msg}) {
					if e.GetError() == nil {
						all = append(all, e)
					}
				}
			}
		}
	}
	require.Greater(t, len(all), 200)
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		var e event.Event
		fill(t, random, reflect.ValueOf(&e).Elem())
		all = append(all, service.NewMessage(e.AppendJSON(nil)))
	}
	return all
}

// hard are values that are hard to encode.
var hard = map[reflect.Type][]string{
	reflect.TypeFor[event.Time](): {
		"0000-01-01T00:00:00Z", "0000-02-29T00:00:00.5Z", "1969-12-31T23:59:59.9999999999999999999Z", "9999-12-31T23:59:59.999999999Z",
		"2026-03-02T14:11:55.000000000000000000000000000000000000000000000000000000000000001Z",
	},
	reflect.TypeFor[event.Number](): {
		"1e300", "-0", "0.1", "-0.0", "1E5", "0e0", "5e-324", "1e-400", "1.7976931348623157e308", "-9223372036854775808", "9223372036854775808",
		strings.Repeat("9", 50), "1." + strings.Repeat("3", 50),
	},
	reflect.TypeFor[event.Raw](): {`"{}"`, `"{\"a\":1e999,\"a\":\"\\u0000\"}"`},
}

var hardTexts = []string{"", "\uFFFD", "\x01\t\n\r\x7f", "a", `"\`, "null", "NaN", "𝄞", "\u2028", strings.Repeat("long ", 1000)}

// fill gives some fields of v a value that an event can hold.
func fill(t testing.TB, random *rand.Rand, v reflect.Value) {
	t.Helper()
	pick := func(values []string) string { return values[random.IntN(len(values))] }
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			_, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			if options == "" || random.IntN(2) == 0 {
				fill(t, random, v.Field(i))
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, random, v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), random.IntN(4), 4))
		for i := range v.Len() {
			fill(t, random, v.Index(i))
		}
	case reflect.Uint8:
		v.SetUint(random.Uint64N(3))
	case reflect.String:
		values, ok := hard[v.Type()]
		if !ok {
			values = hardTexts
		}
		v.SetString(pick(values))
	default:
		require.Fail(t, "no hard value", v.Type())
	}
}

// TestHardValues holds the values of fill to what an event can hold.
func TestHardValues(t *testing.T) {
	for _, text := range hard[reflect.TypeFor[event.Time]()] {
		parsed, ok := event.ParseTime(text)
		require.True(t, ok, text)
		require.Equal(t, event.Time(text), parsed)
	}
	for _, text := range hard[reflect.TypeFor[event.Number]()] {
		_, ok := event.ParseNumber(text)
		require.True(t, ok, text)
	}
}

// row returns what an encoder has to keep of an object: its fields with a value, times in
// microseconds. Value turns a value of an encoding into one of JSON, or a time.Time.
func row(t testing.TB, fields []event.Field, object map[string]any, value func(event.Field, any) any) map[string]any {
	t.Helper()
	kept := map[string]any{}
	one := func(f event.Field, v any) any {
		switch v := v.(type) {
		case map[string]any:
			return row(t, f.Fields, v, value)
		case json.Number:
			number, err := v.Float64()
			require.NoError(t, err)
			return number
		case string:
			if f.Kind == event.DateTime {
				parsed, err := time.Parse(time.RFC3339, v)
				require.NoError(t, err)
				return parsed.UnixMicro()
			}
		case time.Time:
			return v.UnixMicro()
		}
		return v
	}
	for _, f := range fields {
		switch v := value(f, object[f.Name]).(type) {
		case nil:
		case []any:
			var elements []any
			for _, element := range v {
				elements = append(elements, one(f, element))
			}
			if elements != nil {
				kept[f.Name] = elements
			}
		default:
			kept[f.Name] = one(f, v)
		}
	}
	return kept
}

func rowOfEvent(t testing.TB, e *service.Message) map[string]any {
	t.Helper()
	text, err := e.AsBytes()
	require.NoError(t, err)
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var object map[string]any
	require.NoError(t, d.Decode(&object))
	return row(t, event.Fields(), object, func(_ event.Field, v any) any { return v })
}

// TestParquet encodes every event, and reads every value back.
func TestParquet(t *testing.T) {
	all := events(t)
	var want []map[string]any
	for _, e := range all {
		want = append(want, rowOfEvent(t, e))
	}
	encoded := processors(t, "event_common_schema: {}", parquetEncode)(all)
	require.Len(t, encoded, 1)
	require.NoError(t, encoded[0].GetError())
	text, err := encoded[0].AsBytes()
	require.NoError(t, err)

	file, err := parquet.OpenFile(bytes.NewReader(text), int64(len(text)))
	require.NoError(t, err)
	var columns strings.Builder
	require.NoError(t, parquet.PrintSchema(&columns, schema.Event, file.Schema()))
	require.Equal(t, schema.ParquetColumns(), columns.String()+"\n", "the columns that are shown are not those that are written")

	decoded := processors(t, "parquet_decode: { handle_logical_types: v2 }")(encoded)
	require.Len(t, decoded, len(want))
	for i, msg := range decoded {
		object, err := msg.AsStructured()
		require.NoError(t, err)
		got := row(t, event.Fields(), object.(map[string]any), func(_ event.Field, v any) any { return v })
		require.Empty(t, cmp.Diff(want[i], got))
	}
}

// TestSchemaRegistry encodes every event with a schema that a registry is given, and reads
// every value back by another library for Avro.
func TestSchemaRegistry(t *testing.T) {
	registry := srfake.New()
	t.Cleanup(registry.Close)
	encode := func(format string) []*service.Message {
		batch := processors(t, "event_common_schema: {}", `schema_registry_encode: { url: "`+registry.URL()+`", subject: `+format+`, schema_metadata: event_common_schema, format: `+format+`, avro: { raw_json: true } }`)(events(t))
		for _, msg := range batch {
			require.NoError(t, msg.GetError())
		}
		return batch
	}
	encode("json_schema")

	encoded := encode("avro")
	registered, ok := registry.GetSchema("avro", 1)
	require.True(t, ok)
	require.JSONEq(t, schema.Avro(), registered.Schema.Schema, "the schema that is shown is not the one that is registered")
	codec, err := goavro.NewCodec(schema.Avro())
	require.NoError(t, err)
	for i, e := range events(t) {
		record, err := encoded[i].AsBytes()
		require.NoError(t, err)
		object, rest, err := codec.NativeFromBinary(record[5:])
		require.NoError(t, err)
		require.Empty(t, rest)
		got := row(t, event.Fields(), object.(map[string]any), func(f event.Field, v any) any {
			if union, ok := v.(map[string]any); ok { // of null and one type, whose name is the key
				require.Len(t, union, 1)
				for _, v = range union {
				}
			}
			return v
		})
		require.Empty(t, cmp.Diff(rowOfEvent(t, e), got))
	}
}
